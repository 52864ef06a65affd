"""Code in messages, and running a piece of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest
from tests.compat.requirements import requirement

from autogen import code_utils
from autogen.code_utils import (
    CODE_BLOCK_PATTERN,
    DEFAULT_TIMEOUT,
    PYTHON_VARIANTS,
    TIMEOUT_MSG,
    UNKNOWN,
    check_can_use_docker_or_throw,
    content_str,
    create_virtual_env,
    decide_use_docker,
    execute_code,
    extract_code,
    infer_lang,
    is_docker_running,
)
from autogen.errors import NoWallError


@requirement("codeutils:names")
def test_names_are_those_of_the_rooms_below():
    assert (UNKNOWN, TIMEOUT_MSG, DEFAULT_TIMEOUT) == ("unknown", "Timeout", 600)
    assert PYTHON_VARIANTS == ["python", "Python", "py"]
    assert extract_code("```py\nx\n```", CODE_BLOCK_PATTERN) == [("py", "x")]
    assert infer_lang("pip install x") == "sh"
    assert content_str([{"type": "text", "text": "hi"}]) == "hi"
    assert code_utils.DEFAULT_MODEL == "gpt-4"


@requirement("codeutils:names")
def test_names_of_the_system():
    assert code_utils.WIN32 is (sys.platform == "win32")
    assert os.sep == code_utils.PATH_SEPARATOR
    assert code_utils.WORKING_DIR == "coding"
    assert [name for name in code_utils.__all__ if not hasattr(code_utils, name)] == []


@requirement("codeutils:programs")
@pytest.mark.parametrize(
    "lang, program",
    [
        ("python", "python"),
        ("py", "python"),
        ("python3.12", "python3.12"),
        ("bash", "bash"),
        ("sh", "sh"),
        ("shell", "sh"),
        ("javascript", "node"),
    ],
)
def test_program_of_a_language(lang, program):
    assert code_utils._cmd(lang) == program


@requirement("codeutils:programs")
def test_powershell_is_found_or_missed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="install PowerShell"):
        code_utils._cmd("ps1")
    (tmp_path / "pwsh").write_text("#!/bin/sh\n")
    (tmp_path / "pwsh").chmod(0o755)
    assert code_utils._cmd("powershell") == code_utils.get_powershell_command() == "pwsh"
    with pytest.raises(NotImplementedError, match="cobol"):
        code_utils._cmd("cobol")


# ---------------------------------------------------------------------------------------- running


@pytest.fixture
def run(tmp_path, require_part):
    """`execute_code` in a folder of the test, behind whatever wall stands here."""

    def run(*args, **options):
        try:
            return execute_code(*args, work_dir=tmp_path / "work", **options)
        except NoWallError as error:
            require_part("a wall", because=str(error), do="apt-get install bubblewrap")

    return run


@requirement("codeutils:execute")
@pytest.mark.wall
def test_code_is_run_and_leaves_no_file(run, tmp_path):
    assert run("print('hello')") == (0, "hello\n", None)
    assert [path.name for path in (tmp_path / "work").iterdir()] == []


@requirement("codeutils:failure")
@pytest.mark.wall
def test_failure_tells_what_happened(run):
    exit_code, logs, image = run("print('before')\nraise ValueError('no')")
    assert exit_code != 0
    assert "before" in logs
    assert "ValueError: no" in logs
    assert image is None


@requirement("codeutils:execute")
@pytest.mark.wall
def test_named_code_is_saved_and_run_with_its_own_line_numbers(run, tmp_path):
    exit_code, logs, _ = run("x = 1\nprint(__name__, 1 / 0)\n", filename="task.py")
    assert exit_code != 0
    assert 'task.py", line 2' in logs
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["task.py"]


@requirement("codeutils:execute")
@pytest.mark.wall
def test_file_that_is_there_is_run_as_it_is(run, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "task.py").write_text("print(__name__)\n")
    (tmp_path / "work" / "it's.sh").write_text("echo shell\n")
    assert run(filename="task.py") == (0, "__main__\n", None)
    assert run(filename="it's.sh", lang="sh") == (0, "shell\n", None)
    assert (tmp_path / "work" / "task.py").read_text() == "print(__name__)\n"


@requirement("codeutils:timeout")
@pytest.mark.wall
def test_code_that_takes_too_long_is_a_timeout(run):
    assert run("import time; time.sleep(30)", timeout=1) == (1, TIMEOUT_MSG, None)


@requirement("codeutils:language")
@pytest.mark.wall
def test_unknown_language_is_told(run):
    assert run("x", lang="cobol") == (1, "unknown language cobol", None)


@requirement("codeutils:outside")
def test_name_outside_the_folder_is_refused(tmp_path):
    answer = execute_code("x", filename="../x.py", work_dir=tmp_path / "work")
    assert answer == (1, "Filename is not in the workspace", None)
    assert not (tmp_path / "x.py").exists()


@requirement("codeutils:nothing")
def test_neither_code_nor_file_is_an_assertion_error():
    with pytest.raises(AssertionError):
        execute_code()


@requirement("codeutils:arguments")
@pytest.mark.parametrize(
    "options, problem",
    [
        ({"code": 5}, "code is 5; execute_code takes text"),
        ({"code": b"x"}, "code is b'x'"),
        ({"filename": 5}, "filename is 5"),
        ({"code": "x", "lang": 5}, "lang is 5"),
        ({"code": "x", "timeout": "5"}, "timeout is '5'"),
        ({"code": "x", "timeout": True}, "timeout is True"),
        ({"code": "x", "work_dir": 5}, "work_dir is 5"),
        ({"code": "x", "use_docker": 5}, "use_docker is 5"),
    ],
)
def test_argument_of_another_type_is_a_type_error(options, problem):
    with pytest.raises(TypeError, match=problem):
        execute_code(**options)


@requirement("codeutils:arguments")
def test_no_time_and_no_folder_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match="timeout is 0"):
        execute_code("x", timeout=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is no folder"):
        execute_code("x", work_dir=tmp_path / "file", filename="a.py")


@requirement("codeutils:execute")
@pytest.mark.wall
def test_code_that_removes_its_file_is_no_trouble(run):
    assert run("import os; os.remove(__file__); print('gone')") == (0, "gone\n", None)


# ----------------------------------------------------------------------------------------- docker


def daemon(path: str, answer: bytes) -> threading.Thread:
    """A socket that answers one request."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def serve() -> None:
        with server, server.accept()[0] as client:
            client.recv(1000)
            client.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


