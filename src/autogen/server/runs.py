"""Routes of runs: begin, list, look at, stop, go on, wait."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Annotated, Any, get_args
from urllib.parse import quote

from fastapi import Header, Query, Response
from fastapi.concurrency import run_in_threadpool

from ..errors import UnknownRun
from ..events import Event
from ..runtime.runtime import STILL
from ..store.base import RunStatus
from .callers import CallerOf, needs
from .common import (
    After,
    Limit,
    PartsOf,
    RunId,
    cursor_of,
    id_of_cursor,
    router,
    run_of_caller,
)
from .problems import Problem
from .schemas import ForkIn, MessagePage, ResumeIn, RunIn, RunOut, RunPage, UsageOut
from .telling import as_json, message_of, run_of

__all__ = ["runs"]

runs = router(tag="runs")

#: The longest a client may wait with one request.
MOST_WAIT_S = 60.0

#: Events that are read at once.
_PAGE = 1000

_STATUSES = "|".join(get_args(RunStatus))


@runs.post("/runs", status_code=201, response_model=RunOut, dependencies=[needs("runs:write")])
def begin_run(
    parts: PartsOf,
    caller: CallerOf,
    asked: RunIn,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Sent again with the same key, it is the same run.",
        ),
    ] = None,
) -> Response:
    """Begin a run of a team."""
    if asked.team not in parts.teams:
        known = ", ".join(sorted(parts.teams)) or "none"
        raise Problem(422, f"there is no team {asked.team!a}; known are: {known}.")
    chat: dict[str, Any] = {} if asked.max_turns is None else {"max_turns": asked.max_turns}
    run_id = parts.runtime.submit(
        asked.team,
        asked.message,
        id=None if key is None else _id_of_key(key, caller.id),
        budget=None if asked.budget is None else asked.budget.limits(),
        timeout_s=asked.timeout_s,
        priority=asked.priority,
        belongs_to=caller.id,
        shared_budget=caller.budget,
        **chat,
    )
    return _made(run_of(parts.runtime.run(run_id)))


def _id_of_key(key: str, caller: str | None) -> str:
    """The same for the same key of the same caller, and for nobody else's."""
    text = json.dumps(["idempotency-key", caller, key])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _made(told: dict[str, Any]) -> Response:
    return as_json(told, 201, Location=f"/api/v1/runs/{quote(told['id'], safe='')}")


@runs.get("/runs", response_model=RunPage, dependencies=[needs("runs:read")])
def list_runs(
    parts: PartsOf,
    caller: CallerOf,
    status: Annotated[str | None, Query(pattern=f"^({_STATUSES})$")] = None,
    team: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=1000)] = None,
    limit: Limit = 50,
) -> Response:
    """Runs, the newest first."""
    after = None if cursor is None else id_of_cursor(cursor)
    try:
        found = parts.runtime.runs(
            status=status, team=team, belongs_to=caller.sees, after=after, limit=limit
        )
    except UnknownRun:
        raise Problem(422, "the run of this cursor is gone; list from the beginning.") from None
    more = cursor_of(found[-1].id) if len(found) == limit else None
    return as_json({"items": [run_of(record) for record in found], "next": more})


@runs.get("/runs/{run_id}", response_model=RunOut, dependencies=[needs("runs:read")])
def get_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """A run as it stands."""
    return as_json(run_of(run_of_caller(parts, caller, run_id)))


