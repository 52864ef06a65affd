"""The results of chats, under their 0.2 module path."""

from __future__ import annotations

from .._chat.state import ChatResult

__all__ = ["ChatResult"]
