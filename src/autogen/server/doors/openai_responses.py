"""The door of OpenAI: `/v1/responses`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from ...errors import AutogenError
from ..callers import Caller, CallerOf, needs
from ..common import Parts, PartsOf
from ..problems import Problem
from ..strict import StrictRoute
from ..telling import as_json
from .openai_chat import CLOSED, HEADERS, Key
from .openai_in import MessageIn, ResponseIn, conversation_of
from .openai_turn import Answer, Gone, turn_of
from .turn import Turn, own_run, said_in, told_of

__all__ = ["responses"]

responses = APIRouter(prefix="/v1", route_class=StrictRoute, include_in_schema=False)

_PREFIX = "resp_"


@responses.post("/responses", dependencies=[needs("runs:write")])
async def respond(
    parts: PartsOf, caller: CallerOf, request: Request, asked: ResponseIn, key: Key = None
) -> Response:
    """Say something to a team, and wait for what comes of it."""
    if asked.background:
        raise Problem(400, "there are no background responses; POST /api/v1/runs begins runs.")
    answer = Answer(await run_in_threadpool(_turn, parts, caller, asked, key))
    if asked.stream:
        told = _events(answer, asked)
        return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)
    try:
        text = await answer.whole(request)
    except Gone:
        return Response(status_code=CLOSED)
    return as_json(_response(answer, asked, _status(answer), text))


def _turn(parts: Parts, caller: Caller, asked: ResponseIn, key: str | None) -> Turn:
    given = asked.input
    items = [MessageIn(role="user", content=given)] if isinstance(given, str) else given
    said = conversation_of(items)
    earlier: list[tuple[str, str]] = []
    if asked.instructions:
        earlier.append(("instructions", asked.instructions))
    run_id = asked.run_id
    if asked.previous_response_id is not None:
        run_id = _run_of_response(asked.previous_response_id)
        earlier += said_in(own_run(parts, caller, run_id))
    return turn_of(parts, caller, asked.model, said, run_id=run_id, key=key, earlier=earlier)


def _run_of_response(given: str) -> str:
    run_id, _, after = given.removeprefix(_PREFIX).rpartition("-")
    if not given.startswith(_PREFIX) or not run_id or not after.isdecimal() or "\0" in run_id:
        raise Problem(404, "there is no response with the id of previous_response_id.")
    return run_id


def _status(answer: Answer) -> str:
    return "incomplete" if answer.is_cut else "completed"


def _id(answer: Answer) -> str:
    return f"{_PREFIX}{answer.turn.run_id}-{answer.turn.after}"


def _item(answer: Answer, text: str, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_{_id(answer)}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_part(text)] if status == "completed" else [],
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(
    answer: Answer, asked: ResponseIn, status: str, text: str | None = None, **more: Any
) -> dict[str, Any]:
    sent, got = answer.turn.prompt_tokens, answer.turn.completion_tokens
    usage = {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": got,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sent + got,
    }
    return {
        "id": _id(answer),
        "object": "response",
        "created_at": answer.created_at,
        "status": status,
        "model": asked.model,
        "output": [] if text is None else [_item(answer, text)],
        "usage": None if text is None else usage,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": asked.instructions,
        "metadata": answer.metadata(),
        "parallel_tool_calls": False,
        "previous_response_id": asked.previous_response_id,
        "temperature": None,
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        **more,
    }


async def _events(answer: Answer, asked: ResponseIn) -> AsyncIterator[str]:
    number = 0

    def event(kind: str, **data: Any) -> str:
        nonlocal number
        told = {"type": kind, "sequence_number": number, **data}
        number += 1
        return f"event: {kind}\ndata: {json.dumps(told)}\n\n"

    place = {"item_id": f"msg_{_id(answer)}", "output_index": 0, "content_index": 0}
    text = ""
    yield event("response.created", response=_response(answer, asked, "in_progress"))
    yield event("response.in_progress", response=_response(answer, asked, "in_progress"))
    item = _item(answer, "", "in_progress")
    yield event("response.output_item.added", output_index=0, item=item)
    yield event("response.content_part.added", **place, part=_part(""))
    try:
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                if piece is None:
                    yield ": still here\n\n"
                    continue
                text += piece
                yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
    except (AutogenError, Problem) as failure:
        problem = told_of(failure)
        error = {"code": "server_error", "message": problem.detail}
        yield event("response.failed", response=_response(answer, asked, "failed", error=error))
        return
    yield event("response.output_text.done", **place, text=text, logprobs=[])
    yield event("response.content_part.done", **place, part=_part(text))
    yield event("response.output_item.done", output_index=0, item=_item(answer, text))
    status = _status(answer)
    yield event(f"response.{status}", response=_response(answer, asked, status, text))
