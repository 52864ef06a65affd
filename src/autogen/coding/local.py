"""`LocalCommandLineCodeExecutor`: code on this machine with no wall, by explicit choice only."""

from __future__ import annotations

import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NamedTuple

from .._kernel.cancel import CancelToken
from .._kernel.run import transient
from ..errors import UsageTypeError
from . import languages
from .base import TIMEOUT_EXIT_CODE, TIMEOUT_MSG, CodeBlock, CommandLineCodeResult
from .commandline import CommandLineExecutor, Ran
from .environment import without_secrets
from .func_with_reqs import AnyFunction
from .output import BoundedOutput, Decoder, clean_text, exit_status
from .packages import Layer, Layers, install_into
from .policy import check_wall

__all__ = ["LocalCommandLineCodeExecutor"]

#: Handed to every process of a block, to find those that left its process group.
MARK = "AUTOGEN_BLOCK"


class LocalCommandLineCodeExecutor(CommandLineExecutor):
    """Runs code blocks as ordinary processes of this machine, as the user that runs this program.

    The code can read and change whatever that user can. Prefer `SandboxCommandLineCodeExecutor`;
    use this for code you would run yourself. Python is the interpreter that runs this program, or
    that of `virtual_env_context`.

    Args:
        timeout: Seconds that one block may take.
        virtual_env_context: What `create_virtual_env` returned: has `env_exe` and `bin_path`.
        work_dir: Folder for code and results.
        functions: What blocks may import: functions, those made by `with_requirements`, or their
            source. They are put into the work_dir before the first block, and what they need is
            installed: into the `virtual_env_context`, else into a folder of its own beside this
            program's packages.
        functions_module: Name of the module that blocks import them from.
        execution_policies: Language to whether its blocks are run or only saved.
        env: Variables added to what the code sees.
        inherit_env: Hand in this program's whole environment. Otherwise variables that look like
            keys, tokens or passwords are left out.

    Raises:
        UsageError: A value cannot be worked with.
    """

    def __init__(
        self,
        timeout: int = 60,
        virtual_env_context: SimpleNamespace | None = None,
        work_dir: str | os.PathLike[str] = ".",
        functions: Sequence[AnyFunction] = (),
        functions_module: str = "functions",
        execution_policies: dict[str, bool] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        inherit_env: bool = False,
    ):
        super().__init__(
            timeout=timeout,
            work_dir=work_dir,
            execution_policies=execution_policies,
            functions=functions,
            functions_module=functions_module,
        )
        self._venv = _venv_of(virtual_env_context)
        self._env = dict(env or {})
        self._inherit_env = inherit_env
        self._layer: Layer | None = None

    sanitize_command = staticmethod(languages.sanitize_command)

    def restart(self) -> None:
        """Nothing to begin anew: every block is a process of its own."""
        warnings.warn(
            "LocalCommandLineCodeExecutor keeps no state between blocks. No action is taken.",
            stacklevel=2,
        )

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """Run the blocks in order, stopping at the first that fails."""
        return self._execute_code_dont_check_setup(code_blocks)

    def _execute_code_dont_check_setup(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        # The step that subclasses of AutoGen 0.2 override to look at code and results.
        return super().execute_code_blocks(code_blocks)

    # -- one block ---------------------------------------------------------------------------------

    def _refuse(self, language: str, code: str) -> str | None:
        try:
            self.sanitize_command(language, code)
        except ValueError as error:
            return str(error)
        return None

    def _run_file(self, path: Path, language: str, token: CancelToken) -> Ran:
        check_wall("LocalCommandLineCodeExecutor")
        command = [self._python()] if language == "python" else languages.command_for(language)
        if command is None:
            return Ran(1, f"There is no program that runs {language}.")
        mark = secrets.token_hex(16)
        try:
            process = subprocess.Popen(
                [*command, str(path)],
                cwd=self._work_dir,
                env={**self._environment(), MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Ran(127, f"{command[0]} could not be started: {error.strerror}")
        arrivals: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        assert process.stdout is not None
        pump = threading.Thread(
            target=_pump, args=(process.stdout, arrivals), name="autogen-output", daemon=True
        )
        output, decoder = BoundedOutput(), Decoder()

        def take(data: bytes) -> None:
            if shown := output.add(data):
                transient("code.output", {"text": clean_text(decoder(shown))})

        timed_out = False
        try:
            pump.start()
            with token.listen(lambda: arrivals.put(None)):
                timed_out = not self._wait(process, arrivals, take, token)
        finally:
            _kill_all(process, mark)
            # A process that got away may hold the pipe open: the reader is not waited for long.
            pump.join(timeout=0.5)
        while not arrivals.empty():
            if data := arrivals.get():
                take(data)
        text = clean_text(output.value().decode("utf-8", "backslashreplace"))
        if timed_out:
            return Ran(TIMEOUT_EXIT_CODE, f"{text}\n{TIMEOUT_MSG}")
        code, line = exit_status(process.returncode)
        return Ran(code, text + (f"\n{line}\n" if line else ""))

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        arrivals: queue.SimpleQueue[bytes | None],
        take: Callable[[bytes], None],
        token: CancelToken,
    ) -> bool:
        """Take output until the block itself has ended; False if its time ran out."""
        deadline_s = time.monotonic() + self._timeout
        while process.poll() is None and not token.cancelled:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            try:
                data = arrivals.get(timeout=min(left_s, 0.02))
            except queue.Empty:
                continue
            if data:
                take(data)
        return True

    def _python(self) -> str:
        if self._venv is not None:
            return self._venv.python
        return sys.executable or "python3"

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ) if self._inherit_env else without_secrets()
        # Order between stdout and stderr is kept only if nothing waits in a buffer.
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
        first = os.path.dirname(self._python())
        if self._venv is not None:
            first = self._venv.programs
            environment["VIRTUAL_ENV"] = os.path.dirname(first)
        environment["PATH"] = _joined(first, environment.get("PATH"))
        environment |= self._env
        if self._layer is not None:
            path = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = _joined(self._layer.folder, path)
        return environment

    def _install(self, packages: Sequence[str], token: CancelToken) -> None:
        transient("progress", {"text": f"installing {', '.join(packages)} ..."})
        # Layers are for systems that have walls; elsewhere packages go where 0.2 put them.
        if self._venv is not None or os.name == "nt":
            install_into(self._python(), packages, stop=lambda: token.cancelled)
        else:
            self._layer, _ = Layers().install(packages, stop=lambda: token.cancelled)


class _Venv(NamedTuple):
    python: str
    programs: str


def _venv_of(context: Any) -> _Venv | None:
    """The paths of a virtual environment, absolute because blocks run in another folder."""
    if context is None:
        return None
    try:
        return _Venv(os.path.abspath(context.env_exe), os.path.abspath(context.bin_path))
    except (AttributeError, TypeError) as error:
        raise UsageTypeError(
            f"virtual_env_context is {context!r}, which has no paths env_exe and bin_path; "
            "give what autogen.code_utils.create_virtual_env returned."
        ) from error


def _joined(*folders: str | None) -> str:
    return os.pathsep.join(filter(None, folders))


def _pump(stream: IO[bytes], arrivals: queue.SimpleQueue[bytes | None]) -> None:
    """Move output from the pipe to the queue; slows the writer down when nobody takes it."""
    with stream:
        while data := os.read(stream.fileno(), 65536):
            while arrivals.qsize() > 64:
                time.sleep(0.001)
            arrivals.put(data)


def _kill_all(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill the process group of a block, and what left the group but still carries its mark."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    elif process.poll() is None:
        process.kill()
    process.wait()
    for _ in range(3):
        marked = _marked(mark)
        if not marked:
            return
        for pid in marked:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _marked(mark: str) -> list[int]:
    """Processes whose environment carries `mark`, where the system can tell."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for name in names:
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if wanted in file.read():
                    found.append(int(name))
        except OSError:
            continue
    return found
