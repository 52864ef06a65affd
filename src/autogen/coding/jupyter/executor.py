"""What both Jupyter executors do with blocks: run them as cells, in order, and collect files."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ..._kernel import offline
from ..._kernel.cancel import CancelToken
from ..._kernel.run import on_cancel, transient
from ...errors import RunCancelled, UsageError
from .. import workspace
from ..base import CodeBlock, CodeExtractor, IPythonCodeResult
from ..extract import MarkdownCodeExtractor
from ..languages import canonical_language, silence_pip
from .base import Stoppable
from .cell import Cell, Files

__all__ = ["CellExecutor", "Failed"]

#: What models call Python in a notebook, and blocks whose language nobody could tell.
PYTHONS = ("python", "python3", "ipython", "ipython3", "jupyter", "notebook", "unknown", "")
SHELLS = ("bash", "sh", "shell")
STATE_LOST = "The kernel was started anew: what earlier blocks defined is lost."
PRINTED_BEFORE = "Output before the error:"


class Failed(Exception):
    """A cell that did not come to its own end; the message tells the model why."""


class CellExecutor(Stoppable):
    """Runs blocks as cells of one kernel, so that state persists between them.

    Args:
        timeout: Seconds that one block may take.
        kernel_name: The kernel that cells run in.
        output_dir: Existing folder for the pictures and pages that blocks display.
    """

    def __init__(self, *, timeout: int, kernel_name: str, output_dir: str | os.PathLike[str]):
        if timeout < 1:
            raise UsageError(f"timeout {timeout!r} is too short; it must be at least 1 second.")
        self._timeout = timeout
        self._kernel_name = kernel_name
        self._output_dir = Path(output_dir)
        self._check_folder()

    def _check_folder(self) -> None:
        if not self._output_dir.is_dir():
            raise UsageError(f"Output directory {self._output_dir} does not exist.")

    @property
    def timeout(self) -> int:
        """Seconds that one block may take."""
        return self._timeout

    @property
    def kernel_name(self) -> str:
        """The kernel that cells run in."""
        return self._kernel_name

    @property
    def output_dir(self) -> Path:
        """Where pictures and pages are saved."""
        return self._output_dir

    @property
    def code_extractor(self) -> CodeExtractor:
        """Takes fenced blocks of Markdown."""
        return MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> IPythonCodeResult:
        """Run the blocks in order, stopping at the first that fails.

        Returns:
            Exit code 0, or 1 with an output that starts with `ERROR: `; what the blocks printed and
            displayed; the files that were saved, alone and among the artifacts.

        Raises:
            UsageError: There are no blocks, or the output_dir was removed.
            ExecutionError: There is no kernel to run them.
            RunCancelled: The run was cancelled meanwhile; the kernel was ended.
        """
        offline.check("code that is run outside of a step")
        if not code_blocks:
            raise UsageError("There are no code blocks to execute.")
        self._check_folder()
        token = CancelToken()
        with on_cancel(token.cancel), self._turn(token):
            before = workspace.Snapshot(self._output_dir)
            files, texts = Files(self._output_dir), []
            error = None
            for block in code_blocks:
                if token.cancelled:
                    raise RunCancelled()
                cell = Cell(files)
                try:
                    lost = self._run_cell(self._cell_of(block), cell, token)
                except Failed as failure:
                    lost, cell.error = False, f"{failure}"
                texts += [STATE_LOST, cell.text] if lost else [cell.text]
                if cell.error is not None:
                    error = cell.error
                    break
            return IPythonCodeResult(
                exit_code=0 if error is None else 1,
                output=joined(texts, error),
                output_files=files.paths,
                artifacts=before.artifacts(),
            )

    def _cell_of(self, block: CodeBlock) -> str:
        """The code of a cell; a kernel for Python runs shells too, and refuses other languages.

        Raises:
            Failed: It is in a language that the kernel does not speak.
        """
        language = canonical_language(block.language)
        code = silence_pip(block.code, language)
        if not self.kernel_name.startswith("python") or language in PYTHONS:
            return code
        if language in SHELLS:
            return f"%%{'bash' if language == 'bash' else 'sh'}\n{code}"
        raise Failed(f"unknown language {block.language}")

    def _turn(self, token: CancelToken) -> AbstractContextManager[None]:
        """Hold the kernel for all cells of a call.

        Raises:
            RunCancelled: The token fired while another call held it.
        """
        raise NotImplementedError

    def _run_cell(self, code: str, cell: Cell, token: CancelToken) -> bool:
        """Run `code` and feed `cell`; whether the state of earlier cells had been lost before.

        Raises:
            Failed: It ran out of time, or lost its kernel.
            ExecutionError: There is no kernel.
            RunCancelled: The token fired.
        """
        raise NotImplementedError

    def restart(self) -> None:
        """Begin anew: what earlier blocks defined is gone."""
        raise NotImplementedError


def take_live(cell: Cell, kind: Any, content: Any) -> None:
    """Feed a cell, showing its text to whoever watches."""
    if text := cell.take(kind, content):
        transient("code.output", {"text": text})


def joined(texts: list[str], error: str | None) -> str:
    """The output of all blocks, each starting on a line of its own."""
    output = "\n".join(text.rstrip("\n") for text in texts if text)
    if error is None:
        return output
    return f"ERROR: {error}" + (f"\n\n{PRINTED_BEFORE}\n{output}" if output else "")


def timed_out(code: str, ending: str) -> Failed:
    """What a cell that ran out of time ends with."""
    return Failed(f"Timeout waiting for output from code block: {code}\n{ending}")
