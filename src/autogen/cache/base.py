"""The port of caches, and single flight over any of them.

A cache is `get`, `set` and `close`, all quick enough to call in a thread. Single flight is about
the answer that is not there yet: of all who ask for it at once, one goes and gets it, the others
wait.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from .._kernel import late

if TYPE_CHECKING:
    import asyncio

__all__ = ["AbstractCache", "Flight", "joined", "store_of"]


@runtime_checkable
class AbstractCache(Protocol):
    """Keeps values by key. Values are JSON: dicts, lists, texts, numbers, None."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        ...

    def set(self, key: str, value: Any) -> None:
        """Keep `value`."""
        ...

    def close(self) -> None:
        """Let go of what it holds open. May be called twice."""
        ...

    def __enter__(self) -> Self:
        """The cache itself."""
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        ...


def store_of(cache: AbstractCache) -> Hashable:
    """What two cache objects share if a value set through one is seen through the other."""
    store: Hashable = getattr(cache, "store", None)
    return store if store is not None else ("object", id(cache))


class Flight:
    """One answer on its way. Made by `joined`, left by `land` or `fail`."""

    __slots__ = ("_key", "_waiting", "cache", "is_done", "value")

    def __init__(self, key: Hashable, cache: AbstractCache):
        self._key = key
        # Held, so that no other object gets its id while the flight is known by it.
        self.cache = cache
        self.is_done = False
        self.value: Any = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def lead(self) -> None:
        """Note that the calling context is the one that gets the answer."""
        _leading.set(_leading.get() | {self._key})

    def land(self, value: Any) -> None:
        """Give `value` to all who wait; None tells them that there is nothing to share."""
        with _flights.lock:
            if self.is_done:
                return
            self.value, self.is_done = value, True
            _flights.by_key.pop(self._key, None)
            waiting, self._waiting = self._waiting, []
        _leading.set(_leading.get() - {self._key})
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:
                # That loop was closed; whoever waited on it is gone.
                continue

    def fail(self) -> None:
        """The answer did not come: the next one who asks goes for it. Nothing after `land`."""
        self.land(None)

    async def wait(self, timeout_s: float) -> Any:
        """What the leader found; None if it failed or took longer than `timeout_s`."""
        loop = late.asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with _flights.lock:
            if self.is_done:
                return self.value
            self._waiting.append((loop, future))
        try:
            await late.asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            return None
        return self.value


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _Flights:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_key: dict[Hashable, Flight] = {}


_flights = _Flights()

#: Flights that the current context is getting: asking for one of them again must not wait for
#: itself.
_leading: ContextVar[frozenset[Hashable]] = ContextVar("autogen_flights", default=frozenset())


def joined(cache: AbstractCache, key: str) -> tuple[Flight | None, bool]:
    """The flight for `key`, and whether the caller leads it; None where the caller should just go.

    A leader must call `land` or `fail` in the end, whatever happens.
    """
    name = (store_of(cache), key)
    if name in _leading.get():
        return None, False
    with _flights.lock:
        flight = _flights.by_key.get(name)
        if flight is not None:
            return flight, False
        flight = _flights.by_key[name] = Flight(name, cache)
    flight.lead()
    return flight, True


def _after_fork() -> None:
    # The threads that led these flights live in the parent only.
    globals()["_flights"] = _Flights()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
