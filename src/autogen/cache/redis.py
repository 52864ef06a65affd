"""Answers in Redis: keys `autogen:<seed>:<key>`, values as JSON, never pickled."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Self

from ..config.secrets import redact
from ..errors import UsageError
from .text import from_text, to_text

__all__ = ["RedisCache"]


class RedisCache:
    """A cache that several machines share.

    Args:
        seed: Separates the values of caches on one server.
        redis_url: `redis://`, `rediss://` or `unix://`.

    Raises:
        UsageError: The `redis` package is missing or the URL cannot be used.
    """

    def __init__(self, seed: str | int, redis_url: str):
        try:
            redis: Any = import_module("redis")
        except ImportError as error:
            raise UsageError(
                "autogen.cache.redis needs the 'redis' extra: run pip install -e \".[redis]\" in "
                "the clone of this package."
            ) from error
        self._seed = str(seed)
        self._errors: type[Exception] = redis.RedisError
        self._where = redact(redis_url)
        self.store = ("redis", redis_url, self._seed)
        try:
            self._client: Any = redis.Redis.from_url(redis_url)
        except ValueError as error:
            raise UsageError(
                f"redis_url {self._where!r} can't be used ({error}); give one such as "
                "'redis://localhost:6379/0'."
            ) from error

    def _prefixed(self, key: str) -> str:
        return f"autogen:{self._seed}:{key}"

    def _told(self, error: Exception) -> UsageError:
        return UsageError(
            f"the cache at {self._where!r} can't be used ({redact(str(error))}); "
            "is the server running?"
        )

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        try:
            text = self._client.get(self._prefixed(key))
        except self._errors as error:
            raise self._told(error) from error
        return from_text(text, default)

    def set(self, key: str, value: Any) -> None:
        """Keep `value`, which must be JSON."""
        text = to_text(value)
        try:
            self._client.set(self._prefixed(key), text)
        except self._errors as error:
            raise self._told(error) from error

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
