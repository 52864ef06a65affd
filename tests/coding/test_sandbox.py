"""Blocks in the sandbox: what they see, what comes back."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from autogen.coding import CodeBlock, CodeExecutor, SandboxCommandLineCodeExecutor
from autogen.errors import NoWallError

pytestmark = pytest.mark.wall


@pytest.fixture
def box(sandbox):
    return sandbox()


def test_it_is_an_executor(box):
    assert isinstance(box, CodeExecutor)


def test_block_runs_and_its_output_comes_back(box, run, tmp_path):
    result = run(box, "print('hello')")
    assert (result.exit_code, result.output) == (0, "hello\n")
    assert result.code_file.startswith(str(tmp_path / "work" / "tmp_code_"))


@pytest.mark.parametrize("language", ["bash", "sh", "shell", "SH"])
def test_shell_blocks_run(box, run, language):
    result = run(box, "echo $((1+1)); exit 3", language)
    assert (result.exit_code, result.output) == (3, "2\n")


def test_error_shows_a_traceback_of_the_block_alone(box, run):
    result = run(box, "# filename: sums.py\ndef f():\n    return 1 / 0\n\nf()")
    assert result.exit_code == 1
    assert result.output.startswith(
        'Traceback (most recent call last):\n  File "sums.py", line 5, in <module>\n    f()\n'
    )
    assert result.output.endswith("ZeroDivisionError: division by zero\n")
    assert "runner" not in result.output


def test_syntax_error_is_told(box, run):
    result = run(box, "# filename: bad.py\nx = = 1")
    assert result.exit_code == 1
    assert 'File "bad.py", line 2' in result.output
    assert "SyntaxError" in result.output


def test_block_is_a_main_program(box, run, tmp_path):
    code = """# filename: main.py
import os, sys
here = sys.path[0] == os.getcwd() == os.path.dirname(__file__)
print(__name__, sys.argv, os.path.basename(__file__), here)
import __main__
print(__main__.__dict__ is globals(), __builtins__.__name__)
"""
    result = run(box, code)
    assert result.output == "__main__ ['main.py'] main.py True\nTrue builtins\n"


def test_blocks_import_each_other_as_files(box, run):
    run(box, "# filename: helper.py\nvalue = 42")
    assert run(box, "import helper; print(helper.value)").output == "42\n"


def test_blocks_share_files_but_no_memory(box, run):
    run(box, "x = 1\nopen('note.txt', 'w').write('kept')")
    assert run(box, "print(open('note.txt').read())").output == "kept\n"
    assert "NameError" in run(box, "print(x)").output


def test_first_failure_stops_the_rest(box):
    blocks = [
        CodeBlock(code="print(1)", language="python"),
        CodeBlock(code="echo 2; exit 7", language="sh"),
        CodeBlock(code="print(3)", language="python"),
    ]
    result = box.execute_code_blocks(blocks)
    assert (result.exit_code, result.output) == (7, "1\n2\n")


def test_streams_are_interleaved_in_time(box, run):
    code = (
        "import sys\nfor i in range(3):\n    print('out', i)\n    print('err', i, file=sys.stderr)"
    )
    expected = "".join(f"out {i}\nerr {i}\n" for i in range(3))
    assert run(box, code).output == expected
    assert run(box, f"python3 - <<'X'\n{code}\nX", "sh").output == expected


def test_file_that_was_not_closed_is_written(box, run, tmp_path):
    run(box, "# filename: held.py\nfile = open('b.txt', 'w'); file.write('b')")
    run(box, "f = open('a.txt', 'w'); f.write('a')\nimport held")
    assert (tmp_path / "work" / "a.txt").read_text() == "a"
    assert (tmp_path / "work" / "b.txt").read_text() == "b"


def test_threads_are_waited_for_and_exit_handlers_run(box, run):
    code = """
import atexit, threading, time
atexit.register(print, "handler")
class Loud:
    def __del__(self): print("gone")
loud = Loud()
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
print("main")
"""
    assert run(box, code).output == "main\nthread\nhandler\ngone\n"


def test_multiprocessing_works(box, run):
    code = """
