"""Caches of model answers: the port (`base`), where they live, and `Cache`, the name users know."""

from __future__ import annotations

from .._lazy import lazy_names

__all__ = ["AbstractCache", "Cache"]

__getattr__, __dir__ = lazy_names(__name__, {"AbstractCache": ".base", "Cache": ".cache"})
