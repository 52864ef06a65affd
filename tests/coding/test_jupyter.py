"""The embedded kernel: a real one, behind a real wall."""

from __future__ import annotations

import base64
import gc
import importlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, UserProxyAgent
from autogen._kernel.cancel import CancelToken
from autogen._kernel.run import Run, entered
from autogen.coding import CodeBlock, CodeExecutor, CodeExecutorFactory, bubblewrap
from autogen.coding.jupyter import EmbeddedIPythonCodeExecutor
from autogen.coding.jupyter.cell import Cell, Files
from autogen.coding.jupyter.channel import Channel, ChannelLost
from autogen.coding.waker import Waker
from autogen.errors import NoWallError, RunCancelled, UsageError
from autogen.testing import ScriptedModel
from autogen.testing.face import FACES

STATE_LOST = "The kernel was started anew: what earlier blocks defined is lost."
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()


@pytest.fixture
def kernel(tmp_path, _bubblewrap, require_part):
    """Makes embedded executors whose output_dir is `tmp_path/out`."""
    ok, why, remedy = _bubblewrap
    if not ok:
        require_part("bubblewrap", because=why, do=remedy)
    made = []

    def make(**options):
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        made.append(EmbeddedIPythonCodeExecutor(**{"output_dir": folder, "timeout": 20, **options}))
        return made[-1]

    yield make
    for executor in made:
        executor.stop()


@pytest.fixture(scope="module")
def _shared(_bubblewrap, tmp_path_factory):
    ok, *_ = _bubblewrap
    executor = None
    if ok:
        folder = tmp_path_factory.mktemp("out")
        executor = EmbeddedIPythonCodeExecutor(timeout=20, output_dir=folder)
    yield executor
    if executor:
        executor.stop()


@pytest.fixture
def shared(_shared, _bubblewrap, require_part):
    """One warm kernel for tests that leave it as they found it."""
    if _shared is None:
        _, why, remedy = _bubblewrap
        require_part("bubblewrap", because=why, do=remedy)
    return _shared


def running_below():
    """Processes started by this one, however deep, that are not dead."""
    parents, found = {}, set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] != b"Z":
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    waiting = [os.getpid()]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def event_of(run, type, data):
    """An event that somebody sees."""
    return SimpleNamespace(type=type, data=data, is_seen=True)


# -- what is refused -------------------------------------------------------------------------------


@requirement("jupyter:names")
@pytest.mark.parametrize(
    "module, names",
    [
        (
            "",
            "JupyterConnectable JupyterConnectionInfo JupyterClient JupyterKernelClient "
            "LocalJupyterServer DockerJupyterServer EmbeddedIPythonCodeExecutor "
            "JupyterCodeExecutor",
        ),
        (".base", "JupyterConnectable JupyterConnectionInfo"),
        (".docker_jupyter_server", "DockerJupyterServer"),
        (".embedded_ipython_code_executor", "EmbeddedIPythonCodeExecutor"),
        (".jupyter_client", "JupyterClient JupyterKernelClient"),
        (".jupyter_code_executor", "JupyterCodeExecutor"),
        (".local_jupyter_server", "LocalJupyterServer"),
    ],
)
def test_names_of_the_room(module, names):
    found = importlib.import_module(f"autogen.coding.jupyter{module}")
    for name in names.split():
        assert getattr(found, name).__name__ == name


@requirement("jupyter:refused")
def test_missing_folder_and_kernel_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^Output directory .*/missing does not exist\.$"):
        EmbeddedIPythonCodeExecutor(output_dir=tmp_path / "missing")
    with pytest.raises(ValueError, match=r"^Kernel fortran77 is not installed\. .*python3"):
        EmbeddedIPythonCodeExecutor(kernel_name="fortran77", output_dir=tmp_path)
    with pytest.raises(ValueError, match="at least 1 second"):
        EmbeddedIPythonCodeExecutor(timeout=0, output_dir=tmp_path)
    with pytest.raises(UsageError, match="cannot hold a kernel"):
        EmbeddedIPythonCodeExecutor(wall="landlock", output_dir=tmp_path)
    with pytest.raises(UsageError, match="network 'moon' is not known"):
        EmbeddedIPythonCodeExecutor(network="moon", output_dir=tmp_path)