@requirement("codeutils:docker")
@pytest.mark.parametrize(
    "answer, is_running",
    [(b"HTTP/1.0 200 OK\r\n\r\nOK", True), (b"HTTP/1.0 500 No\r\n\r\n", False), (b"", False)],
)
def test_docker_runs_if_its_socket_answers(tmp_path, monkeypatch, wait_s, answer, is_running):
    path = str(tmp_path / "docker.sock")
    thread = daemon(path, answer)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert is_docker_running() is is_running
    thread.join(wait_s)


@requirement("codeutils:docker")
def test_no_socket_is_no_docker(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    assert not is_docker_running()
    check_can_use_docker_or_throw(None)
    check_can_use_docker_or_throw(False)
    with pytest.raises(RuntimeError, match="no Docker answers here"):
        check_can_use_docker_or_throw(True)


def test_docker_elsewhere_without_its_program_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not is_docker_running()


@requirement("codeutils:use-docker")
@pytest.mark.parametrize(
    "said, meant", [(None, None), ("none", None), ("1", True), ("True", True), ("no", False)]
)
def test_variable_decides_where_nobody_else_does(monkeypatch, said, meant):
    if said is not None:
        monkeypatch.setenv("AUTOGEN_USE_DOCKER", said)
    assert decide_use_docker(None) is meant
    assert decide_use_docker(False) is False


def test_variable_that_is_no_truth_value_is_refused(monkeypatch):
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", "perhaps")
    with pytest.raises(ValueError, match="AUTOGEN_USE_DOCKER"):
        decide_use_docker(None)


@requirement("codeutils:venv")
@pytest.mark.parametrize("is_absolute", [True, False])
def test_virtual_environment_has_a_python(tmp_path, monkeypatch, is_absolute):
    monkeypatch.chdir(tmp_path)
    context = create_virtual_env(
        tmp_path / "env" if is_absolute else "env", with_pip=False, symlinks=os.name != "nt"
    )
    prefix = subprocess.run(
        [context.env_exe, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True
    )
    assert prefix.stdout.strip() == str(tmp_path / "env")
    assert context.bin_path.startswith(str(tmp_path / "env"))
