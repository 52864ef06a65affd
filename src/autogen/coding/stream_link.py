"""The host's end of a runner that is reached over one socket, not over pipes of a process.

What carries the frames on the way (a container's stream, a WebSocket) is a matter of who derives
from this.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from .link import Link, RunnerLost

__all__ = ["StreamLink"]

FEED_S = 10.0


class StreamLink(Link):
    """Talks to one runner over a socket.

    Args:
        stream: The connection; this closes it.
        end: Ends what the runner runs in; called once, with the stream still open.
    """

    def __init__(self, stream: socket.socket, *, end: Callable[[], None]):
        self._stream = stream
        self._end = end
        # An end of the runner is an end of the stream: there is no process to watch besides.
        never, self._never_written = os.pipe()
        self._speak_over(stream.fileno(), stream.fileno(), life=never)

    def feed(self, source: bytes) -> None:
        """Send the program that stands before the first frame."""
        rest = memoryview(source)
        self._stream.settimeout(FEED_S)
        try:
            while rest:
                rest = rest[self._stream.send(rest) :]
        except OSError as error:
            raise RunnerLost(f"it is gone: {error}") from None
        finally:
            self._stream.setblocking(False)

    def kill(self) -> None:
        """End the runner and with it everything inside."""
        if self.gate:
            self.gate.close()
        end, self._end = self._end, _nothing
        try:
            end()
        finally:
            self._close()

    def strike(self) -> None:
        """Cut the stream: the thread that talks to the runner finds it gone, and ends it."""
        try:
            self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def abandon(self) -> None:
        """Let go of a runner that belongs to the parent process, after a fork."""
        self._end = _nothing
        self._close()
        if self.gate:
            self.gate.abandon()
            self.gate = None

    @property
    def alive(self) -> bool:
        """Whether the stream is open."""
        if self._stream.fileno() < 0:
            return False
        try:
            return bool(self._stream.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _close(self) -> None:
        self._stream.close()
        life, self._life = self._life, -1
        if life >= 0:
            os.close(life)
            os.close(self._never_written)

    def _read(self) -> bytes:
        """What arrived."""
        try:
            return self._stream.recv(65536)
        except BlockingIOError:
            raise
        except OSError:
            return b""

    def _last_words(self) -> str:
        """What was written to stderr, for people."""
        return ""


def _nothing() -> None:
    pass
