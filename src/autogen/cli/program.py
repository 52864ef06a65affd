"""`autogen run PROGRAM.py`: a program as it is, its chats durable and limited from outside."""

from __future__ import annotations

import os
import runpy
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext

from .._chat.durable import begun_by
from .._chat.wiring import RunOptions, everywhere, options
from ..errors import AutogenError, UsageError
from ..events import Event
from ..limits.budget import Budget
from .outcome import ExitCode, code_of_stop, exit_with_words, say
from .recording import Recording, recording
from .studio import shown_beside

__all__ = ["run_as_main", "run_program"]

#: A program that ended normally says what it has to say itself; only these are told by the code.
_TOLD = ("budget", "cancelled", "loop", "timeout")


def run_program(
    path: str,
    arguments: Sequence[str],
    *,
    run_id: str | None,
    database: str | None,
    budget_usd: float | None,
    timeout_s: float | None,
    is_shown: bool = False,
    debug: bool,
) -> int:
    """Run the file at `path` as `__main__`; the exit code.

    Its chats are `ID/1`, `ID/2`, ... in the order in which they start. Run again with the same id,
    those that are over are told from their record, and the open one goes on. Where it `is_shown`,
    this process serves the studio until the program ends.
    """
    with exit_with_words(debug=debug):
        stem = os.path.splitext(os.path.basename(path))[0]
        record = recording(stem, run_id=run_id, database=database)
        if is_shown and record.run_id is None:
            raise UsageError(
                '--studio shows recorded runs, which need the extra "durable": '
                'pip install -e ".[server,durable]" in a clone of autogen-next.'
            )
    again = _command(path, arguments, record, budget_usd)
    ended: list[str | None] = []

    def note_end(event: Event) -> None:
        if event.type == "chat.finished" and event.parent is None:
            ended.append(event.data.get("stop_reason"))

    budget = None if budget_usd is None else Budget(usd=budget_usd)
    ambient = RunOptions(
        id=record.run_id,
        durable=record.run_id is not None,
        database=record.database,
        budget=budget,
        timeout_s=timeout_s,
    )
    everywhere.append(note_end)
    try:
        with (
            exit_with_words(debug=debug),
            shown_beside(record.database) if is_shown else nullcontext(),
            options(ambient),
            begun_by(program=[os.path.abspath(path), *arguments]),
        ):
            try:
                run_as_main(path, arguments)
            except Exception as error:
                if isinstance(error, AutogenError):
                    raise
                # A mistake of the program: what python would say.
                traceback.print_exc()
                raise SystemExit(int(ExitCode.ERROR)) from None
    except SystemExit as end:
        if end.code not in (None, 0) and again:
            say(f"To go on: {again}")
        raise
    finally:
        everywhere.remove(note_end)
    stopped = next((reason for reason in ended if reason in _TOLD), None)
    if stopped is None:
        return int(ExitCode.DONE)
    if stopped == "cancelled":
        say("autogen: a chat was cancelled by somebody else; what followed it in the program ran.")
        return int(code_of_stop(stopped))
    if stopped == "budget" and budget_usd is not None:
        # With the same budget it would end at once, with none it would have no limit.
        again = _command(path, arguments, record, 2 * budget_usd)
    say(f"autogen: a chat stopped early ({stopped}).", *([f"To go on: {again}"] if again else []))
    return int(code_of_stop(stopped))


def run_as_main(path: str, arguments: Sequence[str]) -> None:
    """Run the file at `path` as `python path ARGUMENTS` would, in this process."""
    before = sys.argv, sys.path[0]
    sys.argv, sys.path[0] = [path, *arguments], os.path.dirname(os.path.abspath(path))
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        sys.argv, sys.path[0] = before


def _command(
    path: str, arguments: Sequence[str], record: Recording, budget_usd: float | None
) -> str | None:
    """What goes on with the run; None where it is not recorded."""
    if record.run_id is None:
        return None
    place = [] if record.database is None else ["--database", record.database]
    limit = [] if budget_usd is None else ["--budget-usd", f"{budget_usd:g}"]
    words = ["autogen", "run", path, "--id", record.run_id, *place, *limit]
    return shlex.join([*words, *(["--", *arguments] if arguments else [])])
