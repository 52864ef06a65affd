"""The route of usage: what the models of all runs were asked, and what that cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import AwareDatetime

from .callers import CallerOf, needs
from .common import PartsOf, router
from .schemas import UsagePage
from .telling import as_json

__all__ = ["usage"]

usage = router(tag="usage")

Instant = Annotated[AwareDatetime | None, Query()]


@usage.get("/usage", response_model=UsagePage, dependencies=[needs("runs:read")])
def list_usage(
    parts: PartsOf,
    caller: CallerOf,
    by: Literal["model", "agent", "day"] = "model",
    team: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = None,
    since: Instant = None,
    until: Instant = None,
) -> Response:
    """What was used, by model, by agent or by day (UTC); of the caller's own runs."""
    sums = parts.runtime.usage(
        by=by,
        team=team,
        belongs_to=caller.sees,
        since=None if since is None else since.timestamp(),
        until=None if until is None else until.timestamp(),
    )
    return as_json({"by": by, "items": [asdict(one) for one in sums]})
