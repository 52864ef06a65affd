"""The retired name `GPTAssistantAgent` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["GPTAssistantAgent"]

GPTAssistantAgent = retired(__name__, "GPTAssistantAgent")
