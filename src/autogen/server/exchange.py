"""`Exchange`: one request and its answer, under what holds for all of them.

Bodies are limited whatever their headers say, answers are kept by nobody, and an answer that takes
long can be cut off. Nothing behind it can tell of these in other words.
"""

from __future__ import annotations

from collections import Counter

from anyio import CancelScope
from anyio.lowlevel import checkpoint
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import Problem, problem_response

__all__ = ["Exchange"]

#: So much of a body that is too large is read, and forgotten, before that is said: many clients
#: read no answer before they have sent everything.
_MOST_IGNORED = 16 * 1024 * 1024


class Exchange:
    """A request on its way to an application, and the answer on its way back.

    Args:
        scope: As ASGI says.
        receive: The same.
        send: The same.
        most: How large the body may be, in bytes.
        answers: Where the status of the answer is counted.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, most: int, answers: Counter[int]
    ):
        self._scope, self._receive, self._send = scope, receive, send
        self._most = most
        self._answers = answers
        self._n_bytes = 0
        self._answering: CancelScope | None = None
        self._is_started = False
        self._is_stream = False
        self._is_complete = False
        self._is_over = False

    async def lead_to(self, app: ASGIApp) -> None:
        """Have an application answer, until it has, or the exchange is cut."""
        with CancelScope() as self._answering:
            await self._answered_by(app)
        if self._answering.cancel_called and not self._is_complete:
            await self._end()

    def cut(self) -> None:
        """End the answer here: the caller may not ask any more.

        One that says how long it is, and has begun, is not cut: it is made already.
        """
        if self._answering is not None and (self._is_stream or not self._is_started):
            self._is_over = True
            self._answering.cancel()

    async def _end(self) -> None:
        if self._is_started:
            # Without its last words, so that nobody takes it for whole.
            await self._sent({"type": "http.response.body", "body": b""})
            return
        text = "what you showed holds no longer; show a token or key that does."
        await self.tell(Problem(401, text, headers={"WWW-Authenticate": "Bearer"}))

    async def _answered_by(self, app: ASGIApp) -> None:
        told = Headers(scope=self._scope).get("content-length", "0")
        if told.isdecimal() and int(told[:20]) > self._most:
            if int(told[:20]) <= self._most + _MOST_IGNORED:
                await self._ignore(await self._receive())
            await self._refuse()
            return
        try:
            await app(self._scope, self.receive, self.send)
        except Exception:
            # Some applications fail where they are cancelled.
            if not self._is_over:
                raise

    async def tell(self, problem: Problem) -> None:
        """Answer with a problem."""
        answer = problem_response(problem.status_code, problem.detail, headers=problem.headers)
        await answer(self._scope, self._receive, self._sent)

    async def receive(self) -> Message:
        """What comes of the request; one whose body is too large is refused and ends here."""
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._most:
            await self._ignore(message)
            await self._refuse()
            await checkpoint()
            return {"type": "http.disconnect"}
        return message

    async def _ignore(self, message: Message) -> None:
        """Read on after a message, and forget it."""
        while message.get("more_body") and self._n_bytes < self._most + _MOST_IGNORED:
            message = await self._receive()
            self._n_bytes += len(message.get("body", b""))

    async def send(self, message: Message) -> None:
        """Send a part of the answer; what comes after its end goes nowhere."""
        if self._is_over:
            # Whoever makes it is cancelled here. An error of ours would be logged by some of them.
            await checkpoint()
            return
        if message["type"] == "http.response.start":
            self._is_stream = "content-length" not in MutableHeaders(scope=message)
        await self._sent(message)

    async def _sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            named = MutableHeaders(scope=message)
            named.setdefault("Cache-Control", "no-store")
            named["X-Content-Type-Options"] = "nosniff"
        await self._send(message)
        if message["type"] == "http.response.start":
            self._answers[message["status"]] += 1
        # Not before: what was cancelled while it waited to be sent is not there.
        self._is_started = True
        self._is_complete = message["type"] == "http.response.body" and not message.get("more_body")

    async def _refuse(self) -> None:
        self._is_over = True
        if not self._is_started:
            await self.tell(Problem(413, f"the body is larger than {self._most} bytes."))
        if self._answering is not None:
            self._answering.cancel()
