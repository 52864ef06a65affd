"""Code in messages, and running a piece of it: the 0.2 names.

`execute_code` runs behind the same walls as the code of agents; what decides is `coding.legacy`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ._retired import retired
from .coding import workspace
from .coding.base import TIMEOUT_EXIT_CODE, TIMEOUT_MSG, CodeBlock
from .coding.config import DEFAULT_TIMEOUT_S, DEFAULT_WORK_DIR, docker_wish
from .coding.extract import CODE_BLOCK_PATTERN, UNKNOWN, extract_code, infer_lang
from .coding.factory import legacy_executor
from .coding.languages import POWERSHELLS, command_for
from .config.llm import DEFAULT_MODEL, FAST_MODEL
from .errors import NoWallError, UsageTypeError
from .messages import content_str

__all__ = [
    "CODE_BLOCK_PATTERN",
    "DEFAULT_MODEL",
    "DEFAULT_TIMEOUT",
    "FAST_MODEL",
    "PATH_SEPARATOR",
    "PYTHON_VARIANTS",
    "TIMEOUT_MSG",
    "UNKNOWN",
    "WIN32",
    "WORKING_DIR",
    "DockerNotRunning",
    "check_can_use_docker_or_throw",
    "content_str",
    "create_virtual_env",
    "decide_use_docker",
    "eval_function_completions",
    "execute_code",
    "extract_code",
    "generate_assertions",
    "generate_code",
    "get_powershell_command",
    "implement",
    "improve_code",
    "improve_function",
    "in_docker_container",
    "infer_lang",
    "is_docker_running",
]

#: Seconds that a piece of code may take where nobody says otherwise.
DEFAULT_TIMEOUT: Final = DEFAULT_TIMEOUT_S
#: Words for Python after a fence.
PYTHON_VARIANTS: Final = ["python", "Python", "py"]
#: Where code runs if nobody says otherwise: a folder in the current one.
WORKING_DIR: Final = DEFAULT_WORK_DIR
WIN32: Final = sys.platform == "win32"
PATH_SEPARATOR: Final = os.sep

eval_function_completions = retired(__name__, "eval_function_completions")
generate_assertions = retired(__name__, "generate_assertions")
generate_code = retired(__name__, "generate_code")
implement = retired(__name__, "implement")
improve_code = retired(__name__, "improve_code")
improve_function = retired(__name__, "improve_function")

_DOCKER_SOCKET = "unix:///var/run/docker.sock"
_PING_S = 3.0


class DockerNotRunning(NoWallError, RuntimeError):
    """Docker was asked for, and no Docker answers here."""


def execute_code(
    code: str | None = None,
    timeout: int | None = None,
    filename: str | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    use_docker: bool | str | Sequence[str] | None = None,
    lang: str | None = "python",
) -> tuple[int, str, str | None]:
    """Run a piece of code, or a file, behind the wall that `use_docker` allows.

    Args:
        code: The code. With `filename` it is saved there and stays; without, it leaves no file.
        timeout: Seconds it may take; `DEFAULT_TIMEOUT` by default.
        filename: The file in `work_dir` that is run.
        work_dir: The folder that the code runs in and can write to; "coding" by default.
        use_docker: As in `code_execution_config`; None lets `AUTOGEN_USE_DOCKER` decide.
        lang: "python" or a shell.

    Returns:
        Exit code, output (stdout and stderr in the order they were written), and the name of the
        Docker image, None where none was used. Code that takes too long gives exit code 1 and
        `TIMEOUT_MSG`.

    Raises:
        AssertionError: Neither `code` nor `filename` is given.
        UsageError: An argument cannot be worked with; a TypeError too where it has another type.
        NoWallError: No wall that was asked for stands here.
    """
    if code is None and filename is None:
        raise AssertionError("execute_code needs code, or the filename of code.")
    for name, value in (("code", code), ("filename", filename), ("lang", lang)):
        if value is not None and not isinstance(value, str):
            raise UsageTypeError(f"{name} is {value!r}; execute_code takes text.")
    options = {"work_dir": work_dir, "use_docker": use_docker, "timeout": timeout}
    executor: Any = legacy_executor({k: v for k, v in options.items() if v is not None})
    lang = lang or "python"
    if filename is not None:
        if code is not None:
            executor.prepare()
            try:
                workspace.write(executor.work_dir, filename, code)
            except ValueError as error:
                return 1, str(error), None
        code = _starter(filename, lang)
    assert code is not None
    try:
        result = executor.execute_code_blocks([CodeBlock(code=code, language=lang)])
    finally:
        executor.stop()
    if result.code_file is not None and not _is_named(result.code_file, filename):
        Path(result.code_file).unlink(missing_ok=True)
    if result.exit_code == TIMEOUT_EXIT_CODE and result.output.endswith(TIMEOUT_MSG):
        return 1, TIMEOUT_MSG, executor.image_used
    return result.exit_code, result.output, executor.image_used


def _starter(filename: str, lang: str) -> str:
    """Code that runs a file of the work_dir as it is, so that line numbers are the file's."""
    if lang in PYTHON_VARIANTS:
        return f"import runpy\nrunpy.run_path({filename!r}, run_name='__main__')\n"
    quoted = filename.replace("'", "'\\''")
    return f"exec {'bash' if lang == 'bash' else 'sh'} './{quoted}'\n"


