"""The host's end of a runner that is process 1 of a container, over the attached stream.

Docker mixes stdout and stderr into one connection, each piece under a header of its own; stdin goes
the other way as it is. Only `docker_container.py` makes these.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

from .link import Link, RunnerLost

__all__ = ["AttachedLink"]

# Source: Docker Engine API, "Attach to a container", stream format.
PIECE = struct.Struct(">BxxxL")
STDERR = 2
MOST_ERROR_BYTES = 4096


class AttachedLink(Link):
    """Talks to one runner over the stream of its container.

    Args:
        stream: The connection that was attached to the container; this closes it.
        end: Ends the container; called once, with the stream still open.
    """

    def __init__(self, stream: socket.socket, *, end: Callable[[], None]):
        self._stream = stream
        self._end = end
        self._raw = bytearray()
        self._kind = self._left = 0
        self._said = bytearray()
        # An end of the container is an end of the stream: there is no process to watch besides.
        never, self._never_written = os.pipe()
        self._speak_over(stream.fileno(), stream.fileno(), life=never)

    def feed(self, source: bytes) -> None:
        """Send the program that stands before the first frame."""
        rest = memoryview(source)
        self._stream.settimeout(10)
        try:
            while rest:
                rest = rest[self._stream.send(rest) :]
        except OSError as error:
            raise RunnerLost(f"it is gone: {error}") from None
        finally:
            self._stream.setblocking(False)

    def kill(self) -> None:
        """End the container and with it everything inside."""
        if self.gate:
            self.gate.close()
        end, self._end = self._end, _nothing
        try:
            end()
        finally:
            self._close()

    def abandon(self) -> None:
        """Let go of a container that belongs to the parent process, after a fork."""
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
        """What arrived on the runner's stdout."""
        try:
            data = self._stream.recv(65536)
        except BlockingIOError:
            raise
        except OSError:
            return b""
        if not data:
            return b""
        self._raw += data
        frames = self._take_pieces()
        if not frames:
            raise BlockingIOError
        return frames

    def _take_pieces(self) -> bytes:
        frames = bytearray()
        raw = self._raw
        while raw:
            if self._left == 0:
                if len(raw) < PIECE.size:
                    break
                self._kind, self._left = PIECE.unpack_from(raw)
                del raw[: PIECE.size]
                continue
            piece = raw[: self._left]
            del raw[: len(piece)]
            self._left -= len(piece)
            if self._kind == STDERR:
                self._said += piece
                del self._said[:-MOST_ERROR_BYTES]
            else:
                frames += piece
        return bytes(frames)

    def _last_words(self) -> str:
        """What the container wrote to stderr, for people."""
        text = self._said.decode("utf-8", "backslashreplace").strip()
        return f": {text[-800:]}" if text else ""


def _nothing() -> None:
    pass
