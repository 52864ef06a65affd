"""What a run is recorded with: one entry per step, and who keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import JournalError

__all__ = ["Entry", "Recorder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is kept of one step.

    Attributes:
        position: Where in the run it was taken; unique in the run.
        kind: "model", "tool", "code", "human", ...
        request: Digest of what was asked for, or None where nothing was.
        value: What it gave, as JSON.
        error: What it raised, boxed as JSON; None if it gave a value.
    """

    position: str
    kind: str
    request: str | None = None
    value: Any = None
    error: dict[str, Any] | None = None


class Recorder(Protocol):
    """Keeps the entries of one run. Branches of a run share it, so it is used from many threads."""

    def digest(self, request: Any) -> str:
        """A short text that is another for another request."""
        ...

    def known(self, position: str) -> Entry | None:
        """What was kept of the step at `position` by an earlier execution. Quick."""
        ...

    def begin(self, position: str, kind: str) -> None:
        """A step that is not known is about to be taken.

        Raises:
            ReplayMismatch: The run has ended, so that there can be no further step.
            RunLost: Somebody else goes on with the run.
        """
        ...

    async def a_begin(self, position: str, kind: str) -> None:
        """The same, without blocking an event loop."""
        ...

    def keep(self, entry: Entry) -> None:
        """Make sure that the step is never taken again."""
        ...

    async def a_keep(self, entry: Entry) -> None:
        """The same, without blocking an event loop."""
        ...

    def break_off(self, error: JournalError) -> None:
        """The record failed, and not the step that raised `error`: keep nothing from here on.

        Whoever called that step may live with the error, and do what the run would not have done.
        """
        ...

    def box(self, error: Exception, position: str) -> dict[str, Any]:
        """An error as JSON."""
        ...

    def unbox(self, boxed: dict[str, Any], position: str) -> Exception:
        """The error again."""
        ...
