"""Code blocks as cells of a Jupyter kernel."""

from ..rows import better, same

TITLE = "Jupyter executors"

ROWS = [
    same("jupyter:names", "autogen.coding.jupyter and the modules below have the names of 0.2."),
    same("jupyter:config", "An instance, or the name 'ipython-embedded', is an executor."),
    same("jupyter:state", "State persists between blocks and between calls; restart() forgets it."),
    same("jupyter:output", "Printed text and the values of last lines are the output, in order."),
    same("jupyter:displays", "Pictures and pages are saved under random names and listed."),
    same("jupyter:error", "An error gives exit code 1 and an output that starts with 'ERROR: '."),
    better(
        "jupyter:error:before",
        "What was printed before the error follows it, and traces have no colour codes.",
        why="it was thrown away, and traces were a list of escape sequences",
    ),
    same("jupyter:timeout", "A cell that runs out of time gives exit code 1 and the 0.2 text."),
    better(
        "jupyter:interrupt",
        "Such a cell is interrupted and state is kept; a kernel that does not react is killed.",
        why="the cell ran on, and its output mixed with that of the next",
    ),
    better(
        "jupyter:lost",
        "A kernel that dies is told as such, and the next block says that state is lost.",
        why="the executor waited for its timeout, every time from then on",
    ),
    same("jupyter:refused", "A missing output_dir or kernel raises ValueError with the 0.2 text."),
    better(
        "jupyter:shell",
        "A kernel for Python runs shell blocks as such, and refuses other languages.",
        why="they were run as Python",
    ),
    same("jupyter:pip", "Lines that install packages are silenced."),
    better(
        "jupyter:wall",
        "The embedded kernel runs in the sandbox, and is refused where no wall stands.",
        why="it ran on the host with the environment and the keys of the program",
    ),
    same("jupyter:server", "JupyterCodeExecutor runs cells on a server, here or elsewhere."),
    same("jupyter:client", "JupyterClient starts and ends kernels and runs cells in them."),
    same("jupyter:docker", "DockerJupyterServer runs a server in a container, which stop() ends."),
    better(
        "jupyter:docker:closed",
        "Its port is published on this machine alone.",
        why="everybody in the network could reach it",
    ),
]
