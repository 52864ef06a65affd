"""The retired name `CriticAgent` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["CriticAgent"]

CriticAgent = retired(__name__, "CriticAgent")