import multiprocessing
def square(x): return x * x
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(pool.map(square, [1, 2, 3]))
"""
    result = run(box, code)
    assert (result.exit_code, result.output) == (0, "[1, 4, 9]\n[1, 4, 9]\n")


@pytest.mark.parametrize(
    "code, exit_code, output",
    [
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(5)", 5, ""),
        ("import sys; sys.exit('sorry')", 1, "sorry\n"),
        ("raise KeyboardInterrupt", 130, None),
        ("import os; os._exit(9)", 9, ""),
        ("import os; os.abort()", 134, "Killed by signal 6 (SIGABRT)."),
        ("import os, signal; os.kill(os.getpid(), 9)", 137, "Killed by signal 9 (SIGKILL)."),
    ],
)
def test_every_end_has_its_exit_code(box, run, code, exit_code, output):
    result = run(box, code)
    assert result.exit_code == exit_code
    assert output is None or result.output == output


def test_nobody_answers_input(box, run):
    assert "EOFError" in run(box, "input('name? ')").output


def test_block_that_takes_too_long_ends_with_timeout(sandbox, run):
    box = sandbox(timeout=1)
    result = run(box, "import time\nprint('begun')\ntime.sleep(60)")
    assert (result.exit_code, result.output) == (124, "begun\n\nTimeout")
    assert run(box, "print('still here')").output == "still here\n"


def test_timeout_cannot_be_ignored(sandbox, run):
    box = sandbox(timeout=1)
    code = """
import os, signal, time
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
os.setsid() if os.fork() == 0 else None
while True: pass
"""
    assert run(box, code).exit_code == 124


@pytest.mark.parametrize("timeout", [0, -1])
def test_timeout_below_a_second_is_refused(tmp_path, timeout):
    with pytest.raises(ValueError, match="timeout"):
        SandboxCommandLineCodeExecutor(work_dir=tmp_path, timeout=timeout)


def test_no_blocks_are_refused(box):
    with pytest.raises(ValueError, match="no code blocks"):
        box.execute_code_blocks([])


def test_unknown_language_is_told(box, run):
    result = run(box, "MOVE 1 TO X", "cobol")
    assert (result.exit_code, result.output) == (1, "unknown language cobol")
    assert result.code_file is None


def test_language_that_is_not_executed_is_saved(box, run, tmp_path):
    result = run(box, "<!-- filename: page.html -->\n<p>", "html")
    path = tmp_path / "work" / "page.html"
    assert (result.exit_code, result.output) == (0, f"Code saved to {path}\n")
    assert result.code_file == str(path)


def test_policies_decide_what_is_executed(sandbox, run):
    box = sandbox(execution_policies={"python": False})
    assert run(box, "print(1)").output.startswith("Code saved to ")


def test_program_that_is_missing_is_named(sandbox, run):
    box = sandbox(execution_policies={"javascript": True}, env={"PATH": "/nowhere"})
    result = run(box, "console.log(1)", "js")
    assert (result.exit_code, result.output) == (
        127,
        "node is not installed where the code runs.\n",
    )


def test_file_name_outside_is_refused(box, run):
    result = run(box, "# filename: ../../evil.py\nprint(1)")
    assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")


def test_windows_line_ends_do_not_reach_the_shell(box, run):
    result = run(box, "echo a\r\necho b", "sh")
    assert (result.exit_code, result.output) == (0, "a\nb\n")


def test_notebook_lines_run_in_the_shell(box, run):
    result = run(
        box, "x = 1\n!echo from the shell\nif x:\n    !echo inside\n%matplotlib inline\nprint(x)"
    )
    assert (result.exit_code, result.output) == (0, "from the shell\ninside\n1\n")


def test_code_with_odd_characters_is_an_answer_not_a_crash(box, run):
    assert run(box, "print('a\0b')").exit_code == 1
    assert run(box, "print('\ud800')").exit_code in (0, 1)
    assert run(box, "print(chr(0xD800))").output == "\\ud800\n"
    assert run(box, "print('ünï 🎉')").output == "ünï 🎉\n"


def test_binary_output_is_text(box, run):
    result = run(box, "import os; os.write(1, bytes(range(256)))")
    assert result.exit_code == 0
    result.output.encode()
    assert "\\x00\\x01" in result.output
    assert "\\xff" in result.output


def test_a_gigabyte_of_output_keeps_head_and_tail(box, run):
    code = """
import os
os.write(1, b"first\\n")
data = b"x" * (1 << 20)
for _ in range(1024):
    rest = memoryview(data)
    while rest: rest = rest[os.write(1, rest):]
