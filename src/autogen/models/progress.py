"""What was shown of an answer while it came in."""

from __future__ import annotations

from .._kernel.run import transient
from .dialects.openai import Delta

__all__ = ["Progress"]


class Progress:
    """Reports the pieces of one answer as `model.token` events.

    Attributes:
        shown: Whether anybody saw a part of it.
    """

    __slots__ = ("shown",)

    def __init__(self) -> None:
        self.shown = False

    def show(self, delta: Delta) -> None:
        """Report a piece: `{"text": ...}`, or `{"reasoning": ...}`."""
        name = "reasoning" if delta.kind == "reasoning" else "text"
        if transient("model.token", {name: delta.text}):
            self.shown = True

    def end(self) -> None:
        """Report that the last piece was reported: `{"text": "", "is_last": True}`."""
        if self.shown:
            transient("model.token", {"text": "", "is_last": True})
