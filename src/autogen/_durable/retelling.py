"""`Retelling`: runs of one program, told again from their records, and where it first differs.

Nothing is written, and nobody is asked: neither a model nor a tool, no code runs. A chat of the
program is found by the name that it has, else by the order in which the chats start.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from .._kernel.recorder import Entry
from ..errors import ReplayMismatch, UnknownRun
from ..store.base import RunRecord
from .database import Database
from .execution import Execution, check_request

__all__ = ["Replay", "Retelling"]


class Replay(NamedTuple):
    """What came of a replay.

    Attributes:
        is_same: Every step asked for what it asked for before, there were no further ones, and
            none was left out.
        n_steps: How many recorded steps there are.
        text: The first step that differs, or that none does.
    """

    is_same: bool
    n_steps: int
    text: str


class Retelling:
    """The runs of a program, or of one chat, being told again.

    Args:
        database: Where they are recorded.
        name: Of a run, or of a program whose chats are `name/1`, `name/2`, ...
        takes_any: Whether a chat without a name is one of them.

    Raises:
        UnknownRun: There are no such runs.
    """

    def __init__(self, database: Database, name: str, *, takes_any: bool = True):
        self.name = name
        self._database = database
        self._takes_any = takes_any
        self._lock = threading.Lock()
        self._opened: list[Execution] = []
        self._troubles: list[str] = []
        self._single: RunRecord | None = None
        try:
            self._single = database.store.run(name)
        except UnknownRun:
            if self._found(f"{name}/1") is None:
                raise

    # -- while it is told

    def execution(
        self, run_id: str | None, database: Database | None, request: Mapping[str, Any]
    ) -> Execution:
        """What a chat that starts is told from.

        Args:
            run_id: The name of a durable chat; None for one without.
            database: Where that one is recorded; None for the usual place.
            request: What the chat is asked for.

        Raises:
            ReplayMismatch: It is in no record, or asks for something else.
        """
        with self._lock:
            self._note()
            record = self._record_for(run_id, database or self._database)
            if record is None:
                what = "a chat" if run_id is None else f"the chat {run_id!r}"
                raise self.refused(what)
            if record.team is None and run_id is not None:
                try:
                    check_request(record, request)
                except ReplayMismatch as error:
                    self._troubles.append(str(error))
                    raise
            execution = Execution(database or self._database, record, log=None, owner=None)
            self._opened.append(execution)
            return execution

    def _record_for(self, run_id: str | None, database: Database) -> RunRecord | None:
        if run_id is not None:
            with suppress(UnknownRun):
                return database.store.run(run_id)
        if not self._takes_any:
            return None
        if self._single is not None:
            return None if self._opened else self._single
        return self._found(f"{self.name}/{len(self._opened) + 1}")

    def _found(self, run_id: str) -> RunRecord | None:
        with suppress(UnknownRun):
            return self._database.store.run(run_id)
        return None

    def refused(self, what: str) -> ReplayMismatch:
        """The error for something that is in no record."""
        self._note()
        error = ReplayMismatch(
            f"{what} is in no record of {self.name!r}, and nothing is asked while that is told "
            "again. Replay it with the program it began with."
        )
        if not self.is_cut_short:
            self._troubles.append(str(error))
        return error

    @property
    def is_cut_short(self) -> bool:
        """Whether a record ended before its chat did: what comes after is in none."""
        return any(map(_ends_early, self._opened))

    def _note(self) -> None:
        """Take down what broke chats off, before anything that happens after it."""
        for execution in self._opened:
            if _ends_early(execution):
                return
            trouble = execution.recording.trouble
            if trouble is not None and str(trouble) not in self._troubles:
                self._troubles.append(str(trouble))

    # -- afterwards

    @property
    def trouble(self) -> str | None:
        """The first thing that differed and was told the program; None if nothing did."""
        self._note()
        return self._troubles[0] if self._troubles else None

    @property
    def swallowed(self) -> str | None:
        """The first difference that a chat got over, so that nobody outside of it heard of it."""
        for execution in self._opened:
            trouble = execution.recording.trouble
            if trouble is not None and not execution.has_raised and not _ends_early(execution):
                return str(trouble)
        return None

    @property
    def left_out(self) -> str | None:
        """The first recorded step that was not taken again; None if all were."""
        if self.is_cut_short:
            return None
        for execution in self._opened:
            entry = execution.recording.first_left_out()
            if entry is not None and execution.record.status == "finished":
                return _not_again(entry, execution.run_id)
        if self._single is not None:
            return None if self._opened else f"the chat {self.name!r} was not started again"
        told = {execution.run_id for execution in self._opened}
        n = 1
        while (record := self._found(f"{self.name}/{n}")) is not None:
            if record.id not in told:
                return f"the chat {record.id!r} of the run was not started again"
            n += 1
        return None

    def verdict(self) -> Replay:
        """What came of it."""
        n = sum(execution.recording.n_known for execution in self._opened)
        differs = self.trouble or self.left_out
        if differs is not None:
            return Replay(False, n, differs)
        return Replay(True, n, f"all {n} recorded steps are the same")


def _ends_early(execution: Execution) -> bool:
    return execution.recording.ran_out and execution.record.status != "finished"


def _not_again(entry: Entry, run_id: str) -> str:
    return (
        f"the {entry.kind!r} step {entry.position} of run {run_id!r} was not taken again: the chat "
        "ended before it, or went another way"
    )
