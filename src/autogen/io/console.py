"""`IOConsole` under its 0.2 path."""

from __future__ import annotations

from ..human.stream import IOConsole

__all__ = ["IOConsole"]