@requirement("jupyter:wall")
def test_without_a_wall_nothing_runs(tmp_path, monkeypatch, run):
    monkeypatch.setattr(bubblewrap, "find_bwrap", lambda: None)
    executor = EmbeddedIPythonCodeExecutor(output_dir=tmp_path)
    with pytest.raises(NoWallError) as refused:
        run(executor, "open('mark', 'w')")
    for way_out in ("bubblewrap", "DockerJupyterServer", "LocalJupyterServer"):
        assert way_out in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@requirement("jupyter:wall")
def test_other_systems_are_told_the_ways_out(tmp_path, monkeypatch, run):
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(NoWallError, match=r"this is Darwin.*DockerJupyterServer"):
        run(EmbeddedIPythonCodeExecutor(output_dir=tmp_path), "1")


@requirement("jupyter:config")
def test_name_and_instance_are_executors(tmp_path):
    config = {"executor": "ipython-embedded", "ipython-embedded": {"output_dir": str(tmp_path)}}
    made = CodeExecutorFactory.create(config)
    assert isinstance(made, EmbeddedIPythonCodeExecutor)
    assert isinstance(made, CodeExecutor)
    assert (made.timeout, made.kernel_name, made.output_dir) == (60, "python3", tmp_path)
    assert CodeExecutorFactory.create({"executor": made}) is made
    assert made._kernel._held.link is None


# -- cells -----------------------------------------------------------------------------------------


@pytest.mark.wall
@requirement("jupyter:state", "jupyter:output")
def test_state_persists_and_restart_forgets_it(kernel, run):
    box = kernel()
    codes = ("x = 20\nprint('one')\nx", "print('two', end='')\nx + 1")
    result = box.execute_code_blocks([CodeBlock(code=c, language="Python") for c in codes])
    assert (result.exit_code, result.output) == (0, "one\n20\ntwo\n21")
    assert run(box, "x + 2").output == "22"
    box.restart()
    assert run(box, "x").output.startswith("ERROR: NameError: name 'x' is not defined")


@requirement("jupyter:refused")
def test_no_blocks_and_a_removed_folder_are_refused(tmp_path, run):
    folder = tmp_path / "out"
    folder.mkdir()
    box = EmbeddedIPythonCodeExecutor(output_dir=folder)
    with pytest.raises(ValueError, match="no code blocks"):
        box.execute_code_blocks([])
    folder.rmdir()
    with pytest.raises(ValueError, match="does not exist"):
        run(box, "1")


@pytest.mark.wall
@requirement("jupyter:shell")
def test_shells_run_and_other_languages_are_refused(shared, run):
    assert run(shared, "n=$((1 + 1))\necho $n", "sh").output == "2"
    assert run(shared, "exit 3", "bash").output.startswith("ERROR: CalledProcessError")
    assert run(shared, "!echo magic", "").output == "magic"
    assert run(shared, "<b>", "html").output == "ERROR: unknown language html"


@pytest.mark.wall
@requirement("jupyter:error", "jupyter:error:before")
def test_error_stops_and_what_was_printed_before_follows_it(shared):
    codes = ["print('a')", "print('b')\n1 / 0", "print('never')"]
    result = shared.execute_code_blocks([CodeBlock(code=c, language="python") for c in codes])
    assert result.exit_code == 1
    assert result.output.startswith("ERROR: ZeroDivisionError: division by zero\n")
    assert result.output.endswith("Output before the error:\na\nb")
    assert "\x1b" not in result.output
    assert "never" not in result.output


