"""The command `autogen`: shells around the public API, for people at a terminal and for scripts.

The only room that prints. Everything else of the package speaks through events and `IOStream`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .app import main

__all__ = ["main"]

__getattr__, __dir__ = lazy_names(__name__, {"main": ".app"})
