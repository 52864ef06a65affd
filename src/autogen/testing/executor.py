"""`FakeExecutor`: runs no code and gives the results that the test wrote down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..coding.base import CodeBlock, CodeExtractor, CodeResult
from ..coding.extract import MarkdownCodeExtractor
from ..errors import UsageTypeError
from .script import Script, Strict

__all__ = ["FakeExecutor"]


class FakeExecutor(Strict):
    """A code executor with scripted results.

        agent = UserProxyAgent(
            "user", code_execution_config={"executor": FakeExecutor([(1, "NameError"), "42"])}
        )

    A run beyond the script raises `UnexpectedCall`; results that are left raise `UnusedReplies` at
    the end of the `with` block, or in `assert_done()`.

    Args:
        results: A list of results, or a function that is called with the blocks of each run and
            gives one. A result is a `CodeResult`, an (exit code, output) pair, text for an output
            with exit code 0, or an exception to raise.

    Attributes:
        runs: The blocks of each run.
        n_restarts: How often a new beginning was asked for.
    """

    def __init__(self, results: Iterable[Any] | Callable[[list[CodeBlock]], Any]):
        self._script = Script(results, owner="FakeExecutor")
        self._extractor = MarkdownCodeExtractor()
        self.runs: list[list[CodeBlock]] = []
        self.n_restarts = 0

    @property
    def blocks(self) -> list[CodeBlock]:
        """The blocks of all runs, in order."""
        return [block for run in self.runs for block in run]

    @property
    def code_extractor(self) -> CodeExtractor:
        """Finds fenced blocks."""
        return self._extractor

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        """The next result."""
        self.runs.append(list(code_blocks))
        result = self._script.take(
            code_blocks,
            lambda: "\n".join(f"  {block.language}: {block.code}" for block in code_blocks),
        )
        if isinstance(result, CodeResult):
            return result
        if isinstance(result, str):
            return CodeResult(exit_code=0, output=result)
        if isinstance(result, tuple) and len(result) == 2:
            return CodeResult(exit_code=result[0], output=result[1])
        raise UsageTypeError(
            f"a script says {result!r}; code can give a CodeResult, (exit code, output) or text."
        )

    def restart(self) -> None:
        """Count it."""
        self.n_restarts += 1

    def __repr__(self) -> str:
        return f"FakeExecutor({len(self._script.left)} left)"