@pytest.mark.wall
@requirement("jupyter:displays")
def test_pictures_and_pages_are_saved_and_listed(shared, run):
    result = run(
        shared,
        f"""
from IPython.display import HTML, Image, display
display(HTML("<b>page</b>"))
display({{"image/png": "{PNG}", "text/plain": "a picture"}}, raw=True)
display({{"image/svg+xml": "<svg/>", "application/json": {{"a": 1}}}}, raw=True)
print("end")
""",
    )
    assert result.exit_code == 0, result.output
    page, picture, drawing = result.output_files
    assert [Path(path).suffix for path in result.output_files] == [".html", ".png", ".svg"]
    assert Path(page).read_text() == "<b>page</b>"
    assert Path(picture).read_bytes() == base64.b64decode(PNG)
    lines = result.output.split("\n")
    assert lines[1] == f"HTML data saved to {page}"
    assert set(lines[2:4]) == {f"Image data saved to {picture}", "a picture"}
    assert set(lines[4:6]) == {f"Image data saved to {drawing}", '{"a": 1}'}
    assert lines[6] == "end"
    assert {artifact.path for artifact in result.artifacts} == set(result.output_files)


@pytest.mark.wall
def test_real_plot_is_a_picture(shared, run):
    pytest.importorskip("matplotlib")
    result = run(shared, "%matplotlib inline\nimport matplotlib.pyplot as p\np.plot([1, 2]);")
    assert result.exit_code == 0, result.output
    assert Path(result.output_files[0]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.wall
def test_broken_and_huge_displays_are_said_and_not_saved(shared, run):
    result = run(
        shared,
        """
display({"image/png": "%%% no base64"}, raw=True)
display({"image/png": "A" * 30_000_000}, raw=True)
display({"image/png": ""}, raw=True)
""",
    )
    assert result.output.split("\n") == [
        "Image data was not saved: it is no valid image/png.",
        "[A display was left out: it is too large.]",
        "Image data was not saved: it is no valid image/png.",
    ]
    assert result.output_files == []
    many = run(shared, "for i in range(120): display({'text/html': 'x'}, raw=True)")
    assert len(many.output_files) == 100
    assert "at most 100 files are" in many.output
    for path in many.output_files:
        os.unlink(path)


@pytest.mark.wall
def test_files_of_the_code_are_artifacts(shared, run):
    result = run(shared, "open('table.csv', 'w').write('a,b')")
    assert [artifact.name for artifact in result.artifacts] == ["table.csv"]
    assert (shared.output_dir / "table.csv").read_text() == "a,b"


@pytest.mark.wall
def test_odd_output_is_harmless_text(shared, run):
    result = run(
        shared,
        r"""
import os, sys
print("\x1b[31mred\x1b[0m \x1b]0;title\x07 nul\x00 \ud800")
sys.stdout.flush()
os.write(1, b"raw \xff\xfe\n")
"\udfff"
""",
    )
    assert result.output.startswith("red \\x1b]0;title\\x07 nul\\x00 \\ud800\n")
    assert "raw" in result.output
    assert "'\\udfff'" in result.output
    result.output.encode("utf-8")


@pytest.mark.wall
def test_much_output_keeps_head_and_tail(shared, run):
    result = run(
        shared, "print('first')\nfor i in range(100): print('y' * 1_000_000)\nprint('last')"
    )
    assert result.exit_code == 0
    assert result.output.startswith("first\nyyy")
    assert result.output.endswith("yyy\nlast")
    assert "bytes of output left out" in result.output
    assert len(result.output) < 300_000


@pytest.mark.wall
def test_input_is_refused_with_a_word(shared, run):
    result = run(shared, "name = input('who? ')")
    assert result.exit_code == 1
    assert "Code cannot ask for input here; put the value into the code." in result.output


@pytest.mark.wall
def test_async_cells_and_shell_lines_work(shared, run):
    code = "import asyncio\nawait asyncio.sleep(0)\n!echo from the shell"
    assert run(shared, code).output == "from the shell"


@pytest.mark.wall
@requirement("jupyter:pip")
def test_installing_is_silenced_and_answered_by_the_host(kernel, run):
    box = kernel(network="none")
    assert "-qqq" in run(box, "! pip install x\nIn[-1]").output
    assert "network='none'" in run(box, "! pip install x").output


@pytest.mark.wall
def test_the_kernel_is_in_the_sandbox(kernel, run, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("key")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    box = kernel(env={"GIVEN": "yes"})
    result = run(
        box,
        f"""
import os, urllib.request
print(os.path.exists({str(secret)!r}), os.environ.get("OPENAI_API_KEY"), os.environ["GIVEN"])
print(os.getcwd(), os.listdir("."), os.path.exists("/run/autogen-kernel/door"))
try:
    urllib.request.urlopen("http://10.0.0.1/")
except OSError as error:
    print(error)
""",
    )
    first, second, third = result.output.split("\n")
    assert first == "False None yes"
    assert second == f"{(tmp_path / 'out').resolve()} [] False"
    assert "Egress refused" in third


@pytest.mark.wall
def test_refused_hosts_are_events_of_each_cell(shared, run):
    seen = []
    events = Run(id="r", sinks=[seen.append], make_event=event_of)
    code = (
        "import urllib.request\ntry: urllib.request.urlopen('http://10.0.0.1/')\n"
        "except OSError: pass"
    )
    for _ in range(2):
        with entered(events):
            run(shared, code)
    assert [one.data["host"] for one in seen if one.type == "egress.refused"] == ["10.0.0.1"] * 2


@pytest.mark.wall
def test_output_is_shown_while_the_cell_runs(shared, run):
    shown = threading.Event()
    token = CancelToken()

    def watch(event):
        if event.type == "code.output" and "early" in event.data["text"]:
            shown.set()
            token.cancel()

    events = Run(id="r", sinks=[watch], cancel=token, make_event=event_of)
    with entered(events), pytest.raises(RunCancelled):
        run(shared, "import time\nprint('early', flush=True)\ntime.sleep(60)")
    assert shown.is_set()
    assert run(shared, "1 + 1").output == f"{STATE_LOST}\n2"


@pytest.mark.wall
def test_error_of_a_sink_ends_the_cell(shared, run):
    def fail(event):
        if event.type == "code.output":
            raise LookupError("the sink")

    events = Run(id="r", sinks=[fail], make_event=event_of)
    with entered(events), pytest.raises(BaseException, match="the sink"):
        run(shared, "import time\nprint('early', flush=True)\ntime.sleep(60)")
    assert run(shared, "'next'").output == "'next'"


# -- ends ------------------------------------------------------------------------------------------


@pytest.mark.wall
@requirement("jupyter:timeout", "jupyter:interrupt")
def test_timeout_interrupts_and_keeps_state(kernel, run):
    box = kernel(timeout=2)
    run(box, "x = 5")
    code = "print('so far', flush=True)\nimport time\ntime.sleep(60)"
    result = run(box, code)
    assert result.exit_code == 1
    assert result.output.startswith(f"ERROR: Timeout waiting for output from code block: {code}")
    assert result.output.endswith("so far")
    assert run(box, "x").output == "5"


@pytest.mark.wall
@requirement("jupyter:interrupt", "jupyter:lost")
def test_kernel_that_ignores_interrupts_is_killed(kernel, run):
    box = kernel(timeout=2)
    run(box, "x = 5")
    result = run(box, "import signal, time\nsignal.signal(2, signal.SIG_IGN)\ntime.sleep(60)")
    assert result.output.startswith("ERROR: Timeout waiting for output from code block: ")
    assert "killed" in result.output
    after = run(box, "print('anew')")
    assert (after.exit_code, after.output) == (0, f"{STATE_LOST}\nanew")
    assert run(box, "print('no word of it')").output == "no word of it"


@pytest.mark.wall
@requirement("jupyter:lost")
@pytest.mark.parametrize(
    "code, why",
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.kill(os.getppid(), 9)", "it is gone"),
        ("b = []\nwhile True: b.append(bytearray(10_000_000))", "out of memory"),
        ("import os\nwhile os.fork(): pass\nb = bytearray(90_000_000)\nwhile 1: pass", "limit"),
        ("import os\nwhile True: os.fork()", "too many processes (limit 64)"),
    ],
    ids=["exit", "kill", "bridge", "memory", "processes", "fork bomb"],
)
def test_kernel_that_dies_is_told_and_replaced(kernel, run, code, why):
    box = kernel(memory_mb=512, processes=64)
    run(box, "x = 5")
    result = run(box, code)
    assert result.exit_code == 1
    assert result.output.startswith("ERROR: ")
    assert why in result.output
    assert result.output.endswith("What earlier blocks defined is lost.")
    assert run(box, "'x' in globals()").output == f"{STATE_LOST}\nFalse"


@pytest.mark.wall
def test_kernel_that_left_between_cells_is_replaced(kernel, run, eventually):
    box = kernel()
    run(box, "import os, threading; threading.Timer(0.05, lambda: os._exit(0)).start()")
    eventually(lambda: not box._kernel._kernel.life.alive)
    assert run(box, "1").output == f"{STATE_LOST}\n1"


@pytest.mark.wall
def test_threads_and_daemons_die_with_the_kernel(kernel, run, eventually):
    before = running_below()
    box = kernel()
    run(
        box,
        """
import subprocess, threading, time
subprocess.Popen(["setsid", "sleep", "1000"])
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
""",
    )
    assert running_below() > before
    box.stop()
    eventually(lambda: running_below() <= before)


@pytest.mark.wall
def test_cancelling_ends_the_kernel_and_all_it_started(kernel, run, wait_s):
    others = running_below()
    box = kernel()
    run(box, "x = 1")
    before = running_below() - others
    for code in ("time.sleep(60)", "signal.signal(2, signal.SIG_IGN)\ntime.sleep(60)"):
        token = CancelToken()
        timer = threading.Timer(0.3, token.cancel)
        timer.start()
        started_s = time.monotonic()
        start = "import signal, subprocess, time\nsubprocess.Popen(['setsid', 'sleep', '1000'])\n"
        with entered(Run(id="r", cancel=token)), pytest.raises(RunCancelled):
            run(box, start + code)
        assert time.monotonic() - started_s < wait_s
        timer.join()
        assert not running_below() & before
        assert run(box, "1").output == f"{STATE_LOST}\n1"
        before = running_below() - others


@pytest.mark.wall
def test_nothing_is_left_running_or_lying_about(kernel, run, eventually, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    processes, threads = running_below(), threading.active_count()
    open_files = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with kernel() as box:
            run(box, "1")
            assert running_below() > processes
    assert list(folder.iterdir()) == []
    eventually(lambda: running_below() <= processes)
    eventually(lambda: threading.active_count() <= threads + 1)
    # The thread that starts programs, and its queue, stay.
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= open_files + 2)


@pytest.mark.wall
def test_forgotten_executor_takes_its_kernel_along(kernel, tmp_path, run, eventually):
    before = running_below()
    folder = tmp_path / "own"
    folder.mkdir()
    box = EmbeddedIPythonCodeExecutor(output_dir=folder)
    run(box, "1")
    assert running_below() > before
    del box
    gc.collect()
    eventually(lambda: running_below() <= before)


@pytest.mark.wall
@pytest.mark.parametrize("way", ["ends", "is killed"])
def test_program_that_ends_takes_its_kernel_along(kernel, tmp_path, eventually, way):
    program = f"""
from autogen.coding import CodeBlock
from autogen.coding.jupyter import EmbeddedIPythonCodeExecutor
box = EmbeddedIPythonCodeExecutor(output_dir={str(tmp_path)!r})
box.execute_code_blocks([CodeBlock(code="1", language="python")])
print("ready", flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        assert kernels_in(tmp_path)
        if way == "is killed":
            process.kill()
        else:
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.wait(20)
    eventually(lambda: kernels_in(tmp_path) == [])


def kernels_in(folder):
    """Processes that work in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "cwd") == str(folder.resolve()):
                found.append(path)
        except OSError:
            continue
    return found


