"""`SqlStore`: runs, events and questions in SQLite or Postgres.

Every method is one transaction, may be called from any thread, and blocks. What an execution
writes names its owner, and is refused with `RunLost` once another one owns the run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import RunBusy, RunLost, UnknownRun
from ..events import Event
from .base import Counts, RunRecord, Verdict, Wish
from .chain import START, Row, body_of, event_of, json_of, linked, verified
from .connect import NOW, READS, check_name, connected, kept, masked, translated
from .counting import ANSWERED, COUNTED, SUMS, counted, row_of
from .paging import place_of
from .schema import upgraded
from .sweeping import forget_uses
from .tables import beats, egress, events, is_alive, questions, reservations, runs, usage

__all__ = ["SqlStore"]

_JSON = ("edits", "error", "request", "result")
_LIVE = ("queued", "running", "waiting")

# What every step executes, built once: to build it takes longer than to execute it.
_END = (
    sa.select(runs.c.owner, runs.c.last_pos, runs.c.last_hash, runs.c.forked_at)
    .where(runs.c.id == sa.bindparam("run"))
    .with_for_update()
)
_KNOWN = sa.select(events.c.key).where(
    events.c.run_id == sa.bindparam("run"),
    events.c.key.in_(sa.bindparam("keys", expanding=True)),
)
_ADD_EVENTS, _ADD_USAGE = sa.insert(events), sa.insert(usage)
_MOVE_END = (
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("run"))
    .values(last_pos=sa.bindparam("pos"), last_hash=sa.bindparam("hash"), **SUMS)
)


class SqlStore:
    """A database, opened and brought to the newest version of its tables.

    Raises:
        UsageError: The URL is of no kind that is known.
        JournalError: The database cannot be used; the text says why and what to do.
    """

    def __init__(self, url: str):
        self.url = url
        #: Called with the id of a run that this process has changed, in the thread that did.
        self.on_change: list[Callable[[str], None]] = []
        #: The same, where its status may have changed.
        self.on_status: list[Callable[[str], None]] = []
        #: Called with each event of runs that are executed in this process as it happens, before
        #: it is stored and also where it never is, in the thread that drives the run.
        self.on_event: list[Callable[[Event], None]] = []
        self._engine = connected(url)
        self._now = NOW[self._engine.dialect.name]
        self._move_end = _MOVE_END.values(updated_at=self._now)
        is_file = self._engine.dialect.name == "sqlite"
        # Threads that wait for each other in SQLite look again after up to 100 ms; here the next
        # one goes on at once.
        self._turn = threading.Lock() if is_file else nullcontext()
        try:
            with translated(f"the database {masked(url)} cannot be opened"):
                upgraded(self._engine)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def reading(self, what: str, *, in_one_view: bool = False) -> Iterator[sa.Connection]:
        """A connection that only reads.

        Args:
            what: For error messages.
            in_one_view: Whether all statements see the same state, which SQLite always gives.
        """
        options: dict[str, Any] = {READS: True}
        if in_one_view and self._engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with (
            translated(f"{what} could not be read from {masked(self.url)}"),
            self._engine.connect().execution_options(**options) as connection,
        ):
            yield connection

    @contextmanager
    def writing(self, what: str) -> Iterator[sa.Connection]:
        """A transaction."""
        with (
            translated(f"{what} could not be written to {masked(self.url)}"),
            self._turn,
            self._engine.begin() as connection,
        ):
            yield connection

    def insert(self, table: sa.Table) -> Any:
        """An insert that may say what to do about a row that is there."""
        made = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        return made.insert(table)

    @staticmethod
    def is_inserted(connection: sa.Connection, statement: Any) -> bool:
        """Execute an insert of one row, and say whether it is new."""
        # Without the option SQLAlchemy does not ask Postgres for the number.
        statement = statement.execution_options(preserve_rowcount=True)
        return bool(connection.execute(statement).rowcount == 1)

    @property
    def now(self) -> Any:
        """The time by the clock of the database, as SQL."""
        return self._now

    # -- runs

    def create_run(self, record: RunRecord, *, is_alone: bool = False) -> tuple[RunRecord, bool]:
        """The run with the id of `record`, and whether it is new.

        Args:
            record: What to write where there is no such run.
            is_alone: Refuse it while another run of its conversation has not ended.

        Raises:
            RunBusy: There is such a run.
            UsageError: The id or the name of the team is a text that databases do not keep.
        """
        for name in (record.id, record.team or ""):
            check_name(name)
        values = {**_columns(record), "last_pos": 0, "last_hash": START}
        made = self.insert(runs).values(
            {**values, "created_at": self._now, "updated_at": self._now}
        )
        with self.writing(f"run {record.id!r}") as connection:
            is_new = self.is_inserted(connection, made.on_conflict_do_nothing())
            if is_new and is_alone:
                self._check_alone(connection, record)
            return self._run(connection, record.id), is_new

    def _check_alone(self, connection: sa.Connection, record: RunRecord) -> None:
        if connection.dialect.name == "postgresql":
            # Two that are asked for at once would not see each other.
            name = f"{record.belongs_to}/{record.conversation}"
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))
            connection.execute(sa.select(lock))
        other = connection.execute(
            sa.select(runs.c.id).where(
                runs.c.conversation == record.conversation,
                runs.c.belongs_to.is_not_distinct_from(record.belongs_to),
                runs.c.id != record.id,
                runs.c.status.in_(_LIVE),
            )
        ).scalar()
        if other is not None:
            raise RunBusy(
                f"conversation {record.conversation!r} has a run under way ({other}). Wait for it "
                "to end, or have this one begin after it (enqueue) or in its place (interrupt)."
            )

    def runs_of_conversation(self, record: RunRecord) -> list[RunRecord]:
        """The runs of the conversation of `record` that have not ended, the oldest first."""
        query = (
            sa.select(runs)
            .where(
                runs.c.conversation == record.conversation,
                runs.c.belongs_to.is_not_distinct_from(record.belongs_to),
                runs.c.status.in_(_LIVE),
            )
            .order_by(runs.c.created_at, runs.c.id)
        )
        with self.reading("the runs of a conversation") as connection:
            return [record_of(row) for row in connection.execute(query).mappings()]

    def run(self, run_id: str) -> RunRecord:
        """The run with this id.

        Raises:
            UnknownRun: There is none.
        """
        with self.reading(f"run {run_id!r}") as connection:
            return self._run(connection, run_id)

    def _run(self, connection: sa.Connection, run_id: str) -> RunRecord:
        row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
        if row is None:
            raise UnknownRun(
                f"there is no run {run_id!r} in {masked(self.url)}; `autogen runs` lists those "
                "there are."
            )
        return record_of(row)

    def runs(
        self,
        *,
        status: str | None = None,
        team: str | None = None,
        belongs_to: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        """Runs, the newest first.

        Args:
            status: Only those.
            team: Only those of this team.
            belongs_to: Only those of this caller.
            after: The id of the last run of the page before.
            limit: The most to give.
        """
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(runs.c.status == status)
        if team is not None:
            query = query.where(runs.c.team == team)
        if belongs_to is not None:
            query = query.where(runs.c.belongs_to == belongs_to)
        with self.reading("the runs") as connection:
            if after is not None:
                order = (runs.c.created_at, runs.c.id)
                place = place_of(connection, order, after)
                if place is None:
                    raise UnknownRun(f"there is no run {after!r} to list those before.")
                query = query.where(sa.tuple_(*order) < place)
            return [record_of(row) for row in connection.execute(query).mappings()]

    def claim(
        self, run_id: str, owner: str, *, expected: str | None, attempt: int | None = None
    ) -> RunRecord | None:
        """Make `owner` the only one that may write to a run; None if it was not `expected`'s.

        Args:
            run_id: The run.
            owner: Who wants it.
            expected: Who has it; None for nobody.
            attempt: The number that the execution has to have; None for whichever is next.
        """
        was = [runs.c.owner.is_(None) if expected is None else runs.c.owner == expected]
        if attempt is not None:
            was += [runs.c.attempts == attempt - 1, runs.c.status == "queued", ~_is_held_up()]
        taken = (
            sa.update(runs)
            .where(runs.c.id == run_id, *was, runs.c.status != "finished")
            .values(
                owner=owner,
                worker_id=owner.rpartition("/")[0],
                attempts=runs.c.attempts + 1,
                status="running",
                wish=None,
                updated_at=self._now,
            )
        )
        with self.writing(f"run {run_id!r}") as connection:
            if connection.execute(taken).rowcount != 1:
                return None
            return self._run(connection, run_id)

    def update(self, run_id: str, owner: str, *, leave: bool = False, **changes: Any) -> None:
        """Change fields of a run that `owner` has; `leave` lets go of it as well.

        Raises:
            RunLost: Somebody else has it.
        """
        values = {k: _plain(v) if k in _JSON else v for k, v in changes.items()}
        if leave:
            values.update(owner=None, worker_id=None)
        if leave and values.get("status") == "waiting":
            # Nobody will look at the wish any more.
            values |= _as_wished("waiting")
        changed = (
            sa.update(runs)
            .where(runs.c.id == run_id, runs.c.owner == owner)
            .values(**values, updated_at=self._now)
        )
        with self.writing(f"run {run_id!r}") as connection:
            if connection.execute(changed).rowcount != 1:
                raise _lost(run_id)
        self._tell(run_id)
        for told in self.on_status:
            told(run_id)

    def wish(self, run_id: str, wish: Wish) -> RunRecord:
        """Ask whoever has a run to stop it; one that nobody has yet is stopped at once."""
        stopped = "cancelled" if wish == "cancel" else "paused"
        live = (runs.c.id == run_id, runs.c.status.in_(_LIVE))
        with self.writing(f"run {run_id!r}") as connection:
            at_once = (
                sa.update(runs)
                .where(*live, runs.c.owner.is_(None))
                .values(status=stopped, stop_reason="cancelled", updated_at=self._now)
            )
            if connection.execute(at_once).rowcount:
                # It was parked; when it goes on it asks again.
                connection.execute(
                    sa.update(questions)
                    .where(questions.c.run_id == run_id, questions.c.status == "open")
                    .values(status="withdrawn")
                )
            connection.execute(sa.update(runs).where(*live).values(wish=wish))
            return self._run(connection, run_id)

    def marks(self, run_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Status and number of the newest event of runs; cheap for thousands."""
        found: dict[str, tuple[str, int]] = {}
        with self.reading("the runs that are watched") as connection:
            for start in range(0, len(run_ids), 500):
                query = sa.select(runs.c.id, runs.c.status, runs.c.last_pos).where(
                    runs.c.id.in_(run_ids[start : start + 500])
                )
                for row in connection.execute(query):
                    found[row.id] = (row.status, row.last_pos)
        return found

    def wishes(self, worker_id: str) -> dict[str, str]:
        """What is wished of the runs that a process has, by their ids."""
        query = sa.select(runs.c.id, runs.c.wish).where(
            runs.c.worker_id == worker_id, runs.c.wish.is_not(None)
        )
        with self.reading("what is wished of runs") as connection:
            return {row.id: row.wish for row in connection.execute(query)}

    def allow_host(self, run_id: str, pattern: str, *, by: str | None) -> None:
        """Write down that the code of a run may reach a host."""
        row = self.insert(egress).values(
            run_id=run_id,
            pattern=pattern,
            allowed_by=None if by is None else kept(by),
            allowed_at=self._now,
        )
        with self.writing(f"a host for run {run_id!r}") as connection:
            connection.execute(row.on_conflict_do_nothing())

    def allowed_hosts(self, worker_id: str) -> list[tuple[str, str]]:
        """The runs that a process has, each with a host that its code may reach."""
        query = (
            sa.select(egress.c.run_id, egress.c.pattern)
            .join(runs, runs.c.id == egress.c.run_id)
            .where(runs.c.worker_id == worker_id)
        )
        with self.reading("the hosts that runs may reach") as connection:
            return [(row.run_id, row.pattern) for row in connection.execute(query)]

    def counts(self, *, alive_s: float) -> Counts:
        """What there is; a process counts as alive that beat in the last `alive_s` seconds."""
        by_status = sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status)
        is_open = sa.select(sa.func.count()).where(questions.c.status == "open")
        lives = sa.select(sa.func.count()).where(is_alive(self._now, alive_s))
        with self.reading("the counts") as connection:
            return Counts(
                {str(status): int(n) for status, n in connection.execute(by_status).all()},
                int(connection.execute(is_open).scalar() or 0),
                int(connection.execute(lives).scalar() or 0),
            )

    def _tell(self, run_id: str) -> None:
        for told in self.on_change:
            told(run_id)

    # -- workers

    def beat(self, worker_id: str, lease_s: float | None = None) -> None:
        """Write down that a process lives, and for how long that is to count."""
        values = {"beat_at": self._now, "lease_s": lease_s}
        row = self.insert(beats).values(worker_id=worker_id, **values)
        row = row.on_conflict_do_update(index_elements=[beats.c.worker_id], set_=values)
        with self.writing("a sign of life") as connection:
            connection.execute(row)

    def leave(self, worker_id: str) -> None:
        """Write down that a process has ended."""
        with self.writing("a sign of life") as connection:
            connection.execute(sa.delete(beats).where(beats.c.worker_id == worker_id))

    def beats_since(self, worker_id: str, lease_s: float) -> bool:
        """Whether a process gave a sign of life in the last `lease_s` seconds, or its own lease.

        One from the future, left by a clock that was set back, is none: who lives gives another.
        """
        query = sa.select(is_alive(self._now, lease_s)).where(beats.c.worker_id == worker_id)
        with self.reading("a sign of life") as connection:
            return bool(connection.execute(query).scalar())

    def workers_with_runs(self) -> list[str]:
        """The processes that have runs of teams under way."""
        query = (
            sa.select(runs.c.worker_id)
            .where(runs.c.team.is_not(None), runs.c.worker_id.is_not(None))
            .where(runs.c.status.in_(_LIVE))
            .distinct()
        )
        with self.reading("the workers") as connection:
            return list(connection.execute(query).scalars())

    def runs_of(self, worker_id: str) -> list[RunRecord]:
        """The runs of teams that a process has under way."""
        query = sa.select(runs).where(
            runs.c.worker_id == worker_id,
            runs.c.team.is_not(None),
            runs.c.status.in_(_LIVE),
        )
        with self.reading("the runs of a worker") as connection:
            return [record_of(row) for row in connection.execute(query).mappings()]

    def waiting_for_workers(self, since_s: float) -> list[RunRecord]:
        """Runs of teams that nobody has taken up for `since_s` seconds."""
        query = sa.select(runs).where(
            runs.c.status == "queued",
            runs.c.team.is_not(None),
            runs.c.owner.is_(None),
            # Later than now is where the clock was set back.
            ~runs.c.updated_at.between(self._now - since_s, self._now + since_s),
            ~_is_held_up(),
        )
        with self.reading("the runs that wait") as connection:
            return [record_of(row) for row in connection.execute(query).mappings()]

    def requeue(
        self, run_id: str, *, expected: str | None, status: str | None = None
    ) -> RunRecord | None:
        """Take a run from a dead owner, or from nobody, and have workers go on with it.

        One that the dead owner was to stop is stopped instead.

        Returns:
            The run; None if it was not `expected`'s, or not in `status`.
        """
        was = runs.c.owner.is_(None) if expected is None else runs.c.owner == expected
        query = sa.update(runs).where(runs.c.id == run_id, was)
        if status is not None:
            query = query.where(runs.c.status == status)
        values: dict[str, Any] = {"status": "queued"} if expected is None else _as_wished("queued")
        queued = query.values(**values, owner=None, worker_id=None, wish=None, updated_at=self._now)
        with self.writing(f"run {run_id!r}") as connection:
            if connection.execute(queued).rowcount != 1:
                return None
            return self._run(connection, run_id)

    def skip(self, run_id: str, attempt: int) -> RunRecord | None:
        """Give up the number of an execution that will never claim its run.

        Returns:
            The run, whose next execution has the number after; None if it was claimed after all.
        """
        skipped = (
            sa.update(runs)
            .where(runs.c.id == run_id, runs.c.owner.is_(None), runs.c.status == "queued")
            .where(runs.c.attempts == attempt - 1)
            .values(attempts=attempt, updated_at=self._now)
        )
        with self.writing(f"run {run_id!r}") as connection:
            if connection.execute(skipped).rowcount != 1:
                return None
            return self._run(connection, run_id)

    def give_up(self, run_id: str, *, expected: str | None, text: str) -> None:
        """Have nobody try a run again until somebody asks for it."""
        with self.writing(f"run {run_id!r}") as connection:
            connection.execute(
                sa.update(runs)
                .where(runs.c.id == run_id, runs.c.owner == expected)
                .values(
                    status="dead",
                    stop_reason="error",
                    error=_plain({"type": "WorkerDied", "text": text}),
                    owner=None,
                    worker_id=None,
                    updated_at=self._now,
                )
            )

    # -- events

    def append(self, run_id: str, owner: str, new: Sequence[tuple[Event, int]]) -> list[Event]:
        """Write events, in one piece; those whose key is there already are left out.

        Args:
            run_id: The run.
            owner: The execution that writes.
            new: Each event, and how many steps had been taken when it happened.

        Returns:
            The written ones, with their `pos`.

        Raises:
            RunLost: `owner` does not have the run any more.
        """
        keys = [event.key for event, _ in new]
        with self.writing(f"events of run {run_id!r}") as connection:
            end = connection.execute(_END, {"run": run_id}).first()
            if end is None or end.owner != owner:
                raise _lost(run_id)
            known = set(connection.execute(_KNOWN, {"run": run_id, "keys": keys}).scalars())
            pos, last = end.last_pos, end.last_hash
            rows: list[dict[str, Any]] = []
            used: list[Event] = []
            for event, n_steps in new:
                if event.key in known:
                    continue
                known.add(event.key)
                pos += 1
                body = body_of(event)
                last = linked(last, pos, body, n_steps)
                rows.append(
                    {
                        "run_id": run_id,
                        "pos": pos,
                        "key": event.key,
                        "type": event.type,
                        "body": body,
                        "n_steps": n_steps,
                        "hash": last,
                    }
                )
                # What a fork shares was counted where it was taken; code begins before its step.
                n_shared = (end.forked_at or 0) + (event.type != "code.started")
                if event.type in COUNTED and n_steps >= n_shared:
                    used.append(replace(event, pos=pos))
            if rows:
                connection.execute(_ADD_EVENTS, rows)
                moved = {"run": run_id, "pos": pos, "hash": last, **counted(used)}
                connection.execute(self._move_end, moved)
            answers = [{"run_id": run_id, **row_of(e)} for e in used if e.type == ANSWERED]
            if answers:
                connection.execute(_ADD_USAGE, answers)
        self._tell(run_id)
        return [event_of(row["pos"], row["body"]) for row in rows]

    def events(
        self,
        run_id: str,
        *,
        after: int = 0,
        limit: int = 1000,
        types: Collection[str] | None = None,
    ) -> list[Event]:
        """Events of a run in their order, those after number `after`; of these types, if given."""
        query = (
            sa.select(events.c.pos, events.c.body)
            .where(events.c.run_id == run_id, events.c.pos > after)
            .order_by(events.c.pos)
            .limit(limit)
        )
        if types is not None:
            query = query.where(events.c.type.in_(list(types)))
        with self.reading(f"the events of run {run_id!r}") as connection:
            return [event_of(pos, body) for pos, body in connection.execute(query)]

    def event_at(self, run_id: str, pos: int) -> tuple[Event, int]:
        """An event by its number, and how many steps had been taken when it happened.

        Raises:
            UnknownRun: There is no such run, or it has no such event.
        """
        query = sa.select(events.c.body, events.c.n_steps).where(
            events.c.run_id == run_id, events.c.pos == pos
        )
        with self.reading(f"event {pos} of run {run_id!r}") as connection:
            row = connection.execute(query).first()
            if row is None:
                n = connection.execute(
                    sa.select(runs.c.last_pos).where(runs.c.id == run_id)
                ).scalar()
                raise UnknownRun(
                    f"there is no run {run_id!r}."
                    if n is None
                    else f"run {run_id!r} has no event {pos!r}; its events are 1 to {n}."
                )
            return event_of(pos, row.body), row.n_steps

    def verify(self, run_id: str) -> Verdict:
        """Whether the events of a run are as they were written.

        Raises:
            UnknownRun: There is no such run.
        """
        query = (
            sa.select(*(events.c[name] for name in Row._fields))
            .where(events.c.run_id == run_id)
            .order_by(events.c.pos)
        )
        with self.reading(f"the events of run {run_id!r}", in_one_view=True) as connection:
            self._run(connection, run_id)
            end = connection.execute(
                sa.select(runs.c.last_pos, runs.c.last_hash).where(runs.c.id == run_id)
            ).one()
            rows = (Row(*row) for row in connection.execute(query))
            return verified(run_id, rows, end.last_pos, end.last_hash)

    # -- retention

    def prune(
        self, older_than_s: float, *, forget: Callable[[RunRecord], object] | None = None
    ) -> list[RunRecord]:
        """Delete runs that ended so long ago, with their events and questions.

        A run that another one was forked from stays as long as that one. Signs of life that are
        as old go too, where their process left no run behind, and what dead processes had set
        aside in budgets, which counts as spent.

        Args:
            older_than_s: How long ago.
            forget: Deletes the logs of a run. Called before its row goes, so that what is left by
                somebody who is killed in between is deleted by whoever prunes next.
        """
        parent = runs.alias()
        forked = sa.exists().where(parent.c.forked_from == runs.c.id)
        query = sa.select(runs).where(
            runs.c.status.not_in(_LIVE), runs.c.updated_at < self._now - older_than_s, ~forked
        )
        with self.writing("what is too old") as connection:
            old = [record_of(row) for row in connection.execute(query).mappings()]
            ids = [record.id for record in old]
            for start in range(0, len(ids), 500):
                # So that nobody goes on with one while its log is deleted.
                those = runs.c.id.in_(ids[start : start + 500])
                connection.execute(sa.update(runs).where(those).values(status="finished"))
        for record in old:
            if forget is not None:
                forget(record)
        with self.writing("what is too old") as connection:
            for table, column in (
                (events, events.c.run_id),
                (questions, questions.c.run_id),
                (usage, usage.c.run_id),
                (egress, egress.c.run_id),
                (runs, runs.c.id),
            ):
                for start in range(0, len(ids), 500):
                    some = ids[start : start + 500]
                    if table is runs:
                        forget_uses(connection, some)
                    connection.execute(sa.delete(table).where(column.in_(some)))
            left_behind = sa.exists().where(runs.c.worker_id == beats.c.worker_id)
            connection.execute(
                sa.delete(beats).where(beats.c.beat_at < self._now - older_than_s, ~left_behind)
            )
            connection.execute(
                sa.delete(reservations).where(
                    reservations.c.is_booked, reservations.c.made_at < self._now - older_than_s
                )
            )
        return old


