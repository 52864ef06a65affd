"""The host's end of the frames that `bridge.py` speaks, over one socket into the wall.

Every byte is taken as hostile: a frame that is too long or no JSON object ends the channel.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

from ..waker import Waker

__all__ = ["Channel", "ChannelLost", "Door"]

HEADER = struct.Struct(">I")
MOST_FRAME_BYTES = 24 << 20
SEND_S = 10.0
CHUNK_BYTES = 1 << 18


class ChannelLost(Exception):
    """The other end is gone or broke the rules; the message says which."""


class Door:
    """A folder with one listening socket, to be shown inside a wall, for exactly one caller.

    Args:
        owner: User and group that may enter.
    """

    NAME = "door"

    def __init__(self, owner: tuple[int, int]) -> None:
        self.folder = tempfile.mkdtemp(prefix="autogen-kernel-")
        self._listener = socket.socket(socket.AF_UNIX)
        self._files: list[str] = [self.NAME]
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            # The path of a temporary folder may be too long for the address of a socket.
            self._listener.bind(f"/proc/self/fd/{folder}/{self.NAME}")
            self._listener.listen(1)
            self._listener.setblocking(False)
            if os.geteuid() == 0:
                os.chown(os.path.join(self.folder, self.NAME), *owner)
                os.chown(self.folder, *owner)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(folder)

    def add(self, path: Path, name: str) -> None:
        """Put a copy of a file into the folder."""
        copy = Path(self.folder, name)
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o644)
        self._files.append(name)

    def accept(self, deadline_s: float, waker: Waker) -> Channel | None:
        """The caller; None where nobody came, or somebody woke us."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(waker.fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000)}
        if self._listener.fileno() not in ready:
            waker.drain()
            return None
        caller, _ = self._listener.accept()
        return Channel(caller)

    def close(self) -> None:
        """Let nobody in any more, and remove the folder."""
        self._listener.close()
        for name in self._files:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.folder, name))
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)


class Channel:
    """Frames to and from one bridge."""

    def __init__(self, peer: socket.socket) -> None:
        self._socket = peer
        self._socket.setblocking(False)
        self._pending = bytearray()

    def send(self, **fields: Any) -> None:
        """Send one frame.

        Raises:
            ChannelLost: Nobody takes it.
        """
        body = json.dumps(fields).encode()
        rest = memoryview(HEADER.pack(len(body)) + body)
        deadline_s = time.monotonic() + SEND_S
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise ChannelLost("it does not read any more") from None
                poll.poll(100)
            except OSError:
                raise ChannelLost("it is gone") from None

    def receive(self, deadline_s: float, waker: Waker) -> dict[str, Any] | None:
        """The next frame; None where the deadline passed, or somebody woke us.

        Raises:
            ChannelLost: The other end is gone or broke the rules.
        """
        while True:
            frame = self._take_frame()
            if frame is not None:
                return frame
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            poll.register(waker.fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000)}
            if waker.fd in ready or not ready:
                waker.drain()
                return None
            try:
                data = self._socket.recv(CHUNK_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                raise ChannelLost("it is gone")
            self._pending += data

    def _take_frame(self) -> dict[str, Any] | None:
        if len(self._pending) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self._pending)
        if length > MOST_FRAME_BYTES:
            raise ChannelLost("it sent a frame that is too long")
        end = HEADER.size + length
        if len(self._pending) < end:
            return None
        try:
            frame = json.loads(self._pending[HEADER.size : end])
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            raise ChannelLost("it sent a malformed frame")
        del self._pending[:end]
        return frame

    def close(self) -> None:
        """Hang up, which ends the bridge and with it the kernel."""
        self._socket.close()
