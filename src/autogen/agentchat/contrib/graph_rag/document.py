"""The retired names `Document`, `DocumentType` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["Document", "DocumentType"]

Document = retired(__name__, "Document")
DocumentType = retired(__name__, "DocumentType")
