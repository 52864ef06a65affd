"""Markdown as it streams in: prose and code blocks, line by line."""

from __future__ import annotations

import re
from typing import Protocol

__all__ = ["Lines", "MarkdownStream"]

_FENCE = re.compile(r"^\s{0,3}(`{3,})\s*([\w+#.-]*)\s*$")
_FILE = re.compile(r"^\s*(?:#|//|--)\s*filename:\s*(\S+)\s*$")


class Lines(Protocol):
    """Takes the lines of a message."""

    def prose(self, line: str) -> None:
        """A line outside of code."""
        ...

    def open_code(self, language: str, file: str | None) -> None:
        """A code block begins; `file` is the name its first line gives it."""
        ...

    def code(self, line: str) -> None:
        """A line of the code block."""
        ...

    def close_code(self) -> None:
        """The code block ends."""
        ...

    def partial(self, text: str) -> None:
        """What has come of the line under way; "" when there is none."""
        ...


class MarkdownStream:
    """Cuts pieces of text, however they come, into calls of `Lines`."""

    def __init__(self, lines: Lines):
        self._lines = lines
        self._rest = ""
        self._fence = ""
        #: Language of a block that was opened but not told yet: its first line may name a file.
        self._waiting: str | None = None

    def feed(self, text: str) -> None:
        """Take the next piece."""
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            self._take(line.rstrip("\r"))
        # A fence is not shown while it comes in.
        starts_fence = self._rest.lstrip().startswith("`")
        self._lines.partial("" if starts_fence else self._rest)

    def finish(self) -> None:
        """There is no more; an open block is closed."""
        if self._rest:
            self._take(self._rest)
        self._rest = ""
        self._lines.partial("")
        if self._fence:
            self._told_open(None)
            self._lines.close_code()
        self._fence = ""

    def _take(self, line: str) -> None:
        if not self._fence:
            opening = _FENCE.match(line)
            if opening is None:
                self._lines.prose(line)
            else:
                self._fence, self._waiting = opening[1], opening[2]
            return
        closing = _FENCE.match(line)
        if closing is not None and not closing[2] and len(closing[1]) >= len(self._fence):
            self._told_open(None)
            self._lines.close_code()
            self._fence = ""
            return
        self._told_open(line)
        self._lines.code(line)

    def _told_open(self, first_line: str | None) -> None:
        if self._waiting is None:
            return
        named = _FILE.match(first_line or "")
        self._lines.open_code(self._waiting, named[1] if named else None)
        self._waiting = None
