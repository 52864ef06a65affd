"""The AutoGen 0.2 module path of `DiskCache`."""

from __future__ import annotations

from .sqlite import DiskCache

__all__ = ["DiskCache"]
