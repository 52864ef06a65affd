"""The retired name `Criterion` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["Criterion"]

Criterion = retired(__name__, "Criterion")
