"""`Impatient`: HTTP with an end to waiting for requests that do not come."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Impatient"]

#: Seconds for the head of a request, from the connection or its first byte on.
HEAD_S = 15.0

#: Seconds for the body after it. The largest one passes in this time at 1 Mbit/s.
BODY_S = 300.0


class Impatient(H11Protocol):
    """Closes connections that take too long to ask.

    uvicorn waits for ever, and counts who is waited for among those whom it serves: whoever opens
    connections and sends nothing, or a byte now and then, would keep everybody else out. Answers
    may take as long as they like.
    """

    _timer: asyncio.TimerHandle | None = None
    _awaited: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; its request should come."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some of a request came, or all of it."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._wait_for(None)
        super().connection_lost(exc)

    def _wait(self) -> None:
        state = self.conn.their_state
        self._wait_for(state if state in (h11.IDLE, h11.SEND_BODY) else None)

    def _wait_for(self, awaited: Any) -> None:
        # The same as before: what comes byte by byte has no more time than what comes at once.
        if awaited is self._awaited:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaited = awaited
        if awaited is not None:
            patience_s = HEAD_S if awaited is h11.IDLE else BODY_S
            self._timer = self.loop.call_later(patience_s, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()
