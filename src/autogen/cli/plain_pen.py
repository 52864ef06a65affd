"""The pen for pipes, files, and terminals that want no colours: text without control codes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import IO

from .pen import ROW_NAME_COLUMNS, fold, time_words

__all__ = ["PlainPen"]

#: Explanations are wrapped here: nobody knows how wide the paper is.
_COLUMNS = 80


class PlainPen:
    """Writes lines, each when it is whole."""

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
