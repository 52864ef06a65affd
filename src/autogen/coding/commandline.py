"""What every command line executor does with blocks: name, save, run, collect files.

`CommandLineExecutor` is the flow; an adapter adds how one saved file is run, and how packages get
to it. No process is started here.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

from .._kernel import offline
from .._kernel.cancel import CancelToken
from .._kernel.run import on_cancel
from ..errors import ExecutionError, PackageError, RunCancelled, UsageError
from . import workspace
from .base import CodeBlock, CodeExtractor, CommandLineCodeResult
from .config import check_timeout, check_work_dir
from .extract import MarkdownCodeExtractor
from .func_with_reqs import MODULE_HEADER, AnyFunction, FunctionsModule
from .languages import (
    DEFAULT_EXECUTION_POLICY,
    canonical_language,
    file_name_of,
    merged_policies,
    silence_pip,
)

__all__ = ["CommandLineExecutor", "Ran"]


class Ran(NamedTuple):
    """What running one file gave."""

    exit_code: int
    output: str


class CommandLineExecutor:
    """Runs blocks as files in a work_dir, in order, one call at a time.

    Args:
        timeout: Seconds that one block may take.
        work_dir: Folder for code and results; created if missing, its parent must exist.
        execution_policies: Language to whether its blocks are run (True) or only saved (False);
            merged over `DEFAULT_EXECUTION_POLICY`.
        functions: What blocks may import; put into the work_dir before the first block.
        functions_module: Name of the module they import it from.

    Raises:
        UsageError: A value cannot be worked with.
    """

    DEFAULT_EXECUTION_POLICY: ClassVar[dict[str, bool]] = DEFAULT_EXECUTION_POLICY
    #: What `format_functions_for_prompt` says around the functions.
    FUNCTION_PROMPT_TEMPLATE: ClassVar[str] = (
        "Beside what Python brings, your code can import these functions from the module "
        "`$module_name`; a function `foo` comes by `from $module_name import foo`.\n\n$functions"
    )

    def __init__(
        self,
        *,
        timeout: int = 60,
        work_dir: str | os.PathLike[str] = ".",
        execution_policies: dict[str, bool] | None = None,
        functions: Sequence[AnyFunction] = (),
        functions_module: str = "functions",
    ):
        check_timeout(timeout)
        self._timeout = timeout
        self._functions = FunctionsModule(functions, functions_module)
        self._has_functions = False
        self._work_dir = workspace.prepare(work_dir)
        self._place = place_of(self._work_dir)
        self.execution_policies = merged_policies(execution_policies)
        self._owner_pid = os.getpid()
        self._turn = threading.Lock()

    @property
    def timeout(self) -> int:
        """Seconds that one block may take."""
        return self._timeout

    @property
    def work_dir(self) -> Path:
        """The folder that code is saved to and runs in."""
        return self._work_dir

    @property
    def code_extractor(self) -> CodeExtractor:
        """Takes fenced blocks of Markdown."""
        return MarkdownCodeExtractor()

    @property
    def functions(self) -> list[AnyFunction]:
        """What blocks may import from `functions_module`."""
        return self._functions.functions

    @property
    def functions_module(self) -> str:
        """Name of the module that blocks import `functions` from."""
        return self._functions.name

    def format_functions_for_prompt(self, prompt_template: str = FUNCTION_PROMPT_TEMPLATE) -> str:
        """What a model is told of the functions: their signatures and docstrings.

        Args:
            prompt_template: `$module_name` and `$functions` in it are replaced.
        """
        return self._functions.described(prompt_template)

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """Run the blocks in order, stopping at the first that fails.

        Returns:
            The exit code of the last block that ran, the output of all, the first file saved, and
            the files that the code left in the work_dir or that were only to be saved there.

        Raises:
            UsageError: There are no blocks; the work_dir is gone and cannot be made anew; or the
                functions do not load, or what they need cannot be installed.
            ExecutionError: The code could not be run at all.
            RunCancelled: The run was cancelled meanwhile; what ran was killed.
        """
        offline.check("code that is run outside of a step")
        if not code_blocks:
            raise UsageError("There are no code blocks to execute.")
        token = CancelToken()
        with on_cancel(token.cancel), self._one_at_a_time(token):
            self._prepare(code_blocks)
            workspace.prepare(self._work_dir)
            self._check_place()
            self._bring_functions(token)
            before = workspace.Snapshot(self._work_dir)
            # Each path, and whether it was saved to be run; a page that was only saved is a result.
            saved: dict[Path, bool] = {}
            ran = self._execute(code_blocks, saved, token)
            self._fetch(saved, token)
            # What a link leads to that was put in its place meanwhile is no result.
            if os.path.lexists(self._work_dir):
                self._folder()
            programs = frozenset(path for path, is_program in saved.items() if is_program)
            artifacts = before.artifacts(leave_out=programs)
        return CommandLineCodeResult(
            exit_code=ran.exit_code,
            output=ran.output,
            code_file=self._where(next(iter(saved))) if saved else None,
            artifacts=artifacts,
        )

    def _execute(
        self, blocks: Sequence[CodeBlock], saved: dict[Path, bool], token: CancelToken
    ) -> Ran:
        outputs: list[str] = []
        exit_code = 0
        for block in blocks:
            if token.cancelled:
                raise RunCancelled()
            exit_code, output = self._execute_block(block, saved, token)
            outputs.append(output)
            if exit_code != 0:
                break
        return Ran(exit_code, "".join(outputs))

    def _execute_block(self, block: CodeBlock, saved: dict[Path, bool], token: CancelToken) -> Ran:
        language = canonical_language(block.language)
        if language not in self.execution_policies:
            return Ran(1, self._unknown_language(language))
        # A shell takes the carriage return of a message written on Windows for part of each
        # command.
        code = block.code.replace("\r\n", "\n")
        if refusal := self._refuse(language, code):
            return Ran(1, refusal)
        name, _ = file_name_of(code, language)
        try:
            path = self._save(name, silence_pip(code, language))
        except ValueError as error:
            return Ran(1, str(error))
        except OSError as error:
            where = f"{name!r} in {str(self._work_dir)!r}"
            return Ran(1, f"The code could not be saved as {where}: {error.strerror}")
        saved[path] = self.execution_policies[language]
        if not saved[path]:
            return Ran(0, f"Code saved to {self._where(path)}\n")
        ran = self._run_file(path, language, token)
        if token.cancelled:
            raise RunCancelled()
        return ran

    def _bring_functions(self, token: CancelToken) -> None:
        """Have the functions in the work_dir, with what they need, and see that they load."""
        module = self._functions
        file_name = f"{module.name}.py"
        if not module.functions or (self._has_functions and (self._work_dir / file_name).is_file()):
            return
        text = module.text.encode("utf-8", "backslashreplace")
        there = workspace.head(self._work_dir, file_name, len(text) + 1)
        if there is not None and not there.startswith(MODULE_HEADER.encode()):
            raise UsageError(
                f"{file_name!r} in {str(self._work_dir)!r} is not replaced by the functions, since "
                "somebody else wrote it; move it away, or say functions_module='another_name'."
            )
        try:
            self._save_here(file_name, module.text)
            check = f"tmp_code_{secrets.token_hex(16)}.py"
            path = self._save_here(check, module.check)
        except OSError as error:
            raise UsageError(
                f"Functions failed to load: {file_name!r} could not be saved in "
                f"{str(self._work_dir)!r}: {error.strerror}."
            ) from error
        try:
            if module.packages:
                self._install(module.packages, token)
            ran = self._run_file(path, "python", token)
        except PackageError as error:
            if token.cancelled:
                raise RunCancelled() from None
            raise UsageError(f"Pip install failed. {error}") from error
        finally:
            path.unlink(missing_ok=True)
        if token.cancelled:
            raise RunCancelled()
        if ran.exit_code != 0:
            raise UsageError(f"Functions failed to load: {ran.output}")
        self._has_functions = True

    def check_work_dir(self) -> None:
        """Refuse a work_dir that is gone and could not be made anew, before a chat is paid for.

        Raises:
            UsageError: It is one.
        """
        check_work_dir(self._work_dir)

    def _check_place(self) -> None:
        """Refuse a work_dir that leads elsewhere than when the executor was made.

        Code that can write to the folder above, from the work_dir of another executor, could put a
        link to any folder in its place, and the next wall would show that.

        Raises:
            ExecutionError: It does.
        """
        place, before = place_of(self._work_dir), self._place
        if place.path != before.path:
            # The program went to another folder, and a relative work_dir went with it.
            self._place = place
        elif place != before:
            raise self._elsewhere(f"leads to {place.real!r} now")

    def _folder(self) -> tuple[int, int]:
        """Device and inode of the work_dir, which was seen to be where it was before.

        Raises:
            ExecutionError: It leads elsewhere, or is gone.
        """
        try:
            folder = workspace.open_root(self._work_dir, self._place.real)
        except OSError as error:
            raise self._elsewhere(f"is not that folder any more: {error.strerror}") from error
        try:
            state = os.fstat(folder)
        finally:
            os.close(folder)
        return state.st_dev, state.st_ino

    def _elsewhere(self, what: str) -> ExecutionError:
        """The error about a work_dir of which `what` is true."""
        return ExecutionError(
            f"work_dir {str(self._work_dir)!r} was {self._place.real!r} when the executor was made "
            f"and {what}. Code is not run there; if that is meant, make a new executor."
        )

    @contextmanager
    def _one_at_a_time(self, token: CancelToken) -> Iterator[None]:
        """Hold the executor; whoever waits for it can still be cancelled."""
        if self._owner_pid != os.getpid():
            # A fork: the lock's holder and what it guards belong to the parent.
            self._owner_pid, self._turn = os.getpid(), threading.Lock()
            self._after_fork()
        while not self._turn.acquire(timeout=0.05):
            if token.cancelled:
                raise RunCancelled()
        try:
            yield
        finally:
            self._turn.release()

    def stop(self) -> None:
        """End what is kept running between blocks, if anything is."""

    # -- what an adapter adds ----------------------------------------------------------------------

    def _save(self, name: str, text: str) -> Path:
        """Put a file where code runs.

        Raises:
            ValueError: The name leads out of the work_dir.
            OSError: The file cannot be written.
        """
        return self._save_here(name, text)

    def _save_here(self, name: str, text: str) -> Path:
        """Put a file into the work_dir, which is the folder that it was before."""
        return workspace.write(self._work_dir, name, text, real=self._place.real)

    def _where(self, path: Path) -> str:
        """What people are told of where a saved file is."""
        return str(path)

    def _fetch(self, saved: Iterable[Path], token: CancelToken) -> None:
        """Have in the work_dir what blocks left, where they run in another folder."""

    def _run_file(self, path: Path, language: str, token: CancelToken) -> Ran:
        raise NotImplementedError

    def _install(self, packages: Sequence[str], token: CancelToken) -> None:
        """Have packages where Python blocks find them.

        Raises:
            PackageError: They cannot be installed.
        """
        raise NotImplementedError

    def _prepare(self, blocks: Sequence[CodeBlock]) -> None:
        """Called once before the blocks of each call."""

    def _after_fork(self) -> None:
        """Called in a forked process before its first use."""

    def _refuse(self, language: str, code: str) -> str | None:
        """Why this block is not even saved; None if there is no reason."""
        return None

    def _unknown_language(self, language: str) -> str:
        return f"unknown language {language}"


class Place(NamedTuple):
    """Where a work_dir is: its path from the root, and the same without links."""

    path: str
    real: str


def place_of(work_dir: Path) -> Place:
    """Where the work_dir is."""
    return Place(os.path.abspath(work_dir), os.path.realpath(work_dir))
