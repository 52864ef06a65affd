"""The command line in a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["in_terminal"]


def in_terminal(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80
) -> tuple[int, str]:
    """Run `autogen ARGUMENTS` in a terminal: exit code, and all that was written to it."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "autogen.cli", *arguments],
        cwd=cwd,
        env={**env, "TERM": "xterm-256color"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:
        # Linux says EIO where the other side is closed.
        pass
    finally:
        code = process.wait(timeout=20)
        os.close(leader)
    return code, shown.decode()
