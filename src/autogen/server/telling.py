"""What is told of runs, questions and events, as JSON that any text survives.

Texts of agents may hold anything, half of a surrogate pair included, so the JSON is ASCII and no
model checks it on its way out; those of `schemas` describe it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import Response

from ..events import Event
from ..store.base import QuestionRecord, RunRecord

__all__ = ["as_json", "message_of", "question_of", "run_of"]

_OF_RUN = (
    "id team status stop_reason request result error attempts priority wish forked_from forked_at "
    "created_at updated_at"
).split()

_OF_QUESTION = (
    "id run_id agent kind prompt schema default deadline_at status answer answered_by asked_at "
    "answered_at"
).split()


def as_json(value: Any, status: int = 200, **headers: str) -> Response:
    """An answer with `value` as its body."""
    text = json.dumps(value, default=_plain)
    return Response(text, status, headers or None, media_type="application/json")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def run_of(record: RunRecord) -> dict[str, Any]:
    """A run, as `RunOut` describes it."""
    return {name: getattr(record, name) for name in _OF_RUN}


def question_of(record: QuestionRecord) -> dict[str, Any]:
    """A question, as `QuestionOut` describes it."""
    return {name: getattr(record, name) for name in _OF_QUESTION}


def message_of(event: Event) -> dict[str, Any]:
    """The message that a `message.sent` event tells, as `MessageOut` describes it."""
    told = {name: event.data.get(name) for name in ("sender", "recipient", "message")}
    return {"pos": event.pos, "at": event.at, "chat_id": event.chat_id, **told}
