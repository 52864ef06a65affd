"""The AutoGen 0.2 module path of `CacheFactory`."""

from __future__ import annotations

from .cache import CacheFactory

__all__ = ["CacheFactory"]
