"""Texts that are found again: the port (`base`), what turns text into numbers (`embed`), a store.

`LocalMemory` keeps everything in one SQLite file and needs NumPy, which is loaded when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .base import Embedder, Entry, Found, Memory
    from .embed import HashedNgrams
    from .local import LocalMemory

__all__ = ["Embedder", "Entry", "Found", "HashedNgrams", "LocalMemory", "Memory"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Embedder": ".base",
        "Entry": ".base",
        "Found": ".base",
        "HashedNgrams": ".embed",
        "LocalMemory": ".local",
        "Memory": ".base",
    },
)
