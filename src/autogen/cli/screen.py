"""Which pen writes on a stream."""

from __future__ import annotations

import os
from typing import IO

from .pen import Pen
from .plain_pen import PlainPen

__all__ = ["is_fancy", "pen_for"]


def is_fancy(stream: IO[str]) -> bool:
    """Whether `stream` is a terminal that wants colours and moving parts.

    Source: https://no-color.org for NO_COLOR.
    """
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb", "unknown")
    return stream.isatty() and not is_plain


def pen_for(stream: IO[str]) -> Pen:
    """The pen for what `stream` is."""
    if not is_fancy(stream):
        return PlainPen(stream)
    # rich costs as much as the whole rest to load, and nothing but terminals needs it.
    from .rich_pen import RichPen

    return RichPen(stream)
