"""Caches of model answers: the port (`base`), where they live, and `Cache`, the name users know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .base import AbstractCache
    from .cache import Cache

__all__ = ["AbstractCache", "Cache"]

__getattr__, __dir__ = lazy_names(__name__, {"AbstractCache": ".base", "Cache": ".cache"})
