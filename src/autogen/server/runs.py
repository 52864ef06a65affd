"""Routes of runs: begin one, look at it, wait for it."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from typing import Annotated, Any, get_args

from fastapi import Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from ..errors import UnknownRun
from ..runtime.runtime import STILL
from ..store.base import RunStatus
from .budgets import may_name, unspent
from .callers import Caller, CallerOf, needs
from .common import (
    After,
    Cursor,
    Limit,
    Parts,
    PartsOf,
    RunId,
    cursor_of,
    gone,
    id_of_cursor,
    made,
    router,
    run_of_caller,
)
from .files import file_of_caller
from .problems import Problem
from .schemas import PLAIN, BudgetIn, DiffOut, MessagePage, RunIn, RunOut, RunPage, UsageOut
from .telling import as_json, message_of, runs_of

__all__ = ["Key", "begun", "runs"]

runs = router(tag="runs")

#: The longest a client may wait with one request.
MOST_WAIT_S = 60.0

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Sent again with the same key, it is the same run.",
    ),
]

_STATUSES = "|".join(get_args(RunStatus))


@runs.post("/runs", status_code=201, response_model=RunOut, dependencies=[needs("runs:write")])
def begin_run(
    parts: PartsOf,
    caller: CallerOf,
    asked: RunIn,
    key: Key = None,
) -> Response:
    """Begin a run of a team."""
    return begun(parts, caller, asked, key=key)


def begun(
    parts: Parts, caller: Caller, asked: RunIn, *, key: str | None, hears_earlier: bool = False
) -> Response:
    """The answer that tells of a run which was begun for a caller.

    Args:
        parts: Of the service.
        caller: Whose run it is.
        asked: What is wanted.
        key: Sent again with the same key, it is the same run.
        hears_earlier: Whether its agents are told what was said in the conversation before.

    Raises:
        Problem: Something of it is not there (422, 404), or its budget is spent (402).
    """
    if asked.team not in parts.teams:
        known = ", ".join(sorted(parts.teams)) or "none"
        raise Problem(422, f"there is no team {asked.team!a}; known are: {known}.")
    named = None if key is None else _id_of_key(key, caller.id)
    budget = _budget_for(parts, caller, asked, run_id=named)
    for file_id in asked.files:
        file_of_caller(parts, caller, file_id)
    chat: dict[str, Any] = {} if asked.max_turns is None else {"max_turns": asked.max_turns}
    run_id = parts.runtime.submit(
        asked.team,
        asked.message,
        id=named,
        budget=budget,
        timeout_s=asked.timeout_s,
        priority=asked.priority,
        belongs_to=caller.id,
        shared_budget=caller.budget,
        files=asked.files,
        conversation=asked.conversation,
        on_conflict=asked.on_conflict,
        hears_earlier=hears_earlier,
        **chat,
    )
    (told,) = runs_of(parts.runtime, [parts.runtime.run(run_id)])
    return made(told)


def _budget_for(
    parts: Parts, caller: Caller, asked: RunIn, *, run_id: str | None
) -> dict[str, Any] | str | None:
    """What the run may spend: limits of its own, or the name of a budget that is not spent.

    Raises:
        Problem: 402; the budget is spent. 422; there is none of this name for runs to share.
    """
    named = asked.budget if isinstance(asked.budget, str) else None
    wanted = {named} if named is not None and may_name(caller, named) else set()
    everything = wanted | ({caller.budget} if caller.budget is not None else set())
    found = unspent(parts, everything, run_id=run_id)
    if named is not None and named not in wanted & found.keys():
        raise Problem(422, f"there is no budget {named!a}; make it with PUT /api/v1/budgets/NAME.")
    return asked.budget.limits() if isinstance(asked.budget, BudgetIn) else named


def _id_of_key(key: str, caller: str | None) -> str:
    """The same for the same key of the same caller, and for nobody else's."""
    text = json.dumps(["idempotency-key", caller, key])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@runs.get("/runs", response_model=RunPage, dependencies=[needs("runs:read")])
def list_runs(
    parts: PartsOf,
    caller: CallerOf,
    status: Annotated[str | None, Query(pattern=f"^({_STATUSES})$")] = None,
    team: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Runs, the newest first."""
    after = None if cursor is None else id_of_cursor(cursor)
    try:
        if after is not None:
            run_of_caller(parts, caller, after)
        found = parts.runtime.runs(
            status=status, team=team, belongs_to=caller.sees, after=after, limit=limit
        )
    except (UnknownRun, Problem):
        raise gone("run") from None
    more = cursor_of(found[-1].id) if len(found) == limit else None
    return as_json({"items": runs_of(parts.runtime, found), "next": more})


@runs.get("/runs/{run_id}", response_model=RunOut, dependencies=[needs("runs:read")])
def get_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """A run as it stands."""
    (told,) = runs_of(parts.runtime, [run_of_caller(parts, caller, run_id)])
    return as_json(told)


@runs.get("/runs/{run_id}/wait", response_model=RunOut, dependencies=[needs("runs:read")])
async def wait_for_run(
    parts: PartsOf,
    caller: CallerOf,
    request: Request,
    run_id: RunId,
    timeout_s: Annotated[float, Query(ge=0, le=MOST_WAIT_S)] = 30.0,
) -> Response:
    """A run, once it does not go on by itself any more, or as it stands after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    with parts.feed.watching(run_id, of_status=True) as watch:
        while True:
            watch.clear()
            record = await run_in_threadpool(run_of_caller, parts, caller, run_id)
            left_s = deadline - time.monotonic()
            is_due = record.status in STILL or left_s <= 0 or watch.is_over
            # Whoever went away is waited for no longer.
            if is_due or await request.is_disconnected():
                (told,) = await run_in_threadpool(runs_of, parts.runtime, [record])
                return as_json(told)
            await watch.wait(left_s)


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
def usage_of_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """What the models of a run have used so far; a fork counts its own calls only."""
    run_of_caller(parts, caller, run_id)
    (used,) = parts.runtime.usage(by=None, run_id=run_id)
    told = asdict(used)
    del told["key"]
    return as_json({"run_id": run_id, **told})


@runs.get("/runs/{run_id}/diff", response_model=DiffOut, dependencies=[needs("runs:read")])
def diff_of_runs(
    parts: PartsOf,
    caller: CallerOf,
    run_id: RunId,
    other: Annotated[str, Query(min_length=1, max_length=200, pattern=PLAIN)],
) -> Response:
    """Where a run and another one begin to differ, by what was said."""
    for one in (run_id, other):
        run_of_caller(parts, caller, one)
    found = parts.runtime.diff(run_id, other)
    left, right = ([event.pos for event in side[:1]] for side in (found.left, found.right))
    is_same = not (left or right)
    words = "all" if is_same else "the first"
    return as_json(
        {
            "is_same": is_same,
            "n_same": found.n_same,
            "left_pos": left[0] if left else None,
            "right_pos": right[0] if right else None,
            "text": f"{words} {found.n_same} messages are the same",
        }
    )
