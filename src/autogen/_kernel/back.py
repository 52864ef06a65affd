"""Asking back: how a leaf that is under way gets a core driven by whoever waits for it.

The sync driver waits in the very thread in which the leaf runs, so the core runs there. The async
driver waits on its event loop, where clients and channels belong: the core runs there, and the
leaf, in its worker thread, waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import RunCancelled
from . import late
from .drive import drive_sync
from .ops import Call, Core, Flavour
from .run import on_cancel

if TYPE_CHECKING:
    import asyncio

__all__ = ["way_back"]

T = TypeVar("T")


async def way_back() -> Callable[[Core[Any]], Any]:
    """What a leaf of the calling core calls to have another core driven to its end.

    It raises what that core raises, and RunCancelled when the leaf is cancelled meanwhile.
    """
    if await Flavour() == "sync":
        return drive_sync
    return partial(_drive_there, await Call(None, _loop_here))


async def _loop_here() -> asyncio.AbstractEventLoop:
    return late.asyncio.get_running_loop()


def _drive_there(loop: asyncio.AbstractEventLoop, core: Core[T]) -> T:
    future = late.asyncio.run_coroutine_threadsafe(late.drive_async(core), loop)
    try:
        with on_cancel(lambda: _call_off(future)):
            return future.result()
    except CancelledError:
        raise RunCancelled() from None


def _call_off(future: Future[Any]) -> None:
    future.cancel()
