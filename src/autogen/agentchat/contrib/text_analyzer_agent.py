"""The retired name `TextAnalyzerAgent` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["TextAnalyzerAgent"]

TextAnalyzerAgent = retired(__name__, "TextAnalyzerAgent")
