"""Agents and capabilities beyond the plain ones; import each from its own module."""

from __future__ import annotations

__all__: list[str] = []
