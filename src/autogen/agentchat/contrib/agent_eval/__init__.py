"""Retired: a study of how to rate programs with agents."""

from __future__ import annotations

__all__: list[str] = []
