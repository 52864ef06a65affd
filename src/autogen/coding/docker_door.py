"""The socket through which a runner in a container passes its way out to the host.

A folder with one socket in it, shown inside. It takes one connection, from the runner before any
code runs, and is gone after that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile

from .link import RunnerLost, passed_socket

__all__ = ["DOOR", "DOOR_FD", "Door"]

#: Where the folder is shown inside.
DOOR = "/run/autogen-door"
#: The descriptor under which the runner finds the connection.
DOOR_FD = 100


class Door:
    """Open from the start until the end of the `with` block.

    Args:
        owner: User and group id of the runner; nobody else may come in.
    """

    def __init__(self, *, owner: tuple[int, int]):
        self.folder = tempfile.mkdtemp(prefix="autogen-door-")
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            # By way of the descriptor: the name of a socket may have 107 bytes at most.
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                self._listener.bind(f"/proc/self/fd/{folder}/socket")
            finally:
                os.close(folder)
            self._listener.listen(1)
            self._listener.setblocking(False)
            if os.geteuid() == 0:
                os.chown(self.folder, *owner)
                os.chown(f"{self.folder}/socket", *owner)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def take(self) -> socket.socket:
        """The listening socket that the runner passed out before it said that it is ready.

        Raises:
            RunnerLost: There is none.
        """
        try:
            caller, _ = self._listener.accept()
        except OSError as error:
            raise RunnerLost(f"it passed no socket out: {error}") from None
        with caller:
            return passed_socket(caller)

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)
