"""`Feed`: tells coroutines what happens in a run, as soon as this process knows.

What is stored is read once for all who stand at the same place. What is not stored, live text, goes
by way of `OpenSteps`. Changes that nobody told of are found by looking now and then.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fastapi.concurrency import run_in_threadpool

from ..config.secrets import redact
from ..errors import AutogenError
from ..events import Event
from ..store.base import RunRecord
from .live import ENDS_OF_RUNS, OpenSteps, Told

__all__ = ["LOOK_S", "Feed", "Mark", "Page", "Watch"]

logger = logging.getLogger("autogen")

#: How often changes that nobody told of are looked for.
LOOK_S = 0.5

#: How long one wait lasts where nothing happens.
MOST_WAIT_S = 15.0

#: Status and number of the newest event of a run.
Mark: TypeAlias = tuple[str, int]

_News: TypeAlias = Literal["live", "status", "stored"]

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

    def __init__(self, feed: Feed, run_id: str, *, of_status: bool) -> None:
        self.run_id = run_id
        #: Whether only a change of the status is waited for.
        self.of_status = of_status
        #: Whether something that is stored may have changed since `clear`.
        self.is_due = True
        self._feed = feed
        self._woken = asyncio.Event()
        self._told: Told = {}

    def wake(self, *, is_due: bool = True) -> None:
        """Something has changed."""
        self.is_due |= is_due
        self._woken.set()

    def clear(self) -> None:
        """Forget what has changed. Do it before looking, so that nothing is missed."""
        self.is_due = False
        self._woken.clear()

    async def wait(self, most_s: float = MOST_WAIT_S) -> None:
        """Wait for a change since `clear`; not for ever, so that looking again does no harm."""
        try:
            await asyncio.wait_for(self._woken.wait(), min(most_s, MOST_WAIT_S))
        except TimeoutError:
            return

    def live(self) -> list[Event]:
        """The live text that this watch has not been told yet."""
        return self._feed.news(self.run_id, self._told)

    @property
    def is_over(self) -> bool:
        """Whether the server is about to end."""
        return self._feed.is_over


class Feed:
    """Who waits for changes of which run. `changed` and `heard` may be called from any thread.

    Args:
        look: Gives, of runs that are watched, status and number of the newest event: what others
            may have changed. Called in a thread; None where there are no others.
    """

    def __init__(self, look: Callable[[list[str]], Mapping[str, Mark]] | None = None) -> None:
        self.is_over = False
        self._look = look
        self._looking: asyncio.Task[None] | None = None
        self._seen: dict[str, Mark] = {}
        self._watches: dict[str, set[Watch]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: dict[str, OpenSteps] = {}
        self._lock = threading.Lock()
        #: How often each watched run has changed, and what was read of it since.
        self._versions: dict[str, int] = {}
        self._pages: dict[tuple[str, int], tuple[int, float, asyncio.Future[Page]]] = {}
        #: What the watches of a run are to be woken for, once the loop comes to it.
        self._news: dict[str, set[_News]] = {}

    @property
    def n_watches(self) -> int:
        """How many coroutines wait."""
        # Metrics ask in threads of their own.
        return sum(map(len, list(self._watches.values())))

    @contextmanager
    def watching(self, run_id: str, *, of_status: bool = False) -> Iterator[Watch]:
        """Inside the `with` block changes of a run wake the watch; or of its status alone."""
        self._loop = asyncio.get_running_loop()
        watch = Watch(self, run_id, of_status=of_status)
        self._watches.setdefault(run_id, set()).add(watch)
        if self._look is not None and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_on(self._look))
        try:
            yield watch
        finally:
            left = self._watches[run_id]
            left.discard(watch)
            if not left:
                del self._watches[run_id]
                self._versions.pop(run_id, None)
                self._seen.pop(run_id, None)
                for key in [key for key in self._pages if key[0] == run_id]:
                    del self._pages[key]

    async def _look_on(self, look: Callable[[list[str]], Mapping[str, Mark]]) -> None:
        """Find what others have changed, for everybody at once, as long as somebody waits."""
        while self._watches and not self.is_over:
            await asyncio.sleep(LOOK_S)
            try:
                marks = await run_in_threadpool(look, list(self._watches))
            except AutogenError as error:
                logger.warning("Changes of runs could not be looked for: %s", redact(str(error)))
                continue
            for run_id, mark in marks.items():
                before = self._seen.get(run_id)
                if run_id in self._watches and mark != before:
                    self._seen[run_id] = mark
                    self.changed(run_id, is_status=before is None or before[0] != mark[0])

    def changed(self, run_id: str, *, is_status: bool = False) -> None:
        """What is stored of a run has changed: events, or its status as well."""
        if run_id in self._watches:
            self._versions[run_id] = self._versions.get(run_id, 0) + 1
            self._soon(run_id, {"stored", "status"} if is_status else {"stored"})

    def status_changed(self, run_id: str) -> None:
        """The status of a run has changed."""
        self.changed(run_id, is_status=True)

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
            self._soon(event.run_id, {"live"})

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

    def _soon(self, run_id: str, news: set[_News]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        with self._lock:
            waiting = self._news.get(run_id)
            if waiting is not None:
                waiting |= news
                return
            self._news[run_id] = set(news)
        loop.call_soon_threadsafe(self._wake, run_id)

    def _wake(self, run_id: str) -> None:
        with self._lock:
            news = self._news.pop(run_id, set())
        for watch in self._watches.get(run_id, ()):
            if "status" in news or not watch.of_status:
                watch.wake(is_due=news != {"live"})

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
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
