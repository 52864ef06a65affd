"""What models were asked and what that cost, summed over runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from .sql import SqlStore
from .tables import runs, usage

__all__ = ["UsageBy", "UsageSum", "usage_sums"]

#: What sums are made for.
UsageBy: TypeAlias = Literal["model", "agent", "day"]

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """What came together under one name; answers from a cache count as calls and nothing else.

    Attributes:
        key: The model, the agent, or the day (UTC, as YYYY-MM-DD); None where nobody said.
        n_calls: Answers of models.
        n_cached: Those that a cache gave.
        prompt_tokens: Sent.
        completion_tokens: Received.
        cost_usd: In US dollars, of the calls whose price is known.
        is_cost_known: Whether it is of all.
    """

    key: str | None
    n_calls: int
    n_cached: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    is_cost_known: bool


def usage_sums(
    store: SqlStore,
    *,
    by: UsageBy | None = "model",
    run_id: str | None = None,
    team: str | None = None,
    belongs_to: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> list[UsageSum]:
    """Sums by model, by agent or by day, in their order; `by` None for one over all.

    Args:
        store: Where.
        by: What the sums are made for.
        run_id: Only of this run.
        team: Only of runs of this team.
        belongs_to: Only of runs of this caller.
        since: Only from here on, in seconds since the epoch.
        until: Only before.
    """
    key: Any = {
        "model": usage.c.model,
        "agent": usage.c.agent,
        "day": sa.cast(sa.func.floor(usage.c.at / _DAY_S), sa.Integer),
        None: sa.null(),
    }[by]
    paid = sa.case((usage.c.is_cached, 0), else_=1)
    is_unknown = sa.and_(~usage.c.is_cached, usage.c.nano_usd.is_(None))
    query = sa.select(
        key.label("key"),
        sa.func.count().label("n_calls"),
        sa.func.coalesce(sa.func.sum(1 - paid), 0),
        sa.func.coalesce(sa.func.sum(usage.c.prompt_tokens * paid), 0),
        sa.func.coalesce(sa.func.sum(usage.c.completion_tokens * paid), 0),
        sa.func.coalesce(sa.func.sum(sa.func.coalesce(usage.c.nano_usd, 0) * paid), 0),
        sa.func.coalesce(sa.func.sum(sa.case((is_unknown, 1), else_=0)), 0),
    ).select_from(usage.join(runs, runs.c.id == usage.c.run_id))
    if by is not None:
        query = query.group_by(key).order_by(key)
    for column, value in (
        (usage.c.run_id, run_id),
        (runs.c.team, team),
        (runs.c.belongs_to, belongs_to),
    ):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(usage.c.at >= since)
    if until is not None:
        query = query.where(usage.c.at < until)
    with store.reading("what was used") as connection:
        return [_sum(by, row) for row in connection.execute(query).all()]


def _sum(by: UsageBy | None, row: Any) -> UsageSum:
    key = row[0]
    if by == "day":
        key = datetime.fromtimestamp(key * _DAY_S, UTC).date().isoformat()
    return UsageSum(
        key=key,
        n_calls=int(row[1]),
        n_cached=int(row[2]),
        prompt_tokens=int(row[3]),
        completion_tokens=int(row[4]),
        cost_usd=int(row[5]) / 1_000_000_000,
        is_cost_known=not row[6],
    )