os.write(1, b"\\nlast")
"""
    result = run(box, code)
    assert result.exit_code == 0
    assert result.output.startswith("first\nxxx")
    assert result.output.endswith("xxx\nlast")
    assert "[... 1,073,479,691 bytes of output left out ...]" in result.output
    assert len(result.output) < 300_000


def test_files_come_back_as_artifacts_owned_by_the_owner_of_the_folder(box, run, tmp_path):
    result = run(box, "open('chart.png', 'wb').write(b'png')")
    assert [(a.name, a.mime, a.size_bytes) for a in result.artifacts] == [
        ("chart.png", "image/png", 3)
    ]
    assert (tmp_path / "work" / "chart.png").stat().st_uid == os.getuid()
    assert run(box, "pass").artifacts == ()


def test_environment_holds_nothing_of_the_caller(sandbox, run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    box = sandbox(env={"GIVEN": "yes"})
    result = run(box, "import os; print(os.environ.get('OPENAI_API_KEY'), os.environ['GIVEN'])")
    assert result.output == "None yes\n"
    assert "sk-secret" not in run(box, "env; cat /proc/*/environ", "sh").output


def test_environment_is_not_on_the_command_line(sandbox, run):
    box = sandbox(env={"TOKEN": "not-for-ps"})
    run(box, "pass")
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    assert b"not-for-ps" not in file.read()
            except OSError:
                continue


def test_running_interpreter_and_its_packages_are_there(box, run):
    result = run(box, "import sys, pydantic; print(sys.version_info[:3], sys.executable)")
    assert (
        result.output == f"{sys.version_info[:3]} {sys.executable}\n"
        or os.path.realpath(sys.executable) in result.output
    )
    inner = run(box, "python -c 'import pydantic, sys; print(sys.prefix)'", "sh")
    assert inner.output == f"{sys.prefix}\n"


def test_home_and_temporary_folder_can_be_written(box, run):
    code = (
        "import pathlib, tempfile\n(pathlib.Path.home() / 'x').write_text('x')\ntempfile.mkstemp()"
    )
    assert run(box, code).exit_code == 0


def test_mounts_hand_files_in(sandbox, run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.txt").write_text("in")
    (tmp_path / "out").mkdir()
    box = sandbox(
        mounts={
            str(tmp_path / "data"): "/data",
            str(tmp_path / "out"): {"bind": "/out", "mode": "rw"},
        }
    )
    assert run(box, "print(open('/data/in.txt').read())").output == "in\n"
    assert run(box, "open('/data/x', 'w')").exit_code == 1
    assert run(box, "open('/out/x', 'w').write('x')").exit_code == 0
    assert (tmp_path / "out" / "x").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    "options",
    [
        {"mounts": {"/nowhere/at/all": "/x"}},
        {"mounts": {"/usr": "relative"}},
        {"mounts": {"/usr": {"bind": "/x", "mode": "wr"}}},
        {"network": "some"},
        {"wall": "firewall"},
        {"memory_mb": 1},
        {"processes": 0},
        {"disk_mb": -1},
        {"work_dir": "/"},
        {"work_dir": "~"},
    ],
)
def test_wrong_arguments_are_refused_at_once(tmp_path, options):
    options = {"work_dir": tmp_path, **options}
    options["work_dir"] = os.path.expanduser(options["work_dir"])
    with pytest.raises(ValueError, match=r".+"):
        SandboxCommandLineCodeExecutor(**options)


def test_construction_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("autogen.coding.spawn.spawn", None)
    monkeypatch.setenv("PATH", "/nowhere")
    SandboxCommandLineCodeExecutor(work_dir=tmp_path)


def test_missing_bubblewrap_is_named_with_the_way_out(tmp_path, monkeypatch, run):
    monkeypatch.setattr("autogen.coding.bubblewrap.shutil.which", lambda *a, **k: None)
    box = SandboxCommandLineCodeExecutor(work_dir=tmp_path)
    with pytest.raises(NoWallError, match="install bubblewrap"):
        run(box, "print(1)")


def test_work_dir_may_be_reached_through_a_link(sandbox, run, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert run(sandbox(work_dir=tmp_path / "link"), "open('x', 'w')").exit_code == 0
    assert (tmp_path / "real" / "x").exists()


def test_work_dir_made_anew_gets_a_new_wall(box, run, tmp_path):
    run(box, "open('x', 'w')")
    for path in (tmp_path / "work").iterdir():
        path.unlink()
    (tmp_path / "work").rmdir()
    assert run(box, "import os; print(sorted(os.listdir()))").output.startswith("['tmp_code_")


def test_network_of_the_host_is_shared_only_when_asked_for(sandbox, run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)"
        assert run(sandbox(network="host"), code).exit_code == 0
        assert run(sandbox(network=["example.org"]), code).exit_code == 1


def test_ten_thousand_files_are_no_trouble(box, run, tmp_path):
    code = "for i in range(10_000): open(f'{i}.txt', 'w').close()"
    result = run(box, code)
    assert result.exit_code == 0
    assert len(result.artifacts) == 200
