"""The AutoGen 0.2 module path of `CosmosDBCache`, which is not supported."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import UsageError

__all__ = ["CosmosDBCache"]


class CosmosDBCache:
    """Importable, so that a program that names it starts; making one says what to use instead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse()

    @classmethod
    def create_cache(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Always raises."""
        _refuse()


def _refuse() -> NoReturn:
    raise UsageError(
        "Cosmos DB is not supported as a cache; use Cache.redis(redis_url=...) to share answers "
        "between machines, or Cache.disk() on one."
    )
