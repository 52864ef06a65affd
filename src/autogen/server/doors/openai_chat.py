"""The door of OpenAI: teams as models, `/v1/models` and `/v1/chat/completions`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from ...errors import AutogenError
from ..callers import CallerOf, needs
from ..common import PartsOf
from ..problems import Problem
from ..strict import StrictRoute
from ..telling import as_json
from .openai_errors import error_of
from .openai_in import ChatIn, conversation_of
from .openai_turn import Answer, Gone, turn_of
from .turn import told_of

__all__ = ["CLOSED", "HEADERS", "Key", "chat"]

chat = APIRouter(prefix="/v1", route_class=StrictRoute, include_in_schema=False)

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]

HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}

#: The status for a client that does not read it any more.
CLOSED = 499


@chat.get("/models", dependencies=[needs("runs:read")])
async def list_models(parts: PartsOf) -> Response:
    """The teams."""
    return as_json({"object": "list", "data": [_model(name) for name in sorted(parts.teams)]})


@chat.get("/models/{name}", dependencies=[needs("runs:read")])
async def get_model(parts: PartsOf, name: str) -> Response:
    """One team."""
    if name not in parts.teams:
        raise Problem(404, f"there is no team {name!a}.")
    return as_json(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "autogen"}


@chat.post("/chat/completions", dependencies=[needs("runs:write")])
async def complete(
    parts: PartsOf, caller: CallerOf, request: Request, asked: ChatIn, key: Key = None
) -> Response:
    """Say something to a team, and wait for what comes of it."""
    if asked.n not in (None, 1):
        raise Problem(400, f"a team gives one answer, and n is {asked.n}.")
    turn = await run_in_threadpool(
        turn_of,
        parts,
        caller,
        asked.model,
        conversation_of(asked.messages),
        run_id=asked.run_id,
        key=key,
    )
    answer = Answer(turn)
    if asked.stream:
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        chunks = _chunks(answer, asked.model, with_usage=with_usage)
        return StreamingResponse(chunks, media_type="text/event-stream", headers=HEADERS)
    try:
        text = await answer.whole(request)
    except Gone:
        return Response(status_code=CLOSED)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": None,
        "finish_reason": _reason(answer),
    }
    head = {**_head(answer, asked.model), "object": "chat.completion"}
    return as_json({**head, "choices": [choice], "usage": _usage(answer)})


def _head(answer: Answer, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.turn.run_id}-{answer.turn.after}",
        "created": answer.created_at,
        "model": model,
        "metadata": answer.metadata(),
    }


def _reason(answer: Answer) -> str:
    return "length" if answer.is_cut else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    sent, got = answer.turn.prompt_tokens, answer.turn.completion_tokens
    return {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}


async def _chunks(answer: Answer, model: str, *, with_usage: bool) -> AsyncIterator[str]:
    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        told = {**_head(answer, model), "object": "chat.completion.chunk", "choices": [choice]}
        return f"data: {json.dumps(told)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    try:
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                yield ": still here\n\n" if piece is None else chunk({"content": piece})
    except (AutogenError, Problem) as failure:
        problem = told_of(failure)
        yield f"data: {json.dumps({'error': error_of(problem.status_code, problem.detail)})}\n\n"
        return
    yield chunk({}, _reason(answer))
    if with_usage:
        told = {**_head(answer, model), "object": "chat.completion.chunk", "choices": []}
        yield f"data: {json.dumps({**told, 'usage': _usage(answer)})}\n\n"
    yield "data: [DONE]\n\n"
