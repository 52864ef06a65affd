"""What events tell of the use of a run: what is summed beside them when they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ..events import Event
from .tables import runs

__all__ = ["ANSWERED", "COUNTED", "SUMS", "counted", "row_of"]

ANSWERED = "model.answered"

#: Events that tell of steps.
COUNTED = frozenset({ANSWERED, "code.started", "tool.answered"})

#: New values of the row of a run.
SUMS = {
    "n_tokens": runs.c.n_tokens + sa.bindparam("more_tokens", type_=sa.BigInteger),
    "nano_usd": runs.c.nano_usd + sa.bindparam("more_nano_usd", type_=sa.BigInteger),
    "n_steps": runs.c.n_steps + sa.bindparam("more_steps", type_=sa.BigInteger),
    "is_cost_known": sa.and_(runs.c.is_cost_known, sa.bindparam("is_known", type_=sa.Boolean)),
}


def row_of(event: Event) -> dict[str, Any]:
    """What is kept of an answer of a model."""
    data = event.data
    cost = data.get("cost_usd")
    return {
        "pos": event.pos,
        "at": event.at,
        "agent": event.agent,
        "model": data.get("model"),
        "prompt_tokens": int(data.get("prompt_tokens") or 0),
        "completion_tokens": int(data.get("completion_tokens") or 0),
        "nano_usd": None if cost is None else round(cost * 1_000_000_000),
        "is_cached": bool(data.get("is_cached")),
    }


def counted(events: Sequence[Event]) -> dict[str, Any]:
    """What events add to the sums of their run, as `SUMS` takes it."""
    n_tokens, nano_usd, n_steps, is_known = 0, 0, 0, True
    for event in events:
        if event.type != ANSWERED:
            n_steps += int(event.data.get("n_blocks") or 0) if event.type == "code.started" else 1
            continue
        row = row_of(event)
        n_steps += 1
        if not row["is_cached"]:
            n_tokens += row["prompt_tokens"] + row["completion_tokens"]
            nano_usd += row["nano_usd"] or 0
            is_known = is_known and row["nano_usd"] is not None
    return {
        "more_tokens": n_tokens,
        "more_nano_usd": nano_usd,
        "more_steps": n_steps,
        "is_known": is_known,
    }
