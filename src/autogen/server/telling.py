"""What is told of runs, questions and events, as JSON that any text survives.

Texts of agents may hold anything, half of a surrogate pair included, so the JSON is ASCII and no
model checks it on its way out; those of `schemas` describe it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import Response

from ..events import Event
from ..limits.base import Spent
from ..runtime.runtime import Runtime
from ..runtime.worker import own_budget
from ..store.account import BudgetRecord
from ..store.base import QuestionRecord, RunRecord
from ..store.blobs import FileRecord
from ..store.chats import ChatRecord

__all__ = [
    "as_json",
    "budget_of",
    "chat_of",
    "file_of",
    "message_of",
    "question_of",
    "run_of",
    "runs_of",
    "title_of",
]

_OF_RUN = (
    "id team status stop_reason request result error attempts priority wish forked_from forked_at "
    "created_at updated_at conversation n_tokens n_steps"
).split()

#: The letters of a title.
_MOST_TITLE = 80

_OF_QUESTION = (
    "id run_id agent kind prompt schema default deadline_at status pos answer is_edit answered_by "
    "asked_at answered_at"
).split()


def as_json(value: Any, status: int = 200, **headers: str) -> Response:
    """An answer with `value` as its body."""
    text = json.dumps(value, default=_plain)
    return Response(text, status, headers or None, media_type="application/json")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def run_of(
    record: RunRecord, *, n_open_questions: int = 0, budget: BudgetRecord | None = None
) -> dict[str, Any]:
    """A run, as `RunOut` describes it."""
    return {
        **{name: getattr(record, name) for name in _OF_RUN},
        "title": title_of(record),
        "cost_usd": _cost_of(record.nano_usd, is_known=record.is_cost_known),
        "n_open_questions": n_open_questions,
        "budget": None if budget is None else budget_of(budget),
    }


def runs_of(runtime: Runtime, records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Runs as `RunOut` describes them, with what is known of them elsewhere."""
    waiting = [record.id for record in records if record.status in ("running", "waiting")]
    n_open = runtime.n_open_questions(waiting) if waiting else {}
    names = {record.id: name for record in records if (name := _budget_name(record)) is not None}
    found = runtime.budgets(set(names.values())) if names else []
    budgets = {budget.name: budget for budget in found}
    return [
        run_of(
            record,
            n_open_questions=n_open.get(record.id, 0),
            budget=budgets.get(names.get(record.id, "")),
        )
        for record in records
    ]


def _budget_name(record: RunRecord) -> str | None:
    wanted = (record.request.get("options") or {}).get("budget")
    if isinstance(wanted, str):
        return wanted
    return own_budget(record.id) if wanted else None


def title_of(record: RunRecord) -> str:
    """The first words of what a run was asked."""
    message = record.request.get("message")
    if isinstance(message, dict):
        message = message.get("content")
    line = " ".join(str(message or "").split())
    return line if len(line) <= _MOST_TITLE else f"{line[: _MOST_TITLE - 1].rstrip()}\u2026"


def _cost_of(nano_usd: int, *, is_known: bool) -> float | None:
    return None if nano_usd == 0 and not is_known else nano_usd / 1_000_000_000


def chat_of(record: ChatRecord) -> dict[str, Any]:
    """A chat, as `ChatOut` describes it."""
    names = ("name", "team", "status", "n_runs", "updated_at")
    cost = _cost_of(record.nano_usd, is_known=record.is_cost_known)
    return {**{name: getattr(record, name) for name in names}, "cost_usd": cost}


def budget_of(record: BudgetRecord) -> dict[str, Any]:
    """A budget, as `BudgetOut` describes it."""
    return {
        "name": record.name,
        "limits": Spent.of(record.ceiling)._asdict(),
        "spent": Spent.of(record.spent)._asdict(),
        "held": Spent.of(record.held)._asdict(),
        "is_spent": record.is_spent,
    }


def file_of(record: FileRecord) -> dict[str, Any]:
    """A file that was handed in, as `FileOut` describes it."""
    names = ("id", "name", "media_type", "sha256", "created_at")
    return {**{name: getattr(record, name) for name in names}, "size": record.size_bytes}


def question_of(record: QuestionRecord) -> dict[str, Any]:
    """A question, as `QuestionOut` describes it."""
    return {name: getattr(record, name) for name in _OF_QUESTION}


def message_of(event: Event) -> dict[str, Any]:
    """The message that a `message.sent` event tells, as `MessageOut` describes it."""
    told = {name: event.data.get(name) for name in ("sender", "recipient", "message")}
    return {"pos": event.pos, "at": event.at, "chat_id": event.chat_id, **told}
