"""The retired names `generate_criteria`, `quantify_criteria` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["generate_criteria", "quantify_criteria"]

generate_criteria = retired(__name__, "generate_criteria")
quantify_criteria = retired(__name__, "quantify_criteria")
