"""What can be written on a screen: the port of `plain_pen` and `rich_pen`, and words they share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from .markdown import Lines

__all__ = ["ROW_NAME_COLUMNS", "Pen", "fold", "harmless", "size_words", "time_words"]

#: Room for the names of `row`.
ROW_NAME_COLUMNS = 17


class Pen(Lines, Protocol):
    """Writes a conversation where a person reads it."""

    def title(self, text: str, about: str = "") -> None:
        """What this is, and a remark about it."""
        ...

    def text(self, line: str = "") -> None:
        """A line of explanation; may have `code` and **bold** in it."""
        ...

    def header(self, speaker: str, listener: str) -> None:
        """Who speaks to whom; the message follows."""
        ...

    def footer(self, text: str) -> None:
        """A remark about the message that just ended."""
        ...

    def note(self, text: str) -> None:
        """A remark on its own."""
        ...

    def warn(self, text: str) -> None:
        """A remark that should not be missed."""
        ...

    def result(self, exit_code: int, output: str, seconds: float, files: Sequence[str]) -> None:
        """What came of running code."""
        ...

    def facts(self, rows: Sequence[tuple[str, str]], *, ok: bool = True) -> None:
        """Names and values, side by side, as a closing."""
        ...

    def row(self, name: str, value: str) -> None:
        """A name, indented, and its value beside it."""
        ...

    def status(self, text: str | None, tail: Sequence[str] = ()) -> None:
        """What is going on just now, and the newest lines of its output; None: nothing."""
        ...

    def pause(self) -> None:
        """Leave the screen to somebody else, until the next call."""
        ...


#: Colours and moves of the cursor; titles, links and the clipboard.
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
#: Overrides of the direction of writing: what follows would be shown backwards.
_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = dict.fromkeys((*(n for n in range(32) if n not in (9, 10)), *range(127, 160), *_TURNS))


def harmless(text: str) -> str:
    """`text` of a model or a program without the control codes that a terminal would obey.

    They could set its title, fill its clipboard, write over what was shown before, or show a
    program other than it runs.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SEQUENCES.sub("", text).translate(_CONTROLS)


def time_words(seconds: float) -> str:
    """Seconds for people: "0.3 s", "12 s", "2 min 5 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size_words(size_bytes: int) -> str:
    """Bytes for people."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def fold(output: str, most: int = 16) -> tuple[list[str], int, list[str]]:
    """The lines of `output` to show: its head, how many were left out, its tail.

    The tail is longer: what went wrong stands there.
    """
    lines = output.strip("\n").splitlines() if output.strip() else []
    if len(lines) <= most:
        return lines, 0, []
    n_head = most // 3
    n_tail = most - n_head - 1
    return lines[:n_head], len(lines) - n_head - n_tail, lines[-n_tail:]
