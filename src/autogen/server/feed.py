"""`Feed`: tells coroutines that a run has changed, as soon as this process knows.

Changes that other processes make are found by looking now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["LOOK_S", "Feed", "Watch"]

#: How often somebody who waits looks for himself.
LOOK_S = 0.5


class Watch:
    """Waits for changes of one run."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._changed = asyncio.Event()

    def set(self) -> None:
        """Something has changed."""
        self._changed.set()

    def clear(self) -> None:
        """Forget what has changed. Do it before looking, so that nothing is missed."""
        self._changed.clear()

    async def wait(self, most_s: float = LOOK_S) -> None:
        """Wait for a change since `clear`, for `LOOK_S` at most."""
        try:
            await asyncio.wait_for(self._changed.wait(), min(most_s, LOOK_S))
        except TimeoutError:
            return

    @property
    def is_over(self) -> bool:
        """Whether the server is about to end."""
        return self._feed.is_over


class Feed:
    """Who waits for changes of which run. `changed` may be called from any thread."""

    def __init__(self) -> None:
        self.is_over = False
        self._watches: dict[str, set[Watch]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def watching(self, run_id: str) -> Iterator[Watch]:
        """Inside the `with` block changes of a run wake the watch."""
        self._loop = asyncio.get_running_loop()
        watch = Watch(self)
        self._watches.setdefault(run_id, set()).add(watch)
        try:
            yield watch
        finally:
            left = self._watches[run_id]
            left.discard(watch)
            if not left:
                del self._watches[run_id]

    def changed(self, run_id: str) -> None:
        """A run has changed."""
        loop = self._loop
        if loop is not None and run_id in self._watches and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake, run_id)

    def _wake(self, run_id: str) -> None:
        for watch in self._watches.get(run_id, ()):
            watch.set()

    def close(self) -> None:
        """Have everybody who waits stop. Call it in the thread of the event loop."""
        self.is_over = True
        for run_id in self._watches:
            self._wake(run_id)
