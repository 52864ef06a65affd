"""`Feed`: tells coroutines what happens in a run, as soon as this process knows.

What is stored is read once for all who stand at the same place. What is not stored, live text, goes
by way of `OpenSteps`. Changes that nobody told of are found by looking now and then.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool

from ..events import Event
from ..store.base import RunRecord
from .live import ENDS_OF_RUNS, OpenSteps, Told

__all__ = ["LOOK_S", "Feed", "Page", "Watch"]

#: How often somebody who waits looks for himself.
LOOK_S = 0.5

#: How long a page that was read for somebody else is as good as a new one.
FRESH_S = 0.2


@dataclass(frozen=True, slots=True)
class Page:
    """Events after a number, and the run as it stood before they were read.

    Attributes:
        record: The run.
        items: Number and JSON of each event.
    """

    record: RunRecord
    items: list[tuple[int, str]]


class Watch:
    """Waits for changes of one run."""

    def __init__(self, feed: Feed, run_id: str) -> None:
        self.run_id = run_id
        #: Whether something that is stored may have changed since `clear`.
        self.is_due = True
        self._feed = feed
        self._woken = asyncio.Event()
        self._told: Told = {}
        self._looked_at = 0.0

    def wake(self, *, is_due: bool) -> None:
        """Something has changed."""
        self.is_due |= is_due
        self._woken.set()

    def clear(self) -> None:
        """Forget what has changed. Do it before looking, so that nothing is missed."""
        if self.is_due:
            self._looked_at = time.monotonic()
        self.is_due = False
        self._woken.clear()

    async def wait(self, most_s: float = LOOK_S) -> None:
        """Wait for a change since `clear`, for `LOOK_S` at most."""
        left_s = max(0.0, self._looked_at + min(most_s, LOOK_S) - time.monotonic())
        try:
            await asyncio.wait_for(self._woken.wait(), left_s)
        except TimeoutError:
            self.is_due = True

    async def stored(self, most_s: float = LOOK_S) -> None:
        """Wait as `wait` does, for changes of what is stored alone."""
        while not self.is_due and not self.is_over:
            self._woken.clear()
            await self.wait(most_s)

    def live(self) -> list[Event]:
        """The live text that this watch has not been told yet."""
        return self._feed.news(self.run_id, self._told)

    @property
    def is_over(self) -> bool:
        """Whether the server is about to end."""
        return self._feed.is_over


class Feed:
    """Who waits for changes of which run. `changed` and `heard` may be called from any thread."""

    def __init__(self) -> None:
        self.is_over = False
        self._watches: dict[str, set[Watch]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: dict[str, OpenSteps] = {}
        self._lock = threading.Lock()
        #: How often each watched run has changed, and what was read of it since.
        self._versions: dict[str, int] = {}
        self._pages: dict[tuple[str, int], tuple[int, float, asyncio.Future[Page]]] = {}
        self._woken: dict[str, bool] = {}

    @property
    def n_watches(self) -> int:
        """How many coroutines wait."""
        return sum(map(len, self._watches.values()))

    @contextmanager
    def watching(self, run_id: str) -> Iterator[Watch]:
        """Inside the `with` block changes of a run wake the watch."""
        self._loop = asyncio.get_running_loop()
        watch = Watch(self, run_id)
        self._watches.setdefault(run_id, set()).add(watch)
        try:
            yield watch
        finally:
            left = self._watches[run_id]
            left.discard(watch)
            if not left:
                del self._watches[run_id]
                self._versions.pop(run_id, None)
                for key in [key for key in self._pages if key[0] == run_id]:
                    del self._pages[key]

    def changed(self, run_id: str) -> None:
        """What is stored of a run has changed."""
        if run_id in self._watches:
            self._versions[run_id] = self._versions.get(run_id, 0) + 1
            self._soon(run_id, is_due=True)

    def heard(self, event: Event) -> None:
        """An event has happened: live text, or what ends it."""
        with self._lock:
            if event.type in ENDS_OF_RUNS:
                self._open.pop(event.run_id, None)
                return
            steps = self._open.get(event.run_id)
            if steps is None:
                if not event.is_transient:
                    return
                steps = self._open[event.run_id] = OpenSteps()
            is_news = steps.hear(event)
        if is_news and event.run_id in self._watches:
            self._soon(event.run_id, is_due=False)

    def stored(self, event: Event) -> None:
        """A stored event was read; what it ends may still be open where others execute the run."""
        with self._lock:
            steps = self._open.get(event.run_id)
            if steps is not None:
                steps.end(event)

    def news(self, run_id: str, told: Told) -> list[Event]:
        """The live text of a run beyond `told`, which is brought up to date."""
        with self._lock:
            steps = self._open.get(run_id)
            return [] if steps is None else steps.news(told)

    def _soon(self, run_id: str, *, is_due: bool) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        with self._lock:
            is_coming = run_id in self._woken
            self._woken[run_id] = self._woken.get(run_id, False) or is_due
        if not is_coming:
            loop.call_soon_threadsafe(self._wake, run_id)

    def _wake(self, run_id: str) -> None:
        with self._lock:
            is_due = self._woken.pop(run_id, True)
        for watch in self._watches.get(run_id, ()):
            watch.wake(is_due=is_due)

    async def page(self, run_id: str, after: int, read: Callable[[str, int], Page]) -> Page:
        """What `read(run_id, after)` gives in a thread; one reading serves all who want it now."""
        key, version = (run_id, after), self._versions.get(run_id, 0)
        known = self._pages.get(key)
        if known is not None and known[0] == version:
            _, read_at, reading = known
            if not reading.done() or time.monotonic() - read_at < FRESH_S:
                return await asyncio.shield(reading)
        reading = asyncio.ensure_future(run_in_threadpool(read, run_id, after))
        # Everybody who waits for it may be gone when it fails.
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._pages[key] = (version, time.monotonic(), reading)
        try:
            return await asyncio.shield(reading)
        finally:
            newest = [old for old in self._pages if old[0] == run_id]
            for old in newest[:-8]:
                del self._pages[old]

    def close(self) -> None:
        """Have everybody who waits stop. Call it in the thread of the event loop."""
        self.is_over = True
        for run_id in self._watches:
            self._wake(run_id)
