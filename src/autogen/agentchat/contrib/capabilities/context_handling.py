"""The retired name `TransformChatHistory` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["TransformChatHistory"]

TransformChatHistory = retired(__name__, "TransformChatHistory")
