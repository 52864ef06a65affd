"""The 0.2 address of `MarkdownCodeExtractor`."""

from __future__ import annotations

from .extract import MarkdownCodeExtractor

__all__ = ["MarkdownCodeExtractor"]
