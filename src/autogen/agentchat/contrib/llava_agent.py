"""The retired names `LLaVAAgent`, `llava_call` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["LLaVAAgent", "llava_call"]

LLaVAAgent = retired(__name__, "LLaVAAgent")
llava_call = retired(__name__, "llava_call")
