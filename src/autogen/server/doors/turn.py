"""`Turn`: what one request of a client sets going, from there until the run needs a client again.

A turn begins with a message or an answer, and ends when the run does not go on by itself, or asks
people. It only watches: a client that goes away leaves the run as it is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from fastapi.concurrency import run_in_threadpool

from ...config.secrets import redact
from ...errors import AutogenError, UnknownQuestion, UnknownRun
from ...events import Event
from ...runtime import earlier
from ...runtime.earlier import context_of
from ...runtime.runtime import STILL
from ...store.base import QuestionRecord, RunRecord
from ..budgets import unspent
from ..callers import Caller
from ..common import Parts
from ..live import ENDS
from ..problems import Problem, problem_of
from ..schemas import MOST_POS
from ..stream import KEEP_ALIVE_S, PAGE
from ..strict import read_json
from .answers import answer_of, clean
from .speech import Said, Speech

__all__ = [
    "Standing",
    "Turn",
    "answered",
    "answered_before",
    "begun",
    "context_of",
    "id_of_key",
    "may",
    "open_questions",
    "own_question",
    "own_run",
    "said_in",
    "told_of",
    "watched",
]


class Standing(NamedTuple):
    """How a run stands at the end of a turn.

    Attributes:
        run: The run.
        questions: What it asks people, the oldest first.
    """

    run: RunRecord
    questions: list[QuestionRecord]

    @property
    def summary(self) -> str:
        """What came of it; empty where nothing did."""
        summary = (self.run.result or {}).get("summary")
        return clean(summary) if isinstance(summary, str) else ""

    @property
    def trouble(self) -> str | None:
        """Why the run failed, or None."""
        if self.run.status not in ("failed", "dead"):
            return None
        error = self.run.error or {}
        text = f"the run failed: {error.get('text') or error.get('type') or 'unknown'}"
        return clean(redact(text))


class Turn:
    """Follows a run from number `after` on.

    Attributes:
        run_id: The run.
        after: The number of the last event before the turn.
        speech: What is said.
        prompt_tokens: What models were sent in the turn.
        completion_tokens: What they answered.
        is_watching: It neither began the run nor answered anything.
    """

    def __init__(
        self, parts: Parts, run_id: str, *, after: int, speech: Speech, is_watching: bool = False
    ):
        self.run_id = run_id
        self.after = after
        self.speech = speech
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.is_watching = is_watching
        self._parts = parts
        self._end: Standing | None = None

    async def events(self) -> AsyncGenerator[Event | None]:
        """Stored events and live text; None now and then while nothing happens.

        Raises:
            Problem: 503; the server ends.
        """
        runtime, after = self._parts.runtime, self.after
        with self._parts.feed.watching(self.run_id) as watch:
            told_at = time.monotonic()
            while not watch.is_over:
                is_due = watch.is_due
                watch.clear()
                if is_due:
                    # The status first: whatever happened before it is in the page.
                    record = await run_in_threadpool(runtime.run, self.run_id)
                    found = await run_in_threadpool(
                        runtime.events, self.run_id, after=after, limit=PAGE
                    )
                    for event in found:
                        after = event.pos or after
                        if event.type in ENDS:
                            self._parts.feed.stored(event)
                        self._count(event)
                        yield event
                    if found:
                        told_at = time.monotonic()
                        watch.wake(is_due=True)
                        continue
                    if record.status in STILL or record.status == "waiting":
                        self._end = await run_in_threadpool(self._standing_of, record)
                        # Somebody else may have answered just now.
                        if record.status in STILL or self._end.questions:
                            return
                for event in watch.live():
                    told_at = time.monotonic()
                    yield event
                if time.monotonic() - told_at >= KEEP_ALIVE_S:
                    told_at = time.monotonic()
                    yield None
                await watch.wait()
        raise Problem(
            503, f"the server ends; run {self.run_id} goes on later.", headers={"Retry-After": "5"}
        )

    def _count(self, event: Event) -> None:
        if event.type == "model.answered" and not event.data.get("is_cached"):
            self.prompt_tokens += int(event.data.get("prompt_tokens") or 0)
            self.completion_tokens += int(event.data.get("completion_tokens") or 0)

    async def said(self) -> AsyncGenerator[Said | None]:
        """What is said; None now and then while nothing is."""
        async with aclosing(self.events()) as events:
            async for event in events:
                if event is None:
                    yield None
                    continue
                for said in self.speech.hear(event):
                    yield said
        for said in self.speech.close():
            yield said

    @classmethod
    def at(cls, parts: Parts, run_id: str) -> Turn:
        """A turn in which nothing is followed: to see how a run stands."""
        return cls(parts, run_id, after=MOST_POS, speech=Speech(), is_watching=True)

    async def stopped(self, most_s: float) -> None:
        """Wait until the run does not go on by itself, for `most_s` seconds at most."""
        deadline = time.monotonic() + most_s
        with self._parts.feed.watching(self.run_id) as watch:
            while not watch.is_over:
                watch.clear()
                record = await run_in_threadpool(self._parts.runtime.run, self.run_id)
                left_s = deadline - time.monotonic()
                if record.status in STILL or left_s <= 0:
                    return
                await watch.wait(left_s)

    async def standing(self) -> Standing:
        """How the run stood at the end of the turn; before that, as it stands."""
        if self._end is not None:
            return self._end
        record = await run_in_threadpool(self._parts.runtime.run, self.run_id)
        return await run_in_threadpool(self._standing_of, record)

    def _standing_of(self, record: RunRecord) -> Standing:
        is_still = record.status in STILL
        return Standing(record, [] if is_still else open_questions(self._parts, self.run_id))


def begun(
    parts: Parts,
    caller: Caller,
    team: str,
    message: str | dict[str, Any] | None,
    *,
    context: Sequence[str] = (),
    id: str | None = None,
) -> Turn:
    """The turn that begins a run.

    Args:
        parts: Of the service.
        caller: Whose run it is.
        team: Name of the team.
        message: What is said first; None for the message of the team.
        context: What was said before, which the first message carries over.
        id: Names the run; with the same id it is the same run.

    Raises:
        Problem: 402, its budget is spent; 403, it may not; 404, there is no such team.
    """
    may(caller, "runs:write")
    # Not every door reads as strictly as the native API.
    read_json(json.dumps([message, *context]).encode())
    if team not in parts.teams:
        known = ", ".join(sorted(parts.teams)) or "none"
        raise Problem(404, f"there is no team {team!a}; known are: {known}.")
    more: dict[str, Any] = {"carryover": list(context)} if context else {}
    unspent(parts, [] if caller.budget is None else [caller.budget], run_id=id)
    run_id = parts.runtime.submit(
        team, message, id=id, belongs_to=caller.id, shared_budget=caller.budget, **more
    )
    return Turn(parts, run_id, after=0, speech=Speech(has_opening=message is not None))


def answered(
    parts: Parts, caller: Caller, question: QuestionRecord, words: str, *, key: str | None = None
) -> Turn:
    """The turn that answers a question of the caller's own run; `key` as for `answered_before`.

    Raises:
        AlreadyAnswered: Somebody answered before.
        Problem: 403; the caller may not.
        QuestionExpired: Its time is over, or nobody waits for it any more.
    """
    may(caller, "questions:answer")
    read_json(json.dumps(words).encode())
    answer, after = answer_of(question, words), _last_pos(parts, question.run_id)
    parts.runtime.answer(question.id, answer, by=_answerer(caller, key))
    return Turn(parts, question.run_id, after=after, speech=Speech(answer=answer or None))


def answered_before(
    parts: Parts, caller: Caller, run_id: str, words: str, *, key: str
) -> Turn | None:
    """The turn of an answer that the caller gave under the same key before; None for none.

    Raises:
        Problem: 409; something else was answered under that key.
    """
    who = _answerer(caller, key)
    for question in parts.runtime.questions(
        status="answered", run_id=run_id, belongs_to=caller.sees
    ):
        if question.answered_by == who:
            answer = answer_of(question, words)
            if question.answer != answer:
                raise Problem(409, "something else was answered under this Idempotency-Key before.")
            after = _asked_at(parts, question)
            return Turn(parts, run_id, after=after, speech=Speech(answer=answer or None))
    return None


def _answerer(caller: Caller, key: str | None) -> str:
    """Who answers, as the question keeps it: with a mark of the key, where there is one."""
    return caller.name if key is None else f"{caller.name} [{id_of_key('answer', key)[:12]}]"


def _asked_at(parts: Parts, question: QuestionRecord) -> int:
    """The number of the event that tells of a question."""
    after = 0
    while found := parts.runtime.events(question.run_id, after=after, types=["question.asked"]):
        for event in found:
            after = event.pos or after
            if event.data.get("id") == question.id:
                return after
    return after


def watched(parts: Parts, run_id: str) -> Turn:
    """The turn of whoever only looks on, from what happens next."""
    after = _last_pos(parts, run_id)
    return Turn(parts, run_id, after=after, speech=Speech(), is_watching=True)


def own_run(parts: Parts, caller: Caller, run_id: str) -> RunRecord:
    """A run of the caller's own.

    Raises:
        UnknownRun: There is none with this id, or the id can be none.
    """
    if run_id.isprintable():
        record = parts.runtime.run(run_id)
        if caller.owns(record.belongs_to):
            return record
    raise UnknownRun(f"there is no run {run_id!a}.")


def own_question(parts: Parts, caller: Caller, question_id: str) -> QuestionRecord:
    """A question of a run of the caller's own.

    Raises:
        UnknownQuestion: There is none with this id, or the id can be none.
    """
    if question_id.isprintable():
        question = parts.runtime.question(question_id)
        if caller.owns(parts.runtime.run(question.run_id).belongs_to):
            return question
    raise UnknownQuestion(f"there is no question {question_id!a}.")


def told_of(error: AutogenError | Problem) -> Problem:
    """What a client is told of an error."""
    return error if isinstance(error, Problem) else problem_of(error)


def may(caller: Caller, scope: str) -> None:
    """Refuse a caller that lacks a scope.

    Raises:
        Problem: 403; it does.
    """
    if not caller.may(scope):
        raise Problem(403, f"this needs the scope {scope}, which the key does not have.")


def _last_pos(parts: Parts, run_id: str) -> int:
    after = 0
    while found := parts.runtime.events(run_id, after=after):
        after = found[-1].pos or after
    return after


def open_questions(parts: Parts, run_id: str) -> list[QuestionRecord]:
    """What a run asks people, the oldest first."""
    return parts.runtime.questions(status="open", run_id=run_id)


def said_in(record: RunRecord) -> list[tuple[str, str]]:
    """What was said in a run, by role, and what went before it."""
    carried = record.request.get("carryover") or []
    return [("before", text) for text in carried if isinstance(text, str)] + earlier.said_in(record)


def id_of_key(kind: str, *key: str | None) -> str:
    """The id of a run that a client names by a key of its own."""
    digest = hashlib.sha256("\0".join([kind, *(part or "" for part in key)]).encode())
    return digest.hexdigest()[:32]
