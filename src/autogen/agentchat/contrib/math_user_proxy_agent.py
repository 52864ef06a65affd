"""The retired name `MathUserProxyAgent` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["MathUserProxyAgent"]

MathUserProxyAgent = retired(__name__, "MathUserProxyAgent")
