"""Questions to people in a store: each is answered once, from any process."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ..errors import AlreadyAnswered, QuestionExpired, UnknownQuestion, UsageError
from ..human.base import Edited, Question
from .base import QuestionRecord
from .connect import kept
from .paging import place_of
from .sql import SqlStore
from .tables import events, questions, runs

__all__ = ["Questions"]

#: A question is about a message that was among so many newest ones.
_LOOKED_AT = 20

_TIMES = ("answered_at", "asked_at", "deadline_at")


class Questions:
    """The questions of a store."""

    def __init__(self, store: SqlStore):
        self._store = store

    def put(self, question: Question) -> QuestionRecord:
        """The question as it stands; asked again, it is the same one."""
        values = {
            "id": question.id,
            "run_id": question.run_id,
            "key": question.key,
            "agent": kept(question.agent),
            "kind": question.kind,
            "prompt": json.dumps(question.prompt),
            "schema": None if question.schema is None else json.dumps(question.schema),
            "default": None if question.default is None else json.dumps(question.default),
            "deadline_at": question.deadline_at,
            "status": "open",
            "asked_at": self._store.now,
        }
        with self._store.writing(f"question {question.id!r}") as connection:
            values["pos"] = self._pos_of(connection, question)
            made = self._store.insert(questions).values(values).on_conflict_do_nothing()
            if not self._store.is_inserted(connection, made):
                # Withdrawn by an execution that was stopped; the next one asks again.
                connection.execute(
                    sa.update(questions)
                    .where(questions.c.id == question.id, questions.c.status == "withdrawn")
                    .values(status="open")
                )
            self._mark(connection, question.run_id)
            return self._found(connection, question.id)

    def _pos_of(self, connection: sa.Connection, question: Question) -> int | None:
        """The newest message that the agent has heard."""
        query = (
            sa.select(events.c.pos, events.c.body)
            .where(events.c.run_id == question.run_id, events.c.type == "message.sent")
            .order_by(events.c.pos.desc())
            .limit(_LOOKED_AT)
        )
        for pos, body in connection.execute(query).all():
            if json.loads(body)["data"].get("recipient") == question.agent:
                return int(pos)
        return None

    def open_in(self, run_ids: Collection[str]) -> dict[str, int]:
        """How many questions are open in runs that have some."""
        query = (
            sa.select(questions.c.run_id, sa.func.count())
            .where(questions.c.run_id.in_(list(run_ids)), questions.c.status == "open")
            .group_by(questions.c.run_id)
        )
        with self._store.reading("the open questions") as connection:
            return {run_id: int(n) for run_id, n in connection.execute(query).all()}

    def _mark(self, connection: sa.Connection, run_id: str) -> None:
        """Have the status of a run say whether it waits for people."""
        is_open = sa.exists().where(questions.c.run_id == run_id, questions.c.status == "open")
        # A run that nobody has was parked until the answer; workers go on with it.
        again = sa.case((runs.c.owner.is_(None), "queued"), else_="running")
        for before, after, when in (
            ("running", "waiting", is_open),
            ("waiting", again, ~is_open),
        ):
            connection.execute(
                sa.update(runs)
                .where(runs.c.id == run_id, runs.c.status == before, when)
                .values(status=after, updated_at=self._store.now)
            )

    def settle(self, run_id: str) -> None:
        """Have a run go on that waits for people, if all its questions have answers."""
        with self._store.writing(f"run {run_id!r}") as connection:
            self._mark(connection, run_id)

    def question(self, question_id: str) -> QuestionRecord:
        """The question with this id.

        Raises:
            UnknownQuestion: There is none.
        """
        with self._store.reading(f"question {question_id!r}") as connection:
            return self._found(connection, question_id)

    def _found(self, connection: sa.Connection, question_id: str) -> QuestionRecord:
        query = sa.select(questions).where(questions.c.id == question_id)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise UnknownQuestion(
                f"there is no question {question_id!r}; `autogen answer` lists the open ones."
            )
        return _record(row)

    def questions(
        self,
        *,
        status: str | None = "open",
        run_id: str | None = None,
        belongs_to: str | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> list[QuestionRecord]:
        """Questions, the oldest first.

        Args:
            status: Only those; None for all.
            run_id: Only those of this run.
            belongs_to: Only those of this caller.
            after: The id of the last question of the page before.
            limit: The most to give.

        Raises:
            UnknownQuestion: There is no question `after`.
        """
        theirs = []
        if run_id is not None:
            theirs.append(questions.c.run_id == run_id)
        if belongs_to is not None:
            of_caller = sa.select(runs.c.id).where(runs.c.belongs_to == belongs_to)
            theirs.append(questions.c.run_id.in_(of_caller))
        order = (questions.c.asked_at, questions.c.id)
        query = sa.select(questions).where(*theirs).order_by(*order).limit(limit)
        if status is not None:
            query = query.where(questions.c.status == status)
        with self._store.reading("the questions") as connection:
            if after is not None:
                place = place_of(connection, order, after, *theirs)
                if place is None:
                    raise UnknownQuestion(f"there is no question {after!r} to list those after.")
                query = query.where(sa.tuple_(*order) > place)
            return [_record(row) for row in connection.execute(query).mappings()]

    def answer(self, question_id: str, answer: str, *, by: str | None = None) -> QuestionRecord:
        """Answer a question; the first answer counts.

        Raises:
            UnknownQuestion: There is none with this id.
            AlreadyAnswered: Somebody answered before.
            QuestionExpired: Its time is over, or nobody waits for it any more.
            UsageError: An `Edited` answer to a question that is not about a proposal.
        """
        now, who = self._store.now, None if by is None else kept(by)
        is_edit = isinstance(answer, Edited)
        said = json.dumps({"edit": str(answer)} if is_edit else answer)
        in_time = sa.or_(questions.c.deadline_at.is_(None), questions.c.deadline_at > now)
        answered = (
            sa.update(questions)
            .where(questions.c.id == question_id, questions.c.status == "open", in_time)
            .values(status="answered", answer=said, answered_by=who, answered_at=now)
        )
        with self._store.writing(f"the answer to question {question_id!r}") as connection:
            if is_edit and self._found(connection, question_id).kind != "approve":
                raise UsageError(
                    f"question {question_id!r} is not about something that can be edited; answer "
                    "it with a text."
                )
            done = connection.execute(answered).rowcount == 1
            found = self._found(connection, question_id)
            self._mark(connection, found.run_id)
        if done:
            return found
        if found.status == "answered":
            who = f" by {found.answered_by}" if found.answered_by else ""
            raise AlreadyAnswered(
                f"question {question_id!r} was answered{who} before; each is once."
            )
        raise QuestionExpired(
            f"question {question_id!r} can't be answered any more: "
            + ("nobody waits for it" if found.status == "withdrawn" else "its time is over")
            + "."
        )

    def answered(self, ids: Collection[str]) -> dict[str, QuestionRecord]:
        """Those of `ids` that are open no longer; cheap for thousands."""
        found: dict[str, QuestionRecord] = {}
        names = list(ids)
        with self._store.reading("the answers") as connection:
            for start in range(0, len(names), 500):
                query = sa.select(questions).where(
                    questions.c.id.in_(names[start : start + 500]), questions.c.status != "open"
                )
                for row in connection.execute(query).mappings():
                    found[row["id"]] = _record(row)
        return found

    def expire(self) -> None:
        """Close the questions whose time is over; those with a default are answered by it."""
        now = self._store.now
        late = (questions.c.status == "open", questions.c.deadline_at <= now)
        with self._store.reading("the deadlines of questions") as connection:
            if connection.execute(sa.select(sa.exists().where(*late))).scalar() is not True:
                return
        with self._store.writing("the deadlines of questions") as connection:
            connection.execute(
                sa.update(questions)
                .where(*late)
                .values(status="expired", answer=questions.c.default, answered_at=now)
            )
            waiting = sa.select(runs.c.id).where(runs.c.status == "waiting")
            for run_id in list(connection.execute(waiting).scalars()):
                self._mark(connection, run_id)

    def withdraw(self, question_id: str) -> None:
        """Nobody waits for an answer any more."""
        with self._store.writing(f"question {question_id!r}") as connection:
            connection.execute(
                sa.update(questions)
                .where(questions.c.id == question_id, questions.c.status == "open")
                .values(status="withdrawn")
            )
            self._mark(connection, self._found(connection, question_id).run_id)


def _record(row: Any) -> QuestionRecord:
    values = dict(row)
    for name in ("answer", "default", "prompt", "schema"):
        values[name] = None if values[name] is None else json.loads(values[name])
    values["is_edit"] = isinstance(values["answer"], dict)
    if values["is_edit"]:
        values["answer"] = values["answer"]["edit"]
    for name in _TIMES:
        values[name] = None if values[name] is None else datetime.fromtimestamp(values[name], UTC)
    return QuestionRecord(**values)
