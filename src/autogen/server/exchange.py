"""`Exchange`: one request and its answer, under what holds for all of them.

Bodies are limited whatever their headers say, answers are kept by nobody, and a stream ends as soon
as whoever reads it may not any more. Nothing behind it can tell of these in other words.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import Problem, problem_response

__all__ = ["Exchange"]

#: So much of a body that is too large is read, and forgotten, before that is said: many clients
#: read no answer before they have sent everything.
_MOST_IGNORED = 16 * 1024 * 1024

#: Whether whoever reads a stream may still do so is looked at so often.
_AGAIN_S = 2.0


class _Over(Exception):
    """The answer has ended; what makes it may stop."""


class Exchange:
    """A request on its way to an application, and the answer on its way back.

    Args:
        scope: As ASGI says.
        receive: The same.
        send: The same.
        most: How large the body may be, in bytes.
        holds: Whether the caller may still read; None for what anybody may.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        most: int,
        holds: Callable[[], Awaitable[bool]] | None = None,
    ):
        self._scope, self._receive, self._send = scope, receive, send
        self._most = most
        self._holds = holds
        self._n_bytes = 0
        self._is_stream = False
        self._is_over = False
        self._looked_at = time.monotonic()

    async def lead_to(self, app: ASGIApp) -> None:
        """Have an application answer."""
        told = Headers(scope=self._scope).get("content-length", "0")
        if told.isdecimal() and int(told[:20]) > self._most:
            if int(told[:20]) <= self._most + _MOST_IGNORED:
                await self._ignore(await self._receive())
            await self._refuse()
            return
        try:
            await app(self._scope, self.receive, self.send)
        except Exception:
            # Applications with tasks of their own raise it in groups.
            if not self._is_over:
                raise

    async def tell(self, problem: Problem) -> None:
        """Answer with a problem."""
        answer = problem_response(problem.status_code, problem.detail, headers=problem.headers)
        await answer(self._scope, self._receive, self._sent)

    async def receive(self) -> Message:
        """What comes of the request.

        Raises:
            Problem: 413; the body is too large.
        """
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._most:
            await self._ignore(message)
            raise self._too_large
        return message

    async def _ignore(self, message: Message) -> None:
        """Read on after a message, and forget it."""
        while message.get("more_body") and self._n_bytes < self._most + _MOST_IGNORED:
            message = await self._receive()
            self._n_bytes += len(message.get("body", b""))

    async def send(self, message: Message) -> None:
        """Send a part of the answer.

        Raises:
            _Over: There was another answer, or it has ended before.
        """
        if self._is_over:
            raise _Over
        now = time.monotonic()
        if message["type"] == "http.response.start":
            if self._n_bytes > self._most:
                await self._refuse()
                raise _Over
            self._is_stream = "content-length" not in MutableHeaders(scope=message)
        elif self._is_stream and self._holds is not None and now - self._looked_at > _AGAIN_S:
            self._looked_at = now
            if not await self._holds():
                self._is_over = True
                await self._sent({"type": "http.response.body", "body": b""})
                raise _Over
        await self._sent(message)

    async def _sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            named = MutableHeaders(scope=message)
            named.setdefault("Cache-Control", "no-store")
            named["X-Content-Type-Options"] = "nosniff"
        await self._send(message)

    async def _refuse(self) -> None:
        self._is_over = True
        await self.tell(self._too_large)

    @property
    def _too_large(self) -> Problem:
        return Problem(413, f"the body is larger than {self._most} bytes.")
