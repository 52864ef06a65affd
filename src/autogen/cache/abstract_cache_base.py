"""The AutoGen 0.2 module path of `AbstractCache`."""

from __future__ import annotations

from .base import AbstractCache

__all__ = ["AbstractCache"]
