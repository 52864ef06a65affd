"""The retired name `LLamaIndexConversableAgent` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["LLamaIndexConversableAgent"]

LLamaIndexConversableAgent = retired(__name__, "LLamaIndexConversableAgent")
