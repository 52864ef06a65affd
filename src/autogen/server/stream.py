"""A stream of events (Server-Sent Events): what is stored, with its number, and live text without.

A stream reads the log a page at a time, and reads on when the client has taken that: a slow client
holds one page, and nobody else. Streams that stand at the same place share one reading.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from ..events import Event
from ..runtime.runtime import STILL
from .common import Parts
from .feed import Page
from .live import ENDS

__all__ = ["KEEP_ALIVE_S", "PAGE", "streamed"]

#: A stream without events sends a comment so often, which keeps proxies from closing it.
KEEP_ALIVE_S = 15.0

#: Events that a stream reads at once.
PAGE = 100

_RETRY_MS = 1000


async def streamed(parts: Parts, run_id: str, after: int) -> AsyncIterator[str]:
    """The events of a run after number `after`, until it does not go on by itself any more."""

    def read(run_id: str, after: int) -> Page:
        # The status first: whatever happened before it is in the page.
        record = parts.runtime.run(run_id)
        items = []
        for event in parts.runtime.events(run_id, after=after, limit=PAGE):
            if event.type in ENDS:
                parts.feed.stored(event)
            items.append((event.pos or after, f"id: {event.pos}\ndata: {event.to_json()}\n\n"))
        return Page(record, items)

    yield f"retry: {_RETRY_MS}\n\n"
    with parts.feed.watching(run_id) as watch:
        told_at = time.monotonic()
        while not watch.is_over:
            is_due = watch.is_due
            watch.clear()
            if is_due:
                page = await parts.feed.page(run_id, after, read)
                if page.items:
                    watch.wake(is_due=True)
                    after = page.items[-1][0]
                    yield "".join(text for _, text in page.items)
                    told_at = time.monotonic()
                    continue
                if page.record.status in STILL:
                    end = {"status": page.record.status, "stop_reason": page.record.stop_reason}
                    yield f"event: end\ndata: {json.dumps(end)}\n\n"
                    return
            if news := watch.live():
                told_at = time.monotonic()
                yield "".join(map(_live, news))
            if time.monotonic() - told_at >= KEEP_ALIVE_S:
                told_at = time.monotonic()
                yield ": still here\n\n"
            await watch.wait()


def _live(event: Event) -> str:
    return f"event: live\ndata: {event.to_json()}\n\n"