def _is_held_up() -> Any:
    """Whether another run of the same conversation has to end first."""
    other = runs.alias()
    is_before = sa.tuple_(other.c.created_at, other.c.id) < sa.tuple_(runs.c.created_at, runs.c.id)
    return sa.and_(
        runs.c.conversation.is_not(None),
        sa.exists().where(
            other.c.conversation == runs.c.conversation,
            other.c.belongs_to.is_not_distinct_from(runs.c.belongs_to),
            other.c.id != runs.c.id,
            sa.or_(
                other.c.status.in_(("running", "waiting")),
                sa.and_(other.c.status == "queued", is_before),
            ),
        ),
    )


def _as_wished(status: str) -> dict[str, Any]:
    """How a run is listed that its owner leaves: as somebody wished, else with `status`."""
    return {
        "status": sa.case(
            (runs.c.wish == "cancel", "cancelled"), (runs.c.wish == "pause", "paused"), else_=status
        ),
        "stop_reason": sa.case((runs.c.wish.is_not(None), "cancelled"), else_=runs.c.stop_reason),
    }


def _lost(run_id: str) -> RunLost:
    return RunLost(
        f"run {run_id!r} belongs to another execution by now; this one ends here, and writes "
        "nothing more."
    )


def _plain(value: Any) -> str | None:
    return None if value is None else json_of(value)


def _columns(record: RunRecord) -> dict[str, Any]:
    values = asdict(record)
    del values["created_at"], values["updated_at"]
    values.update({name: _plain(values[name]) for name in _JSON})
    values["worker_id"] = None if record.owner is None else record.owner.rpartition("/")[0]
    return values


def record_of(row: Any) -> RunRecord:
    values = {k: v for k, v in row.items() if k not in ("last_hash", "last_pos", "worker_id")}
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    for name in ("created_at", "updated_at"):
        values[name] = datetime.fromtimestamp(values[name], UTC)
    return RunRecord(**values)
