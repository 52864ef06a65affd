"""Errors as OpenAI's clients read them: an `error` beside the members of a problem."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..problems import MEDIA_TYPE

__all__ = ["ErrorsOfOpenAI", "error_of"]

_BELOW = "/v1/"

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_CODES = {402: "insufficient_quota", 404: "model_not_found", 429: "rate_limit_exceeded"}

#: What OpenAI calls 400.
_UNPROCESSABLE, _BAD = 422, 400


def error_of(status: int, message: str) -> dict[str, Any]:
    """The `error` for a status."""
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}


class ErrorsOfOpenAI:
    """ASGI middleware: problems of paths below `/v1/` get an `error`; 422 is 400 there."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and look at the answer."""
        if scope["type"] != "http" or not scope["path"].startswith(_BELOW):
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def told(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type") == MEDIA_TYPE:
                    start = message
                    return
            elif start is not None:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                message = _with_error(start, body)
                await send(start)
            await send(message)

        await self.app(scope, receive, told)


def _with_error(start: Message, body: bytes) -> Message:
    problem = json.loads(body)
    status = problem["status"]
    if status == _UNPROCESSABLE:
        status = start["status"] = problem["status"] = _BAD
        problem["title"] = "Bad Request"
    message = problem.get("detail") or problem["title"]
    for one in problem.get("errors") or ():
        message += f" {'.'.join(map(str, one['at']))}: {one['text']}."
    problem["error"] = error_of(status, message)
    told = json.dumps(problem).encode()
    MutableHeaders(scope=start)["content-length"] = str(len(told))
    return {"type": "http.response.body", "body": told}
