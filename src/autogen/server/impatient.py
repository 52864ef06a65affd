"""`Impatient`: HTTP with an end to waiting for requests that do not come."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .crowd import Crowd
from .problems import problem_response

__all__ = ["Impatient", "Seldom"]

#: Seconds for the head of a request, from the connection or its first byte on.
HEAD_S = 15.0

#: Seconds for the body after it. The largest one passes in this time at 1 Mbit/s.
BODY_S = 300.0

#: Seconds for the rest of a body that nobody wants, whose request was answered. Many clients read
#: no answer before they have sent everything, and closing at once would take it from others.
REST_S = 2.0

#: When to come back where there is no room.
_RETRY_AFTER_S = 5


class Impatient(H11Protocol):
    """Closes connections that take too long to ask, or that others need the room of.

    uvicorn waits for ever, and counts who is waited for among those whom it serves: whoever opens
    connections and sends nothing, or a byte now and then, would keep everybody else out. Answers
    may take as long as they like.

    Args:
        crowd: All connections of the server.
        arguments: As uvicorn gives them.
        more: The same.
    """

    _timer: asyncio.TimerHandle | None = None
    _patience_s: float | None = None

    def __init__(self, *arguments: Any, crowd: Crowd, **more: Any):
        super().__init__(*arguments, **more)
        self._crowd = crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; its request should come."""
        super().connection_made(transport)
        if not self._crowd.come(self):
            self.app = _no_room
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some of a request came, or all of it."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """An answer was given; there may be another request."""
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._crowd.leave(self)
        self._wait_for(None)
        super().connection_lost(exc)

    def go(self) -> None:
        """Close the connection, at once."""
        if not self.transport.is_closing():
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Tell a client that what it sent is no HTTP, unless it is being told something else."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.go()
            return
        answer = problem_response(400, msg)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _should_upgrade(self) -> bool:
        # There are no WebSockets here: whoever asks for one is answered in HTTP.
        return False

    def _wait(self) -> None:
        # None before the first request, whatever its type says.
        cycle: Any = self.cycle
        is_answered = cycle is None or cycle.response_complete
        patience_s = None
        match self.conn.their_state:
            case h11.IDLE:
                patience_s = HEAD_S
            case h11.SEND_BODY:
                patience_s = REST_S if is_answered else BODY_S
        self._wait_for(patience_s)
        if self.transport.is_closing():
            return
        if patience_s is None:
            self._crowd.work(self)
        else:
            self._crowd.wait(self, is_asking=not is_answered)

    def _wait_for(self, patience_s: float | None) -> None:
        # The same as before: what comes byte by byte has no more time than what comes at once.
        if patience_s == self._patience_s:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._patience_s = patience_s
        if patience_s is not None:
            self._timer = self.loop.call_later(patience_s, self.go)


async def _no_room(scope: Scope, receive: Receive, send: Send) -> None:
    """Turn a client away."""
    headers = {"Retry-After": str(_RETRY_AFTER_S), "Connection": "close"}
    answer = problem_response(503, "too many are connected; try again in a while.", headers=headers)
    await answer(scope, receive, send)


class Seldom(logging.Filter):
    """Lets a warning pass once a minute: clients cause these, as often as they like."""

    def __init__(self, every_s: float = 60.0):
        super().__init__()
        self._every_s = every_s
        self._told_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes; those of errors do."""
        if record.levelno != logging.WARNING:
            return True
        now, text = time.monotonic(), str(record.msg)
        if now - self._told_at.get(text, -self._every_s) < self._every_s:
            return False
        self._told_at[text] = now
        return True
