"""Routes of questions to people."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Response

from .common import PartsOf, RunId, router
from .problems import Problem
from .schemas import AnswerIn, QuestionOut, QuestionPage
from .telling import as_json, question_of

__all__ = ["questions"]

questions = router(tag="questions")


@questions.get("/questions", response_model=QuestionPage)
def list_questions(
    parts: PartsOf,
    status: Literal["open", "answered", "expired", "withdrawn"] | None = None,
    run_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
) -> Response:
    """Questions, the oldest first; at most 1000."""
    found = parts.runtime.questions(status=status, run_id=run_id)
    return as_json({"items": [question_of(record) for record in found]})


@questions.post("/questions/{question_id}/answer", response_model=QuestionOut)
def answer_question(parts: PartsOf, question_id: RunId, answer: AnswerIn) -> Response:
    """Answer a question; the first answer counts (409 after that, 410 when its time is over)."""
    words = answer.words()
    if words is None:
        raise Problem(422, 'the action "text" needs a "text".')
    return as_json(question_of(parts.runtime.answer(question_id, words, by=answer.by)))
