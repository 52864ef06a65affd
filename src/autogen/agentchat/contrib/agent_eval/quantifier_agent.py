"""The retired name `QuantifierAgent` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["QuantifierAgent"]

QuantifierAgent = retired(__name__, "QuantifierAgent")