@runs.get("/runs/{run_id}/wait", response_model=RunOut, dependencies=[needs("runs:read")])
async def wait_for_run(
    parts: PartsOf,
    caller: CallerOf,
    run_id: RunId,
    timeout_s: Annotated[float, Query(ge=0, le=MOST_WAIT_S)] = 30.0,
) -> Response:
    """A run, once it does not go on by itself any more, or as it stands after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    with parts.feed.watching(run_id) as watch:
        while True:
            watch.clear()
            record = await run_in_threadpool(run_of_caller, parts, caller, run_id)
            left_s = deadline - time.monotonic()
            if record.status in STILL or left_s <= 0 or watch.is_over:
                return as_json(run_of(record))
            await watch.wait(left_s)


@runs.post("/runs/{run_id}/cancel", response_model=RunOut, dependencies=[needs("runs:write")])
def cancel_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """Have a run stop; `resume` lets it go on."""
    run_of_caller(parts, caller, run_id)
    return as_json(run_of(parts.runtime.cancel(run_id)))


@runs.post("/runs/{run_id}/pause", response_model=RunOut, dependencies=[needs("runs:write")])
def pause_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """Have a run stop for a while; `resume` lets it go on."""
    run_of_caller(parts, caller, run_id)
    return as_json(run_of(parts.runtime.pause(run_id)))


@runs.post("/runs/{run_id}/resume", response_model=RunOut, dependencies=[needs("runs:write")])
def resume_run(
    parts: PartsOf, caller: CallerOf, run_id: RunId, asked: ResumeIn | None = None
) -> Response:
    """Go on with a run that was stopped, or failed."""
    record = run_of_caller(parts, caller, run_id)
    if record.status not in STILL or record.status == "finished" or record.team is None:
        raise Problem(
            409, f"the run is {record.status}; only runs of teams that were stopped can go on."
        )
    budget = None if asked is None or asked.budget is None else asked.budget.limits()
    return as_json(run_of(parts.runtime.resume(run_id, budget=budget)))


@runs.post(
    "/runs/{run_id}/fork",
    status_code=201,
    response_model=RunOut,
    dependencies=[needs("runs:write")],
)
def fork_run(parts: PartsOf, caller: CallerOf, run_id: RunId, asked: ForkIn) -> Response:
    """A new run that shares the beginning of this one, which costs nothing."""
    run_of_caller(parts, caller, run_id)
    return _made(run_of(parts.runtime.fork(run_id, at=asked.at, edit=asked.edit)))


@runs.get("/runs/{run_id}/messages", response_model=MessagePage, dependencies=[needs("runs:read")])
def list_messages(
    parts: PartsOf, caller: CallerOf, run_id: RunId, after: After = 0, limit: Limit = 100
) -> Response:
    """What was said in a run; `limit` counts events, so that a page may have fewer messages."""
    run_of_caller(parts, caller, run_id)
    found = parts.runtime.events(run_id, after=after, limit=limit)
    items = [message_of(event) for event in found if event.type == "message.sent"]
    return as_json({"items": items, "next": found[-1].pos if len(found) == limit else None})


@runs.get("/runs/{run_id}/usage", response_model=UsageOut, dependencies=[needs("runs:read")])
async def usage_of_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """What the models of a run have used so far; a fork counts its own calls only."""
    await run_in_threadpool(run_of_caller, parts, caller, run_id)
    sums = {"n_calls": 0, "n_cached": 0, "prompt_tokens": 0, "completion_tokens": 0}
    cost_usd, is_cost_known, after = 0.0, True, 0
    while found := await run_in_threadpool(parts.runtime.events, run_id, after=after, limit=_PAGE):
        after = found[-1].pos or 0
        for event in found:
            if event.type == "model.answered":
                is_cached = _add(sums, event)
                cost = event.data.get("cost_usd")
                is_cost_known &= is_cached or cost is not None
                cost_usd += 0.0 if is_cached else float(cost or 0.0)
        await asyncio.sleep(0)
    told = {"run_id": run_id, **sums, "cost_usd": cost_usd, "is_cost_known": is_cost_known}
    return as_json(told)


def _add(sums: dict[str, int], event: Event) -> bool:
    is_cached = bool(event.data.get("is_cached"))
    sums["n_calls"] += 1
    sums["n_cached"] += is_cached
    for name in ("prompt_tokens", "completion_tokens"):
        sums[name] += 0 if is_cached else int(event.data.get(name) or 0)
    return is_cached
