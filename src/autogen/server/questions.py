"""Routes of questions to people."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Response

from ..errors import UnknownQuestion
from .callers import CallerOf, needs
from .common import (
    Cursor,
    Limit,
    PartsOf,
    RunId,
    cursor_of,
    gone,
    id_of_cursor,
    router,
    run_of_caller,
)
from .problems import Problem
from .schemas import AnswerIn, QuestionOut, QuestionPage
from .telling import as_json, question_of

__all__ = ["questions"]

questions = router(tag="questions")


@questions.get("/questions", response_model=QuestionPage, dependencies=[needs("runs:read")])
def list_questions(
    parts: PartsOf,
    caller: CallerOf,
    status: Literal["open", "answered", "expired", "withdrawn"] | None = None,
    run_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """Questions, the oldest first."""
    after = None if cursor is None else id_of_cursor(cursor)
    try:
        found = parts.runtime.questions(
            status=status, run_id=run_id, belongs_to=caller.sees, after=after, limit=limit
        )
    except UnknownQuestion:
        raise gone("question") from None
    more = cursor_of(found[-1].id) if len(found) == limit else None
    return as_json({"items": [question_of(record) for record in found], "next": more})


@questions.post(
    "/questions/{question_id}/answer",
    response_model=QuestionOut,
    dependencies=[needs("questions:answer")],
)
def answer_question(
    parts: PartsOf, caller: CallerOf, question_id: RunId, answer: AnswerIn
) -> Response:
    """Answer a question; the first answer counts (409 after that, 410 when its time is over)."""
    if caller.sees is not None:
        try:
            asked = parts.runtime.question(question_id)
            run_of_caller(parts, caller, asked.run_id)
        except (UnknownQuestion, Problem):
            raise Problem(404, f"there is no question {question_id!a}.") from None
    words = answer.words()
    if words is None:
        raise Problem(422, f'the action "{answer.action}" needs a "text".')
    return as_json(question_of(parts.runtime.answer(question_id, words, by=caller.id or answer.by)))
