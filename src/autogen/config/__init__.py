"""Configuration: config lists and their entries, providers, secrets."""

from __future__ import annotations

__all__: list[str] = []
