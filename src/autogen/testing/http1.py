"""Just enough of an HTTP/1.1 server to answer badly on purpose.

An answer is a list of acts: bytes to send, pauses, and the end of the connection. Connections play
acts without tasks, so a server that stops leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from .exchange import Request

__all__ = ["CLOSE", "HANG", "Act", "BadRequest", "Connection", "Listener", "Pause", "chunk", "head"]

_LONGEST_HEAD_BYTES = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for a while."""

    seconds: float


#: The connection ends here.
CLOSE: Literal["close"] = "close"
#: Nothing more comes; the client has to give up.
HANG: Literal["hang"] = "hang"

Act = bytes | Pause | Literal["close", "hang"]


class BadRequest(ValueError):
    """The client does not speak HTTP/1.1."""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """One chunk of a body in chunked transfer coding; empty data is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Reader:
    """Bytes in, requests out.

    Args:
        send_continue: Called when a client waits for leave to send its body.
    """

    __slots__ = ("_body", "_buffer", "_head", "_is_chunked", "_n_left", "_send_continue")

    def __init__(self, send_continue: Callable[[], None]):
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._body = bytearray()
        self._is_chunked = False
        self._n_left = 0
        self._send_continue = send_continue

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        self._buffer += data

    def next(self) -> Request | None:
        """The next request that is complete.

        Raises:
            BadRequest: What came in is not HTTP.
        """
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        if self._is_chunked:
            if not self._read_chunks():
                return None
            body = bytes(self._body)
            self._body.clear()
        else:
            if len(self._buffer) < self._n_left:
                return None
            body = bytes(self._buffer[: self._n_left])
            del self._buffer[: self._n_left]
        method, target, headers = self._head
        self._head = None
        return Request(method, target, headers, body)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD_BYTES:
                raise BadRequest("the headers are too long")
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(f"the request line is {first[:100]!r}")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if words[2] == "HTTP/1.0":
            headers.setdefault("connection", "close")
        self._head = words[0], words[1], headers
        self._is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._n_left = 0 if self._is_chunked else _number(headers.get("content-length", "0"), 10)
        if self._is_chunked:
            self._n_left = -1
        if headers.get("expect", "").lower() == "100-continue":
            self._send_continue()
        return True

    def _read_chunks(self) -> bool:
        """Whether the last chunk is there. `_n_left` is the size of the chunk, -1 before it."""
        buffer = self._buffer
        while True:
            if self._n_left < 0:
                end = buffer.find(b"\r\n")
                if end < 0:
                    return False
                self._n_left = _number(buffer[:end].partition(b";")[0].decode("latin-1"), 16)
                del buffer[: end + 2]
            size = self._n_left
            if size == 0:
                return self._read_trailers()
            if len(buffer) < size + 2:
                return False
            self._body += buffer[:size]
            del buffer[: size + 2]
            self._n_left = -1

    def _read_trailers(self) -> bool:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            del self._buffer[: end + 2]
            if end == 0:
                return True
        return False


def _number(text: str, base: int) -> int:
    try:
        found = int(text.strip(), base)
    except ValueError:
        found = -1
    if found < 0:
        raise BadRequest(f"the length of the body is {text[:100]!r}")
    return found


class Listener:
    """What connections tell about themselves; the server itself.

    Attributes:
        connections: Those that are open.
        n_connections: Those that were ever opened.
        in_flight: Requests that are being answered.
        max_in_flight: The most of them at one time.
        cancelled: Clients that went away before their answer was complete.
    """

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.n_connections = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.cancelled = 0

    def acts(self, request: Request) -> Sequence[Act]:
        """The answer to `request`."""
        raise NotImplementedError

    def refusal(self, reason: str) -> bytes:
        """The answer to what is no request."""
        raise NotImplementedError


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, listener: Listener):
        self._listener = listener
        self._reader = Reader(lambda: self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n"))
        self._acts: deque[Act] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_answering = False
        self._is_last = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # asyncio does this for sockets whose protocol number is set, and accepted ones have none:
        # two writes in a row would then cost 40 ms of waiting for the client's delayed ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listener.connections.add(self)
        self._listener.n_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended on one of the two sides."""
        self._listener.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_answering:
            self._listener.cancelled += 1
            self._answered()

    def data_received(self, data: bytes) -> None:
        """Some of a request came."""
        self._reader.feed(data)
        self._go_on()

    def abort(self) -> None:
        """End the connection; no client is to blame."""
        if self._is_answering:
            self._answered()
        self._transport.abort()

    def _go_on(self) -> None:
        """Answer what is complete, one request after the other."""
        while not self._is_answering and not self._transport.is_closing():
            try:
                request = self._reader.next()
            except BadRequest as error:
                self._transport.write(self._listener.refusal(str(error)))
                self._transport.close()
                return
            if request is None:
                return
            listener = self._listener
            self._is_answering = True
            listener.in_flight += 1
            listener.max_in_flight = max(listener.max_in_flight, listener.in_flight)
            self._is_last = request.headers.get("connection", "").lower() == "close"
            self._acts.extend(listener.acts(request))
            self._play()

    def _play(self) -> None:
        """Perform acts up to the next pause."""
        acts = self._acts
        while acts:
            act = acts.popleft()
            if isinstance(act, bytes):
                self._transport.write(act)
            elif isinstance(act, Pause):
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(act.seconds, self._wake)
                return
            elif act == HANG:
                acts.clear()
                return
            else:
                acts.clear()
                self._is_last = True
        self._answered()
        if self._is_last:
            self._transport.close()

    def _wake(self) -> None:
        self._timer = None
        self._play()
        self._go_on()

    def _answered(self) -> None:
        self._is_answering = False
        self._listener.in_flight -= 1
