"""The retired name `CompressibleAgent` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["CompressibleAgent"]

CompressibleAgent = retired(__name__, "CompressibleAgent")
