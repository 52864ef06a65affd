"""Stores of documents for retrieval: the protocol of AutoGen 0.2, and the built-in store."""

from __future__ import annotations

__all__: list[str] = []
