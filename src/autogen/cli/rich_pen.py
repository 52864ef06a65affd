"""The pen for terminals: colours, code in boxes, and a last line that says what goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import IO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from .pen import ROW_NAME_COLUMNS, fold, time_words

__all__ = ["RichPen"]

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPEAKERS = ("bold cyan", "bold yellow", "bold green", "bold magenta", "bold blue")
_LEXERS = {"sh": "bash", "shell": "bash", "py": "python", "": "text"}
#: Past so many lines a block is coloured line by line, which is quick and sometimes wrong.
_WHOLE_LINES = 400
#: Between two pictures of the part that moves.
_FRAME_S = 1 / 12
#: Text wider than this is hard to read.
_MOST_COLUMNS = 110
#: A status that is over sooner would only flicker.
_STATUS_AFTER_S = 0.25


class RichPen:
    """Writes through one `Console`; what is final scrolls up, what goes on stays at the bottom."""

    def __init__(self, stream: IO[str]):
        self._console = Console(file=stream, highlight=False, soft_wrap=False)
        self._live: Live | None = None
        self._colors: dict[str, str] = {}
        self._code_lines: list[str] = []
        self._language = "text"
        self._in_code = False
        self._partial = ""
        self._status: str | None = None
        self._since = 0.0
        self._tail: Sequence[str] = ()
        # Two threads that print through one `Live` write over each other's lines.
        self._lock = threading.RLock()

    # -- the part that moves -----------------------------------------------------------------------

    def _region(self) -> RenderableType:
        rows: list[RenderableType] = []
        if self._partial:
            indent = Text("  │ ", style="dim") if self._in_code else Text("  ")
            n_columns = self._width - (6 if self._in_code else 2)
            for row in Text(self._partial).wrap(self._console, n_columns, overflow="fold"):
                rows.append(indent.copy().append_text(row))
        passed_s = time.monotonic() - self._since
        if self._status is not None and passed_s >= _STATUS_AFTER_S:
            for line in self._tail:
                rows.append(Text(f"  ┆ {line}", style="dim", overflow="ellipsis", no_wrap=True))
            frame = _SPINNER[int(passed_s * 12) % len(_SPINNER)]
            status = Text(f"  {frame} ", style="cyan").append(self._status, style="default")
            rows.append(status.append(f"  {time_words(passed_s)}", style="dim"))
        return Group(*rows)

    def _move(self) -> None:
        """Show, or hide, the part that moves."""
        wanted = bool(self._partial) or self._status is not None
        if not wanted:
            self.pause()
        elif self._live is None:
            with self._lock:
                self._live = Live(
                    get_renderable=self._region,
                    console=self._console,
                    auto_refresh=False,
                    transient=True,
                )
                self._live.start()
            threading.Thread(
                target=self._refresh, args=(self._live,), name="autogen-screen", daemon=True
            ).start()

    def _refresh(self, live: Live) -> None:
        """Keep the moving part moving for as long as it is there."""
        while True:
            time.sleep(_FRAME_S)
            with self._lock:
                if self._live is not live:
                    return
                live.refresh()

    def pause(self) -> None:
        """Leave the screen to somebody else, until the next call."""
        with self._lock:
            live, self._live = self._live, None
            self._partial, self._status, self._tail = "", None, ()
            if live is not None:
                live.stop()

    def status(self, text: str | None, tail: Sequence[str] = ()) -> None:
        """What is going on just now; the clock beside it runs while the text stays the same."""
        if text != self._status:
            self._since = time.monotonic()
        self._status, self._tail = text, tail
        self._move()

    def partial(self, text: str) -> None:
        """What has come of the line under way."""
        self._partial = text.replace("\t", "    ")
        self._move()

    # -- lines -------------------------------------------------------------------------------------

    @property
    def _width(self) -> int:
        return max(20, min(self._console.width - 2, _MOST_COLUMNS))

    def _print(self, renderable: RenderableType = "") -> None:
        with self._lock:
            self._console.print(renderable, width=self._width)

    def _wrapped(self, text: Text, indent: str = "  ") -> None:
        for line in text.wrap(self._console, self._width - len(indent)) or [Text()]:
            self._print(Text(indent).append_text(line))

    def title(self, text: str, about: str = "") -> None:
        """What this is."""
        line = Text(text, style="bold")
        self._print(line.append(f"  {about}", style="dim not bold") if about else line)

    def text(self, line: str = "") -> None:
        """A line of explanation."""
        self._wrapped(_inline(line), "")

    def header(self, speaker: str, listener: str) -> None:
        """Who speaks to whom."""
        line = Text("● ", style=self._color(speaker)).append(speaker)
        self._print()
        self._print(line.append(f"  to {listener}", style="dim not bold"))

    def _color(self, name: str) -> str:
        return self._colors.setdefault(name, _SPEAKERS[len(self._colors) % len(_SPEAKERS)])

    def prose(self, line: str) -> None:
        """A line outside of code."""
        self._partial = ""
        self._wrapped(_inline(line))

    def footer(self, text: str) -> None:
        """A remark about the message."""
        self._print(Text(f"  {text}", style="dim"))

    def note(self, text: str) -> None:
        """A remark."""
        self._wrapped(Text(text, style="dim"))

    def warn(self, text: str) -> None:
        """A remark that should not be missed."""
        self._print()
        self._wrapped(_inline(text, "yellow"), "")

    # -- code --------------------------------------------------------------------------------------

    def open_code(self, language: str, file: str | None) -> None:
        """The upper edge of a box."""
        self._code_lines, self._in_code = [], True
        self._language = _LEXERS.get(language.lower(), language.lower())
        name = " · ".join(part for part in (language or "code", file) if part)
        edge = "─" * max(1, self._width - len(name) - 7)
        self._print(
            Text("  ╭─ ", style="dim").append(name, style="not dim bold").append(f" {edge}╮")
        )

    def code(self, line: str) -> None:
        """A line in the box, wrapped where it is longer."""
        self._partial = ""
        self._code_lines.append(line.expandtabs(4))
        inner = self._width - 6
        colored = self._colored()
        for row in colored.wrap(self._console, inner, overflow="fold") or [Text()]:
            row.truncate(inner, pad=True)
            self._print(Text.assemble(("  │ ", "dim"), row, (" │", "dim")))

    def _colored(self) -> Text:
        """The newest line, coloured as a part of its block."""
        lines = self._code_lines[-1:] if len(self._code_lines) > _WHOLE_LINES else self._code_lines
        syntax = Syntax("", self._language, theme="ansi_dark", background_color="default")
        text = syntax.highlight("\n".join(lines))
        text.rstrip()
        rows = text.split("\n", allow_blank=True)
        # `rstrip` and the highlighter drop empty lines at the end, and only those.
        return rows[len(lines) - 1] if len(rows) >= len(lines) else Text()

    def close_code(self) -> None:
        """The lower edge."""
        self._in_code = False
        self._print(Text(f"  ╰{'─' * (self._width - 4)}╯", style="dim"))

    def result(self, exit_code: int, output: str, seconds: float, files: Sequence[str]) -> None:
        """What came of running code."""
        ok = exit_code == 0
        color = "green" if ok else "red"
        line = Text(f"  {'✓' if ok else '✗'} exit code {exit_code}", style=color)
        self._print(line.append(f"  {time_words(seconds)}", style="dim"))
        head, n_left_out, tail = fold(output)
        for text in head:
            self._output(text, color)
        if n_left_out:
            self._print(Text(f"  ┆ … {n_left_out} more lines …", style="dim"))
        for text in tail:
            self._output(text, color)
        for file in files:
            self._print(Text("  + ", style="green").append(file, style="default"))

    def _output(self, line: str, color: str) -> None:
        text = Text(line.expandtabs(4))
        for row in text.wrap(self._console, self._width - 4, overflow="fold") or [Text()]:
            self._print(Text("  ┃ ", style=f"dim {color}").append_text(row))

    def row(self, name: str, value: str) -> None:
        """A name and its value, wrapped beside it."""
        table = Table.grid()
        table.add_column(width=ROW_NAME_COLUMNS, style="cyan")
        table.add_column(overflow="fold")
        table.add_row(name, Text(value))
        self._print(Padding(table, (0, 0, 0, 2)))

    def facts(self, rows: Sequence[tuple[str, str]], *, ok: bool = True) -> None:
        """Names and values, in a frame of a colour that tells how it went."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, _inline(value))
        self._print()
        self._print(Text("─" * self._width, style="green" if ok else "red"))
        self._print(table)


def _inline(line: str, style: str = "") -> Text:
    """Text with `code` and **bold** in it, and headings."""
    if line.startswith("#") and line.lstrip("#").startswith(" "):
        return Text(line.lstrip("# "), style="bold")
    text = Text(style=style)
    for i, part in enumerate(line.split("`")):
        if i % 2 and line.count("`") % 2 == 0:
            text.append(part, style="cyan")
            continue
        if i and line.count("`") % 2:
            text.append("`")
        for k, piece in enumerate(part.split("**")):
            text.append(piece, style="bold" if k % 2 and part.count("**") % 2 == 0 else "")
    return text
