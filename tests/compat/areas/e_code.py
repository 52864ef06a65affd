"""Running code: how it is configured, what executors take, and what comes of blocks."""

from ..rows import better, same

TITLE = "Running code"

ROWS = [
    # What the reply is made of stands with the other replies; here is where code runs, and how.
    same("code:newline", "In the dict form each block's output begins with a new line."),
    same("code:languages", "In the dict form another language than Python or a shell is told."),
    better(
        "code:languages:names",
        "Python and shells are known there in any case, and python3 too.",
        why="only a few spellings were",
    ),
    better(
        "code:run-code",
        "run_code obeys the work_dir, timeout and use_docker that it is given.",
        why="an image that it had made was then written into the agent's configuration",
    ),
    same("code:image", "run_code gives the name of the Docker image that the code ran in."),
    # code_execution_config
    same("code:config:off", "False runs no code."),
    better(
        "code:config:defaults",
        "{} means ten minutes, and the folder coding.",
        why="code was kept inside the installed package",
    ),
    same("code:config:keys", "work_dir, timeout and use_docker decide where code runs."),
    same("code:config:by-name", "An executor is made by its name, with the dict of that name."),
    same("code:config:unknown-executor", "An unknown executor raises the 0.2 ValueError."),
    same("code:config:protocol", "Whatever has the three members of an executor is one."),
    better(
        "code:config:lazy",
        "Making an agent looks for no wall, asks no Docker and makes no folder.",
        why="it asked Docker, and failed where there was none",
    ),
    better(
        "code:config:unknown-key",
        "A key or value that nothing could be made of is refused at once, with the nearest key.",
        why="it was noticed when code ran, or beside an executor never",
    ),
    better(
        "code:config:wall-keys",
        "network, packages, env, mounts and limits stand in the dict too.",
        why="code had no limits but its time",
    ),
    better(
        "code:work-dir:early",
        "A work_dir that cannot be used is told before the chat costs anything.",
        why="it was noticed after the model had been paid",
    ),
    better(
        "code:wall:unset",
        "Without use_docker code runs in the sandbox of this machine, else in Docker, else not.",
        why="without Docker there was nothing but an error",
    ),
    same("code:wall:true", "use_docker=True or an image means Docker or an error."),
    better(
        "code:wall:false",
        "use_docker=False runs code in the sandbox where one stands, else on the host with a "
        "warning.",
        why="it ran on the host",
    ),
    same("code:wall:variable", "AUTOGEN_USE_DOCKER decides where use_docker says nothing."),
    better(
        "code:wall:required",
        "AUTOGEN_REQUIRE_WALL=1 and require_wall refuse the host.",
        why="there was no such switch",
    ),
    better(
        "code:wall:one",
        "All blocks of an agent share one wall; the configuration is left as it is.",
        why="every block had a container of its own, and use_docker was rewritten",
    ),
    # values and ports
    same("exec:types", "CodeBlock and the three results are pydantic models with 0.2 fields."),
    same("exec:signature", "The constructors take the 0.2 parameters in their order."),
    same("exec:properties", "timeout, work_dir, execution_policies and so on can be read."),
    better(
        "exec:timeout:bad",
        "A timeout below one second, or that is no number, raises ValueError.",
        why="True and 0.5 were taken, and text raised TypeError",
    ),
    same("exec:work-dir", "work_dir is a str or a Path; it is made, its parent has to exist."),
    same("exec:work-dir:cwd", "Blocks run in the work_dir."),
    better(
        "exec:work-dir:gone",
        "A work_dir that vanishes is made anew; where that fails, the error says so.",
        why="a FileNotFoundError ended the chat",
    ),
    better(
        "exec:disk-full",
        "A full disk fails the block and says so; the next block runs when there is room.",
        why="saving the code raised out of the chat",
    ),
    better(
        "exec:none",
        "An empty list of blocks raises ValueError in every executor.",
        why="the local one failed with an IndexError or gave nothing",
    ),
    same("exec:order", "Blocks run in order until one fails; their output is joined."),
    same("exec:languages", "Shells and Python are run, in any case and by the other names."),
    same("exec:languages:saved", "JavaScript, HTML and CSS are saved only, with the 0.2 line."),
    same("exec:policies", "execution_policies is merged over the defaults."),
    same("exec:languages:unknown", "An unknown language is exit code 1 and the 0.2 text."),
    same("exec:file", "Code is saved as tmp_code_ and its digest; code_file is the first file."),
    same("exec:file:named", "The first line can name the file, in four kinds of comment."),
    better(
        "exec:file:comment",
        "A comment that is no file name names no file.",
        why="any first comment did, and some raised out of the chat",
    ),
    same("exec:file:outside", "A name outside the work_dir is exit code 1 and the 0.2 text."),
    same("exec:pip", "pip install is made quiet."),
    same("exec:utils", "coding.utils has silence_pip and the file name of a block."),
    same("exec:timeout", "A block that takes too long is exit code 124 and ends with Timeout."),
    better(
        "exec:streams",
        "stdout and stderr come in the order they were written.",
        why="stderr came first",
    ),
    better(
        "exec:sanitize",
        "A destructive shell command is refused as the result of its block.",
        why="it raised out of the chat",
    ),
    same("exec:sanitize:static", "LocalCommandLineCodeExecutor.sanitize_command raises."),
    same(
        "exec:subclass",
        "_execute_code_dont_check_setup of a subclass of the local executor sees code and results.",
    ),
    same("exec:restart", "restart of the local executor warns that nothing happens."),
    same("exec:venv", "virtual_env_context chooses the Python and comes first on the PATH."),
    better(
        "exec:interpreter",
        "Without one, Python is the interpreter that runs the program.",
        why="it was whatever was called python on the PATH",
    ),
    better(
        "exec:environment",
        "Keys and passwords do not reach local code unless env= or inherit_env= hand them in.",
        why="all of the environment did",
    ),
    better(
        "exec:artifacts",
        "Files that code makes are listed in ChatResult.artifacts, each once.",
        why="programs had to look for them",
    ),
    same("docker:container", "One container serves all blocks until stop."),
    same("docker:languages:unknown", "There an unknown language has a text of its own."),
    same("docker:context", "It is a context manager, and ends with the program."),
    same("docker:bind-dir", "bind_dir is what the engine mounts."),
    same("pod:life", "One pod serves all blocks until stop; it is a context manager."),
    same("pod:exit", "The pod is deleted when the program ends."),
    same("pod:work-dir", "Code runs in work_dir in the pod, and code_file is a path there."),
    same("pod:saved", "Pages are saved in the pod; names lead out of the work_dir nowhere."),
    same("pod:languages", "A pod knows no PowerShell and says `Unsupported language`."),
    same("pod:timeout", "A block that takes too long ends with exit code 124 and Timeout."),
    same("pod:spec", "A pod_spec of the caller's is kept; container_name chooses in it."),
    better(
        "pod:tight",
        "A pod has no root, capabilities, token of the cluster or writable image, and limits.",
        why="it was made with the defaults of the cluster",
    ),
    better(
        "pod:network",
        "Policies for the network of pods are shipped, and a pod that has more is refused.",
        why="code could reach every service of the cluster",
    ),
    better(
        "pod:replaced",
        "A pod that was deleted or evicted gives a result that says so, and is replaced.",
        why="every later block failed",
    ),
    better(
        "pod:troubles",
        "A pod that cannot start says why and what to do.",
        why="it was waited for until a time limit",
    ),
    better(
        "pod:refused",
        "What a pod cannot do is refused at construction.",
        why="it was found out at the first block, or never",
    ),
    # functions
    same("exec:functions:import", "Blocks import functions from functions_module."),
    same("exec:functions:packages", "What functions need is installed before the first block."),
    same("exec:functions:packages:venv", "It is installed into the virtual_env_context."),
    same("exec:functions:packages:bad", "What cannot be installed raises ValueError."),
    same("exec:functions:load:bad", "Functions that do not load raise ValueError."),
    same("exec:functions:prompt", "format_functions_for_prompt fills in module and stubs."),
    same("exec:functions:module", "functions_module has to be an identifier."),
    better(
        "exec:functions:early",
        "Functions without a source, or two of one name, are refused at construction.",
        why="it was noticed at the first block, or never",
    ),
    better(
        "exec:functions:walled",
        "The sandbox and Docker take functions too.",
        why="only the local executor did",
    ),
    better(
        "exec:functions:kept",
        "A file of that name which no executor wrote is left alone.",
        why="it was overwritten",
    ),
]
