"""How a command ends: exit codes, and errors in one or two lines that say what to do."""

from __future__ import annotations

import shutil
import sys
import textwrap
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from ..config.secrets import redact
from ..errors import (
    AuthenticationError,
    AutogenError,
    BudgetExceeded,
    ConnectionFault,
    NotFound,
    NoWallError,
    RunCancelled,
    RunTimeout,
    UsageError,
)

__all__ = ["STOP_WORDS", "ExitCode", "code_of_stop", "exit_with_words", "words_of"]


class ExitCode(IntEnum):
    """What the exit codes of every command mean."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NO_WALL = 3
    BUDGET = 4
    LOOP = 5
    TIMEOUT = 6
    INTERRUPTED = 130


#: `stop_reason` in words for people.
STOP_WORDS = {
    "termination": "the task is done (TERMINATE)",
    "human_exit": "by you",
    "max_turns": "the limit of turns was reached before the task was done",
    "max_replies": "the limit of replies was reached before the task was done",
    "no_reply": "nobody had anything more to say",
    "budget": "the budget was used up",
    "loop": "the agents were repeating themselves",
    "timeout": "the time was up",
    "cancelled": "by you (Ctrl-C)",
    "error": "an error",
}

_STOP_CODES = {
    "termination": ExitCode.DONE,
    "human_exit": ExitCode.DONE,
    "max_turns": ExitCode.BUDGET,
    "max_replies": ExitCode.BUDGET,
    "budget": ExitCode.BUDGET,
    "loop": ExitCode.LOOP,
    "timeout": ExitCode.TIMEOUT,
    "cancelled": ExitCode.INTERRUPTED,
}


def code_of_stop(stop_reason: str | None) -> ExitCode:
    """The exit code for a chat that ended by itself; a task that is not done is not 0."""
    return _STOP_CODES.get(stop_reason or "", ExitCode.ERROR)


def code_of(error: BaseException) -> ExitCode:
    """The exit code for an error that left a command."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, NoWallError):
        return ExitCode.NO_WALL
    if isinstance(error, BudgetExceeded):
        return ExitCode.BUDGET
    if isinstance(error, RunTimeout):
        return ExitCode.TIMEOUT
    if isinstance(error, RunCancelled):
        return code_of_stop(error.reason)
    is_missing_key = isinstance(error, AuthenticationError) and error.status is None
    if isinstance(error, UsageError) or is_missing_key:
        return ExitCode.USAGE
    return ExitCode.ERROR


def words_of(error: BaseException, secrets: Iterable[str] = ()) -> list[str]:
    """A few lines for people: what happened, what to do about it, what happened before it."""
    if isinstance(error, KeyboardInterrupt):
        return ["stopped by Ctrl-C"]
    text = redact(str(error), secrets).strip() or type(error).__name__
    hint = _hint(error)
    if not isinstance(error, AutogenError):
        hint = "--debug shows where it happened."
        if not isinstance(error, OSError):
            text = f"{type(error).__name__}: {text}"
    # The models of a config list that failed before the last one; often theirs is the real trouble.
    notes = [redact(str(note), secrets) for note in getattr(error, "__notes__", ())]
    lines = [text, *([hint] if hint else []), *notes]
    return [" ".join(line.splitlines()) for line in lines]


def _hint(error: BaseException) -> str | None:
    if isinstance(error, AuthenticationError):
        if error.status is None:
            return "A line NAME=KEY in a file .env in this folder will do as well."
        return "The service refused the key: `autogen doctor` lists where keys are found."
    if isinstance(error, NoWallError):
        return "`autogen doctor` tells what stands in the way of each wall, and what to do."
    if isinstance(error, NotFound):
        return "Is the name after --model right, and the address after --base-url?"
    if isinstance(error, ConnectionFault):
        return "Another address: --base-url URL, or the variable OPENAI_BASE_URL."
    return None


def say(*lines: str) -> None:
    """Print lines for people to stderr, wrapped between words on a terminal."""
    for line in lines:
        if sys.stderr.isatty():
            columns = shutil.get_terminal_size().columns
            line = textwrap.fill(line, columns, subsequent_indent="  ", break_on_hyphens=False)
        print(line, file=sys.stderr, flush=True)


@contextmanager
def exit_with_words(*, debug: bool, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turn an error of the `with` block into words on stderr and an exit code.

    Args:
        debug: Print the traceback as well.
        secrets: Values that no message may show; read when an error is told.

    Raises:
        SystemExit: Instead of any error, but for a broken pipe.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 the border to the shell
        if debug:
            trace = redact("".join(traceback.format_exception(error)), secrets)
            print(trace, file=sys.stderr, flush=True)
        first, *more = words_of(error, secrets)
        say(f"autogen: {first}", *(f"  {line}" for line in more))
        raise SystemExit(int(code_of(error))) from None
