"""What can be written on a screen, and the plain way of doing it: text without any control codes.

`rich_pen.py` is the other way. Which one is used depends on where the output goes.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import IO, Protocol

from .markdown import Lines

__all__ = [
    "ROW_NAME_COLUMNS",
    "Pen",
    "PlainPen",
    "fold",
    "is_fancy",
    "pen_for",
    "size_words",
    "time_words",
]

#: Room for the names of `row`.
ROW_NAME_COLUMNS = 17
#: Explanations are wrapped here where nobody knows how wide the paper is.
_COLUMNS = 80


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


class PlainPen:
    """For pipes, files, and terminals that want no colours."""

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(line, file=self._stream)
        self._stream.flush()

    def title(self, text: str, about: str = "") -> None:
        """What this is."""
        self._say(f"{text} ({about})" if about else text)

    def text(self, line: str = "") -> None:
        """A line of explanation."""
        for part in line.split("\n"):
            words = part.replace("**", "")
            indent = " " * (len(words) - len(words.lstrip()))
            self._say(*(textwrap.wrap(words, _COLUMNS, subsequent_indent=indent) or [""]))

    def header(self, speaker: str, listener: str) -> None:
        """Who speaks to whom."""
        self._say("", f"{speaker} (to {listener}):", "")

    def prose(self, line: str) -> None:
        """A line outside of code."""
        self._say(line)

    def open_code(self, language: str, file: str | None) -> None:
        """A code block begins."""
        self._say(f"```{language}")

    def code(self, line: str) -> None:
        """A line of code."""
        self._say(line)

    def close_code(self) -> None:
        """The code block ends."""
        self._say("```")

    def partial(self, text: str) -> None:
        """Nothing: lines are written when they are whole."""

    def footer(self, text: str) -> None:
        """A remark about the message."""
        self._say(f"[{text}]")

    def note(self, text: str) -> None:
        """A remark."""
        self._say(text)

    def warn(self, text: str) -> None:
        """A remark that should not be missed."""
        self._say("", text)

    def result(self, exit_code: int, output: str, seconds: float, files: Sequence[str]) -> None:
        """What came of running code."""
        head, n_left_out, tail = fold(output)
        self._say(f"exit code {exit_code} after {time_words(seconds)}")
        self._say(*(f"  | {line}" for line in head))
        if n_left_out:
            self._say(f"  | ... {n_left_out} lines left out ...")
        self._say(*(f"  | {line}" for line in tail), *(f"  + {file}" for file in files))

    def facts(self, rows: Sequence[tuple[str, str]], *, ok: bool = True) -> None:
        """Names and values."""
        width = max((len(name) for name, _ in rows), default=0)
        self._say("", *(_fact(name, value, width) for name, value in rows))

    def row(self, name: str, value: str) -> None:
        """A name and its value."""
        self._say(f"  {name:<{ROW_NAME_COLUMNS}}{value}".rstrip())

    def status(self, text: str | None, tail: Sequence[str] = ()) -> None:
        """Nothing: it would only fill a file."""

    def pause(self) -> None:
        """Nothing to leave."""


def _fact(name: str, value: str, width: int) -> str:
    return f"{name:<{width}}  {value.replace('**', '')}".rstrip()
