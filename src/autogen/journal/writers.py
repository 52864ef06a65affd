"""Threads for the writes of chats that share an event loop.

They wait for the database and for nothing else, so a few are enough, and they can't wait for each
other. What may wait for a chat, a tool for instance, has threads elsewhere.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

__all__ = ["MOST_WRITERS", "aside"]

T = TypeVar("T")

#: More at once would wait for each other in the database.
MOST_WRITERS = 16

_pools: list[ThreadPoolExecutor] = []


async def aside(function: Callable[..., T], *args: object) -> T:
    """What `function`, which blocks for the database, gives; the event loop goes on meanwhile."""
    if not _pools:
        _pools.append(ThreadPoolExecutor(MOST_WRITERS, thread_name_prefix="autogen-write"))
    call = partial(copy_context().run, function, *args)
    return await asyncio.get_running_loop().run_in_executor(_pools[0], call)


# A child has the pool, and none of its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)
