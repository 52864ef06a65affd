"""The AutoGen 0.2 module path of `InMemoryCache`."""

from __future__ import annotations

from .memory import InMemoryCache

__all__ = ["InMemoryCache"]
