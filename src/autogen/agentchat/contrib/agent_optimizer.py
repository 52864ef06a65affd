"""The retired name `AgentOptimizer` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["AgentOptimizer"]

AgentOptimizer = retired(__name__, "AgentOptimizer")
