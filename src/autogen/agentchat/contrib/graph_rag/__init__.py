"""Retired: retrieval from one graph database."""

from __future__ import annotations

__all__: list[str] = []
