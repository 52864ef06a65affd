"""The route of events: a page of the log of a run, or the log as it grows (Server-Sent Events)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from ..runtime.runtime import STILL
from .callers import CallerOf, needs
from .common import After, Limit, PartsOf, RunId, router, run_of_caller
from .problems import Problem
from .schemas import MOST_POS, EventPage
from .stream import streamed
from .telling import as_json

__all__ = ["events"]

events = router(tag="events")

_STREAM = "text/event-stream"
_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}

_responses: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"A page; or a stream, where `Accept` is `{_STREAM}`.",
        "content": {_STREAM: {"schema": {"type": "string"}}},
    },
    204: {"description": "The stream has no more events, and gets none: do not reconnect."},
}


@events.get(
    "/runs/{run_id}/events",
    response_model=EventPage,
    responses=_responses,
    dependencies=[needs("runs:read")],
)
async def list_events(
    parts: PartsOf,
    caller: CallerOf,
    run_id: RunId,
    after: After = 0,
    limit: Limit = 100,
    accept: Annotated[str | None, Header()] = None,
    last_event_id: Annotated[
        str | None, Header(description="Of a stream: the last event that arrived.")
    ] = None,
) -> Response:
    """Events of a run, those after number `after`."""
    record = await run_in_threadpool(run_of_caller, parts, caller, run_id)
    if accept is None or not accept.lower().lstrip().startswith(_STREAM):
        found = await run_in_threadpool(parts.runtime.events, run_id, after=after, limit=limit)
        items = [event.to_dict() for event in found]
        return as_json({"items": items, "next": found[-1].pos if found else after})
    if last_event_id is not None:
        after = _number(last_event_id)
        if record.status in STILL and not await run_in_threadpool(
            parts.runtime.events, run_id, after=after, limit=1
        ):
            return Response(status_code=204)
    return StreamingResponse(streamed(parts, run_id, after), media_type=_STREAM, headers=_HEADERS)


def _number(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and len(given) < 11 and int(given) <= MOST_POS):
        raise Problem(422, "Last-Event-ID is no number of an event.")
    return int(given)
