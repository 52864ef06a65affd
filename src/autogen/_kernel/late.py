"""Parts of the kernel that need asyncio, loaded when the first op asks for them.

Making agents, and chats whose models and tools are plain functions, never do: asyncio is half of
what an import of this package would cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    import asyncio

    from . import ioloop
    from .drive_async import drive_async

__all__ = ["asyncio", "drive_async", "ioloop"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "asyncio": "asyncio",
        "drive_async": "autogen._kernel.drive_async",
        "ioloop": "autogen._kernel.ioloop",
    },
)
