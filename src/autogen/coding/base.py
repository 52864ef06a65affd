"""The port of code execution: what a code block, a result and an executor are.

Adapters (`sandbox.py`, `local.py`, ...) import this; this imports no adapter. The result classes
are pydantic models because AutoGen 0.2 made them so and users call `.model_dump()` on them.
"""

from __future__ import annotations

from typing import Any, Protocol, TypedDict, runtime_checkable

from pydantic import BaseModel, Field

from ..artifacts import Artifact

__all__ = [
    "TIMEOUT_EXIT_CODE",
    "TIMEOUT_MSG",
    "CodeBlock",
    "CodeExecutionConfig",
    "CodeExecutor",
    "CodeExtractor",
    "CodeResult",
    "CommandLineCodeResult",
    "IPythonCodeResult",
]

#: Exit code of a block that ran out of time. Source: coreutils `timeout(1)`, as AutoGen 0.2.
TIMEOUT_EXIT_CODE = 124
#: The last word of the output of such a block.
TIMEOUT_MSG = "Timeout"


class CodeBlock(BaseModel):
    """One fenced block of a message."""

    code: str = Field(description="The code to execute.")
    language: str = Field(description="Language as written after the fence; any case.")


class CodeResult(BaseModel):
    """What came of executing blocks."""

    exit_code: int = Field(description="0 when every block succeeded.")
    output: str = Field(description="stdout and stderr in the order they were written.")
    artifacts: tuple[Artifact, ...] = Field(
        default=(), exclude=True, repr=False, description="Files the blocks left in the work_dir."
    )


class CommandLineCodeResult(CodeResult):
    """The result of a command line executor."""

    code_file: str | None = Field(default=None, description="The first file a block was saved to.")


class IPythonCodeResult(CodeResult):
    """The result of a Jupyter kernel."""

    output_files: list[str] = Field(
        default_factory=list, description="Pictures and pages that the blocks displayed."
    )


@runtime_checkable
class CodeExtractor(Protocol):
    """Finds the code blocks of a message."""

    def extract_code_blocks(self, message: str | list[dict[str, Any]] | None) -> list[CodeBlock]:
        """The blocks of `message` (text, content parts or nothing), in order."""
        ...


@runtime_checkable
class CodeExecutor(Protocol):
    """Runs code blocks. Anything with these three members is one.

    `execute_code_blocks` is a plain blocking call: the sync driver makes it in the caller's thread,
    the async driver in a worker thread. While it runs, an adapter may report output with
    `_kernel.run.transient("code.output", {...})` and learn of cancellation with
    `_kernel.run.on_cancel`.

    One that has a method `check_work_dir()` is asked, before a chat costs anything, to raise a
    `UsageError` if its files could not be saved.
    """

    @property
    def code_extractor(self) -> CodeExtractor:
        """What finds this executor's blocks in a message."""
        ...

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        """Run the blocks in order, stopping at the first that fails.

        Raises:
            ExecutionError: The code could not be run at all.
        """
        ...

    def restart(self) -> None:
        """Begin anew: whatever state earlier blocks left in memory is gone."""
        ...


class CodeExecutionConfig(TypedDict, total=False):
    """The keys of a `code_execution_config` that every form shares."""

    executor: str | CodeExecutor
    last_n_messages: int | str
