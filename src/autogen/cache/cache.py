"""`Cache`: the cache users make, whatever keeps its values."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

from ..errors import UsageError
from .base import AbstractCache, store_of

__all__ = ["Cache", "CacheFactory", "seeded"]

_DEFAULT_SEED = 42
_DEFAULT_ROOT = ".cache"


class CacheFactory:
    """Picks the cache that a configuration asks for."""

    @staticmethod
    def cache_factory(
        seed: str | int,
        redis_url: str | None = None,
        cache_path_root: str = _DEFAULT_ROOT,
        cosmosdb_config: Mapping[str, Any] | None = None,
    ) -> AbstractCache:
        """Redis where a `redis_url` is given, else the folder `<cache_path_root>/<seed>`.

        Raises:
            UsageError: `cosmosdb_config` is given, or the cache cannot be opened.
        """
        if redis_url:
            return _adapter("redis", "RedisCache")(seed, redis_url)
        if cosmosdb_config:
            raise UsageError(
                "Cosmos DB is not supported as a cache; use Cache.redis(redis_url=...) to share "
                "answers between machines, or Cache.disk() on one."
            )
        folder = os.path.join(os.fspath(cache_path_root), _folder(seed))
        return _adapter("sqlite", "DiskCache")(folder)


def _adapter(module: str, name: str) -> Callable[..., AbstractCache]:
    """An adapter of this room by name: the others stay unloaded."""
    made: Callable[..., AbstractCache] = getattr(import_module(f".{module}", __package__), name)
    return made


def _folder(seed: str | int) -> str:
    name = str(seed)
    if not name or name in (".", "..") or set(name) & {"/", "\\", "\0"}:
        raise UsageError(f"cache_seed is {seed!r}; give a number, or text that names a folder.")
    return name


def seeded(seed: Any) -> AbstractCache:
    """The disk cache that `cache_seed` in a configuration stands for: `.cache/<seed>`."""
    if not isinstance(seed, int | str) or isinstance(seed, bool):
        raise UsageError(f"cache_seed is {seed!r}; give a number, or None for no cache.")
    return CacheFactory.cache_factory(seed)


class Cache:
    """A cache of model answers; use it as a context manager or close it yourself.

    Make one with `Cache.disk()` or `Cache.redis()` and pass it as `cache=` to a chat or a `create`
    call.

    Args:
        config: `cache_seed`, `cache_path_root`, `redis_url`.

    Raises:
        UsageError: Another key (`Invalid config key: ...`), or the cache cannot be opened.
    """

    ALLOWED_CONFIG_KEYS: ClassVar[list[str]] = [
        "cache_seed",
        "redis_url",
        "cache_path_root",
        "cosmos_db_config",
    ]

    def __init__(self, config: Mapping[str, Any]):
        for key in config:
            if key not in self.ALLOWED_CONFIG_KEYS:
                raise UsageError(f"Invalid config key: {key}")
        self.config = dict(config)
        #: 0.2 keeps the seed as text.
        self.config["cache_seed"] = str(self.config.get("cache_seed", _DEFAULT_SEED))
        #: What keeps the values.
        self.cache = CacheFactory.cache_factory(
            seed=self.config["cache_seed"],
            redis_url=self.config.get("redis_url"),
            cache_path_root=self.config.get("cache_path_root", _DEFAULT_ROOT),
            cosmosdb_config=self.config.get("cosmos_db_config"),
        )

    @classmethod
    def disk(
        cls, cache_seed: str | int = _DEFAULT_SEED, cache_path_root: str = _DEFAULT_ROOT
    ) -> Self:
        """A cache in the folder `<cache_path_root>/<cache_seed>`."""
        return cls({"cache_seed": cache_seed, "cache_path_root": cache_path_root})

    @classmethod
    def redis(
        cls, cache_seed: str | int = _DEFAULT_SEED, redis_url: str = "redis://localhost:6379/0"
    ) -> Self:
        """A cache on a Redis server (extra `redis`)."""
        return cls({"cache_seed": cache_seed, "redis_url": redis_url})

    @classmethod
    def cosmos_db(
        cls,
        connection_string: str | None = None,
        container_id: str | None = None,
        cache_seed: str | int = _DEFAULT_SEED,
        client: Any = None,
    ) -> Self:
        """Not supported: always raises, naming what to use instead."""
        return cls({"cache_seed": cache_seed, "cosmos_db_config": {"container_id": container_id}})

    @property
    def store(self) -> Hashable:
        """What caches share that see each other's values."""
        return store_of(self.cache)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        return self.cache.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Keep `value`, which must be JSON."""
        self.cache.set(key, value)

    def close(self) -> None:
        """Let go of what it holds open."""
        self.cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
