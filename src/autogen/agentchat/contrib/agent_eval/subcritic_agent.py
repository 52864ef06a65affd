"""The retired name `SubCriticAgent` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["SubCriticAgent"]

SubCriticAgent = retired(__name__, "SubCriticAgent")