@pytest.mark.wall
def test_two_threads_take_turns(shared):
    results = []

    def work(number):
        codes = [f"turn = {number}", "import time; time.sleep(0.1)", "turn"]
        blocks = [CodeBlock(code=code, language="python") for code in codes]
        results.append((number, shared.execute_code_blocks(blocks).output))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == [(number, str(number)) for number in range(3)]


@pytest.mark.wall
@requirement("jupyter:config")
@pytest.mark.parametrize("face", FACES, ids=str)
def test_agents_talk_through_a_kernel(face, shared, tmp_path):
    replies = ["```python\nn = 41\nprint('set')\n```", "```python\nn + 1\n```", "TERMINATE"]
    coder = AssistantAgent("coder", llm_config=ScriptedModel(replies).config())
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config={"executor": shared}
    )
    user._is_termination_msg = lambda message: message["content"] == "TERMINATE"
    result = face.initiate_chat(user, coder, message="go")
    outputs = [m["content"] for m in result.chat_history if "exitcode" in m["content"]]
    assert outputs == [
        "exitcode: 0 (execution succeeded)\nCode output: set",
        "exitcode: 0 (execution succeeded)\nCode output: 42",
    ]


# -- what a hostile kernel may send ----------------------------------------------------------------


def test_forged_messages_do_no_harm(tmp_path):
    cell = Cell(Files(tmp_path))
    for kind, content in (
        ("stream", None),
        ("stream", {"text": ["no", "text"]}),
        ("execute_result", {"data": "no dict"}),
        ("display_data", {"data": {"image/png": {"a": 1}, "text/html": 5}}),
        ("display_data", {"data": {"../../etc/passwd": "x", "image/../../x": PNG}}),
        ("nonsense", {"a": 1}),
        (None, []),
    ):
        cell.take(kind, content)
    assert cell.error is None
    assert list(tmp_path.iterdir()) == []
    cell.take("error", {"ename": 5, "evalue": ["x"], "traceback": "no list"})
    assert cell.error == "5: ['x']"
    cell.take("error", {"ename": "E", "evalue": "v" * 10**6, "traceback": ["t" * 10**6]})
    assert len(cell.error) < 100_000


def test_picture_never_goes_through_a_link(tmp_path, monkeypatch):
    target = tmp_path / "target"
    target.write_text("mine")
    monkeypatch.setattr("uuid.uuid4", lambda: type("U", (), {"hex": "fixed"}))
    (tmp_path / "fixed.png").symlink_to(target)
    cell = Cell(Files(tmp_path))
    cell.take("display_data", {"data": {"image/png": PNG}})
    assert cell.text == "Image data was not saved: File exists.\n"
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    "data, why",
    [
        (struct.pack(">I", 1 << 31), "too long"),
        (struct.pack(">I", 4) + b"{{{{", "malformed"),
        (struct.pack(">I", 2) + b"[]", "malformed"),
        (struct.pack(">I", 60000) + b"[" * 60000, "malformed"),
        (b"", "gone"),
    ],
)
def test_broken_frames_end_the_channel(data, why):
    ours, theirs = socket.socketpair()
    waker = Waker()
    channel = Channel(ours)
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    try:
        with pytest.raises(ChannelLost, match=why):
            channel.receive(time.monotonic() + 5, waker)
    finally:
        theirs.close()
        channel.close()
        waker.close()
