"""`autogen replay`: a team or a program once more, against what is recorded, without a call."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from .._chat.wiring import RunOptions, options
from .._durable.database import Database
from .._durable.retelling import Replay
from ..errors import AutogenError, UnknownRun, UsageError
from ..runtime.folder import find_teams
from ..runtime.retelling import replayed, replaying, told_with
from ..store.base import RunRecord
from .outcome import ExitCode, exit_with_words
from .pen import harmless
from .program import run_as_main
from .run import agents_for_task
from .team import team_at

__all__ = ["replay"]


def replay(
    run_id: str,
    program: str | None,
    arguments: Sequence[str],
    *,
    teams_in: str,
    database: str | None,
    debug: bool,
) -> int:
    """Run a team, or a program, against the record of a run; exit code 1 if it differs.

    Args:
        run_id: The run; or the id that a program was run with, whose chats are `run_id/1`, ...
        program: Path of the program; None for the one that is recorded.
        arguments: Of the program, where one is named.
        teams_in: Folder with the team, where a team ran it.
        database: Where it is recorded.
        debug: Show tracebacks.
    """
    with exit_with_words(debug=debug):
        place = Database.at(database)
        try:
            record, name = _found(place, run_id)
            maker = {} if program is not None else _maker_of(place, record)
            if program is None and record.team is not None:
                find_teams(teams_in)
                told = replayed(place, run_id)
            elif (chat := _chat_of(maker, record)) is not None:
                told = told_with(place, run_id, chat)
            else:
                if program is None:
                    program, *arguments = _program_of(maker, record)
                told = _program_told(place, name, program, arguments, database=database)
        finally:
            place.close()
        print(harmless(told.text))
        return int(ExitCode.DONE if told.is_same else ExitCode.ERROR)


def _found(place: Database, run_id: str) -> tuple[RunRecord, str]:
    """A run that belongs to it, and the id that its program was run with."""
    try:
        record = place.store.run(run_id)
    except UnknownRun:
        try:
            return place.store.run(f"{run_id}/1"), run_id
        except UnknownRun:
            pass
        raise
    around, _, number = run_id.rpartition("/")
    is_numbered = record.team is None and around != "" and number.isdecimal()
    return record, around if is_numbered else run_id


def _maker_of(place: Database, record: RunRecord) -> dict[str, Any]:
    """What made the agents of a run, as `begun_by` notes it, beside other facts."""
    begun = place.store.events(record.id, types=["run.started", "run.forked"], limit=1)
    return dict(begun[0].data) if begun else {}


def _chat_of(maker: Mapping[str, Any], record: RunRecord) -> dict[str, Any] | None:
    """The chat that a command made itself, with new agents; None where a program made it."""
    if maker.get("task"):
        # No model is asked, so that any will do.
        sender, recipient = agents_for_task({"model": "none", "api_key": "none"}, work_dir=".")
        asked = {key: record.request[key] for key in ("message", "max_turns")}
        return {"sender": sender, "recipient": recipient, **asked}
    if (place := maker.get("team_at")) is not None:
        return {**team_at(*place).chat(), **maker["asked"]}
    return None


def _program_of(maker: Mapping[str, Any], record: RunRecord) -> list[str]:
    """The path and the arguments of the program that a run belongs to."""
    program = maker.get("program")
    if not program:
        raise UsageError(
            f"run {record.id!r} belongs to a program that is not recorded; name it: "
            f"autogen replay {record.id} PROGRAM.py"
        )
    if not os.path.isfile(program[0]):
        raise UsageError(
            f"the program {program[0]!r} of run {record.id!r} is not there any more; name it: "
            f"autogen replay {record.id} PROGRAM.py"
        )
    return [str(word) for word in program]


def _program_told(
    place: Database, name: str, path: str, arguments: Sequence[str], *, database: str | None
) -> Replay:
    if not os.path.isfile(path):
        raise UsageError(f"there is no program {path!r}; give the path of a Python file.")
    failed: BaseException | None = None
    with (
        replaying(place, name, takes_any=False, is_everywhere=True) as retelling,
        options(RunOptions(id=name, durable=True, database=database)),
    ):
        try:
            run_as_main(path, arguments)
        except SystemExit as end:
            failed = end if isinstance(end.code, str) else None
        except Exception as error:  # noqa: BLE001 what it is, the verdict says
            failed = error
        told = retelling.verdict()
    if told.is_same and failed is not None and not retelling.is_cut_short:
        if not isinstance(failed, AutogenError):
            traceback.print_exception(failed)
        text = f"{told.text}, and the program ended with {type(failed).__name__}: {failed}"
        return Replay(False, told.n_steps, text)
    return told
