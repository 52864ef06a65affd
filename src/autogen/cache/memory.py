"""A cache that lives and dies with its object."""

from __future__ import annotations

from typing import Any, Self

__all__ = ["InMemoryCache"]


class InMemoryCache:
    """Values in a dict.

    Args:
        seed: Begins every key, as in AutoGen 0.2.
    """

    def __init__(self, seed: str | int = ""):
        self._seed = str(seed)
        self._values: dict[str, Any] = {}

    def _prefixed(self, key: str) -> str:
        return f"{self._seed}_{key}" if self._seed else key

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        return self._values.get(self._prefixed(key), default)

    def set(self, key: str, value: Any) -> None:
        """Keep `value` itself, not a copy."""
        self._values[self._prefixed(key)] = value

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
