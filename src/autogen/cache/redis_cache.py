"""The AutoGen 0.2 module path of `RedisCache`."""

from __future__ import annotations

from .redis import RedisCache

__all__ = ["RedisCache"]
