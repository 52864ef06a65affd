"""The retired name `AgentBuilder` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["AgentBuilder"]

AgentBuilder = retired(__name__, "AgentBuilder")
