"""The retired name `Task` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["Task"]

Task = retired(__name__, "Task")
