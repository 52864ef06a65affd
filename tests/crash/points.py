"""The named points at which a worker can be made to die: methods wrapped in the worker's process.

Nothing in the product knows of them.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from tests.crash.audit import mark

from autogen._durable.execution import Execution
from autogen.human.mailbox import Mailbox
from autogen.journal.dbos import DbosEngine, DbosLog
from autogen.journal.recording import Recording
from autogen.runtime.worker import Worker
from autogen.store.asking import Questions
from autogen.store.sql import SqlStore

__all__ = ["NAMES", "arm"]

#: Kinds of steps that begin and are kept, and those that are kept only: code of the user's own.
STEPS = ("model", "tool", "code", "human")
OWN = ("message", "selection")

When = Callable[..., bool]


class Fuse:
    """Kills this process when it is touched for the `nth` time."""

    def __init__(self, point: str, nth: int):
        self._point = point
        self._left = nth

    def touch(self) -> None:
        self._left -= 1
        if self._left == 0:
            mark("died", point=self._point)
            os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: type, name: str, when: When = lambda *a, **k: True) -> Callable[[Fuse], None]:
    return lambda fuse: _wrap(owner, name, fuse, when, is_before=True)


def _after(owner: type, name: str, when: When = lambda *a, **k: True) -> Callable[[Fuse], None]:
    return lambda fuse: _wrap(owner, name, fuse, when, is_before=False)


def _wrap(owner: type, name: str, fuse: Fuse, when: When, *, is_before: bool) -> None:
    real = getattr(owner, name)

    @functools.wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        hit = when(*args, **kwargs)
        if hit and is_before:
            fuse.touch()
        value = real(*args, **kwargs)
        if hit and not is_before:
            fuse.touch()
        return value

    setattr(owner, name, wrapped)


def _answered(fuse: Fuse) -> None:
    """After an answer of a person has come, before it is kept."""
    real = Mailbox.ask

    async def ask(self: Mailbox, question: Any) -> str:
        answer = await real(self, question)
        fuse.touch()
        return answer

    Mailbox.ask = ask  # type: ignore[method-assign]


def _in_commit(word: str) -> Callable[[Fuse], None]:
    """When everything of a transaction was said but "commit", if it writes what has `word`."""

    def armed(fuse: Fuse) -> None:
        def said(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
            low = statement.lower()
            if low.startswith(("insert", "update")) and word in low:
                conn.info["crash"] = True

        def committed(conn: Any) -> None:
            if conn.info.pop("crash", False):
                fuse.touch()

        def undone(conn: Any) -> None:
            conn.info.pop("crash", None)

        sa.event.listen(sa.Engine, "before_cursor_execute", said)
        sa.event.listen(sa.Engine, "commit", committed)
        sa.event.listen(sa.Engine, "rollback", undone)

    return armed


def _is(kind: str) -> When:
    return lambda recording, position, kind_, *rest: kind_ == kind


def _keeps(kind: str) -> When:
    return lambda recording, entry: entry.kind == kind


def _ends(store: Any, run_id: str, owner: str, **changes: Any) -> bool:
    return changes.get("status") == "finished"


_POINTS: dict[str, Callable[[Fuse], None]] = {
    **{f"{kind}: before it begins": _before(Recording, "begin", _is(kind)) for kind in STEPS},
    **{f"{kind}: begun": _after(Recording, "begin", _is(kind)) for kind in STEPS},
    **{
        f"{kind}: done, not kept": _before(Recording, "keep", _keeps(kind))
        for kind in (*STEPS, *OWN)
    },
    **{f"{kind}: kept": _after(Recording, "keep", _keeps(kind)) for kind in (*STEPS, *OWN)},
    "entry: before": _before(DbosLog, "append"),
    "entry: in its commit": _in_commit("operation_outputs"),
    "entry: after": _after(DbosLog, "append"),
    "events: before": _before(SqlStore, "append"),
    "events: in their commit": _in_commit("autogen_events"),
    "events: after": _after(SqlStore, "append"),
    "job: taken from the queue": _before(Worker, "_claimed"),
    "claim: before": _before(SqlStore, "claim"),
    "claim: in its commit": _in_commit("attempts=(autogen_runs.attempts"),
    "claim: after, before the log is read": _after(SqlStore, "claim"),
    "claim: after, before the first step": _after(Worker, "_claimed"),
    "question: before it is put": _before(Mailbox, "ask"),
    "question: put": _after(Questions, "put"),
    "question: answered, not heard of": _answered,
    "end: before the row says so": _before(SqlStore, "update", _ends),
    "end: in the commit of the row": _in_commit("stop_reason="),
    "end: between row and log": _after(SqlStore, "update", _ends),
    "end: log closed": _after(DbosLog, "close"),
    "end: all done": _after(Execution, "finish"),
    "beat: before": _before(SqlStore, "beat"),
    "beat: after": _after(SqlStore, "beat"),
    "taking over: before": _before(SqlStore, "requeue"),
    "taking over: between row and fence": _after(SqlStore, "requeue"),
    "taking over: between fence and queue": _after(DbosEngine, "fence"),
    "taking over: queued": _after(DbosEngine, "enqueue"),
}

#: Those of workers. The submitter has two of its own.
NAMES = tuple(_POINTS)

_SUBMITTING: dict[str, Callable[[Fuse], None]] = {
    "submit: between row and queue": _after(SqlStore, "create_run"),
    "submit: queued": _after(DbosEngine, "enqueue"),
}


def arm(point: str, nth: int = 1) -> None:
    """Have this process die when it comes to `point` for the `nth` time."""
    {**_POINTS, **_SUBMITTING}[point](Fuse(point, nth))