def _is_named(code_file: str, filename: str | None) -> bool:
    """Whether the caller named the file that was run; a `# filename:` line names one too."""
    name = os.path.basename(code_file)
    return not name.startswith("tmp_code_") or name == filename


def create_virtual_env(dir_path: str | os.PathLike[str], **env_args: Any) -> SimpleNamespace:
    """Make a virtual environment, for `LocalCommandLineCodeExecutor(virtual_env_context=...)`.

    Args:
        dir_path: Where.
        env_args: For `venv.EnvBuilder`; by default `with_pip=True`.

    Returns:
        Has `env_exe` (its Python) and `bin_path` (the folder of its programs), among others.
    """
    builder = venv.EnvBuilder(**(env_args or {"with_pip": True}))
    # Absolute, because code runs in another folder than this program.
    folder = os.path.abspath(dir_path)
    builder.create(folder)
    context: SimpleNamespace = builder.ensure_directories(folder)
    return context


def get_powershell_command() -> str:
    """The name of the PowerShell that is installed: "powershell" or "pwsh".

    Raises:
        FileNotFoundError: There is none.
    """
    for name in ("powershell", "pwsh"):
        if shutil.which(name):
            return name
    raise FileNotFoundError(
        "Neither powershell nor pwsh is installed here, or on the PATH; install PowerShell."
    )


def _cmd(lang: str) -> str:
    """The program that runs code of this language."""
    if lang in PYTHON_VARIANTS:
        return "python"
    if lang.startswith("python"):
        return lang
    if lang in POWERSHELLS:
        return get_powershell_command()
    command = command_for(lang)
    if command is None:
        raise NotImplementedError(f"{lang} not recognized in code execution")
    return command[0]


# ----------------------------------------------------------------------------------------- docker


def is_docker_running() -> bool:
    """Whether a Docker daemon answers here (or where `DOCKER_HOST` points)."""
    host = os.environ.get("DOCKER_HOST") or _DOCKER_SOCKET
    if host.startswith("unix://") and hasattr(socket, "AF_UNIX"):
        return _is_answering(host.removeprefix("unix://"))
    program = shutil.which("docker")
    if program is None:
        return False
    try:
        done = subprocess.run([program, "version"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _is_answering(path: str) -> bool:
    """Source: `GET /_ping` of the Docker Engine API, which answers 200 OK."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
            daemon.settimeout(_PING_S)
            daemon.connect(path)
            daemon.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return daemon.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def in_docker_container() -> bool:
    """Whether this program runs inside a container of Docker or Podman."""
    return any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv"))


def decide_use_docker(use_docker: bool | None) -> Any:
    """`use_docker` as given, else what the variable `AUTOGEN_USE_DOCKER` says; None says nothing.

    Raises:
        UsageError: The variable holds something else than a truth value or `none`.
    """
    return docker_wish(use_docker)


def check_can_use_docker_or_throw(use_docker: Any) -> None:
    """Do nothing where Docker is not asked for, or answers.

    Being inside a container is no replacement: code would run in the container of this program.

    Raises:
        DockerNotRunning: (a RuntimeError) Docker is asked for and does not answer.
    """
    if use_docker and not is_docker_running():
        raise DockerNotRunning(
            f"use_docker is {use_docker!r}, and no Docker answers here. Start Docker, or leave "
            "use_docker out for the sandbox of this machine."
        )
