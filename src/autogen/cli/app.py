"""The command `autogen`: its commands put together, and how it begins and ends.

What carries a command out loads when it runs, so that `autogen --help` stays quick.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from .._version import __version__
from .commands.background import background
from .commands.making import making
from .commands.options import EXIT_CODES
from .commands.recorded import recorded
from .commands.serving import serving
from .commands.talking import talking
from .outcome import ExitCode

__all__ = ["app", "main"]

app = typer.Typer(
    name="autogen",
    help="Agents that talk, write code and run it in a sandbox.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Boxes and colours of the help would cost a quarter of a second: rich is loaded for them.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _kind in (talking, background, recorded, serving, making):
    app.add_typer(_kind)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"autogen-next {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="The version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Agents that talk, write code and run it in a sandbox."""


def _make_streams_safe() -> None:
    """Give the process streams it can write any text to."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started us (`autogen ... >&-`).
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character is no reason to lose a conversation.
            stream.reconfigure(errors="backslashreplace")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; ends the program with an exit code.

    A reader that goes away (`| head`) ends it quietly.

    Args:
        arguments: Without the name of the program; None takes those of the process.
    """
    _make_streams_safe()
    code = 0
    try:
        app(args=arguments, prog_name="autogen")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        code = int(ExitCode.ERROR)
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes once more when it ends, and would complain about the reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
