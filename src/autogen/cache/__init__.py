"""Caches of model answers: the port (`base`), where they live, and `Cache`, the name users know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from . import abstract_cache_base as abstract_cache_base
    from . import cache as cache
    from . import cache_factory as cache_factory
    from . import disk_cache as disk_cache
    from . import in_memory_cache as in_memory_cache
    from . import redis_cache as redis_cache
    from .base import AbstractCache
    from .cache import Cache

__all__ = ["AbstractCache", "Cache"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AbstractCache": ".base",
        "Cache": ".cache",
        "abstract_cache_base": ".abstract_cache_base",
        "cache": ".cache",
        "cache_factory": ".cache_factory",
        "disk_cache": ".disk_cache",
        "in_memory_cache": ".in_memory_cache",
        "redis_cache": ".redis_cache",
    },
)
