"""Journals: where the steps of durable runs are kept, so that none is taken twice."""

from __future__ import annotations

__all__: list[str] = []
