"""The host's end of a runner that is process 1 of a container, over the attached stream.

Docker mixes stdout and stderr into one connection, each piece under a header of its own; stdin goes
the other way as it is. Only `docker_container.py` makes these.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from .stream_link import StreamLink

__all__ = ["AttachedLink"]

# Source: Docker Engine API, "Attach to a container", stream format.
PIECE = struct.Struct(">BxxxL")
STDERR = 2
MOST_ERROR_BYTES = 4096


class AttachedLink(StreamLink):
    """Talks to one runner over the stream of its container.

    Args:
        stream: The connection that was attached to the container; this closes it.
        end: Ends the container; called once, with the stream still open.
    """

    def __init__(self, stream: socket.socket, *, end: Callable[[], None]):
        self._raw = bytearray()
        self._kind = self._left = 0
        self._said = bytearray()
        super().__init__(stream, end=end)

    def _read(self) -> bytes:
        """What arrived on the runner's stdout."""
        data = super()._read()
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
