"""The conversation: what a chat is, step by step. Its public names are in `agentchat`."""

from __future__ import annotations

__all__: list[str] = []
