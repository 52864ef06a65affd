"""`Notices`: what processes tell each other by way of Postgres, of runs that are under way.

That something stored has changed, so that nobody has to look for it; and live text, which is never
stored. Told in the background, several at a time; a notice that cannot be told is forgotten,
because whoever waits also looks for himself.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..errors import AutogenError, JournalError
from ..events import Event
from .sql import SqlStore

__all__ = ["CHANNEL", "MOST_BYTES", "Notices"]

logger = logging.getLogger("autogen")

CHANNEL = "autogen_runs"

#: What Postgres takes is less than 8000 bytes. Source: its documentation of NOTIFY.
MOST_BYTES = 7800

#: So much text stands in one notice: escaped to ASCII it may take twelve times as much.
_MOST_TEXT = 600

#: How long the first of several waits for the others.
_GATHER_S = 0.03

#: What is not told yet; beyond that live text is left out.
_MOST_WAITING = 1000

#: How long one wait for notices lasts, and a pause after trouble.
_LOOK_S = 0.5
_PAUSE_S = 2.0

_TEXTS = ("text", "reasoning")


class Notices:
    """Notices of one process, to and from the others on a Postgres database."""

    def __init__(self, url: str, store: SqlStore):
        self._url = f"postgresql://{url.partition('://')[2]}"
        self._store = store
        self._me = uuid.uuid4().hex[:12]
        self._over = threading.Event()
        self._there = threading.Event()
        self._lock = threading.Lock()
        self._changed: dict[str, None] = {}
        self._heard: list[Event] = []
        self._threads: dict[str, threading.Thread] = {}
        #: Set while what came from elsewhere is passed on, which must not go round.
        self._passing = threading.local()

    def tell(self) -> None:
        """Tell others of the runs that this process changes and executes."""
        if "tell" not in self._threads:
            self._store.on_change.append(self._note_change)
            self._store.on_event.append(self._note_event)
            self._start("tell", self._tell_on)

    def listen(self) -> None:
        """Pass what others tell to `on_change` and `on_event` of the store."""
        if "listen" not in self._threads:
            self._start("listen", self._listen_on)

    def close(self) -> None:
        """Neither tell nor listen any more."""
        self._over.set()
        self._there.set()
        for thread in self._threads.values():
            thread.join()

    def _start(self, name: str, work: Any) -> None:
        self._threads[name] = threading.Thread(target=work, name=f"autogen-{name}", daemon=True)
        self._threads[name].start()

    # -- telling

    def _note_change(self, run_id: str) -> None:
        if not self._is_passing:
            with self._lock:
                self._changed[run_id] = None
            self._there.set()

    def _note_event(self, event: Event) -> None:
        if self._is_passing or not (event.is_transient or event.type in _WORTH_TELLING):
            return
        with self._lock:
            if event.is_transient and len(self._heard) >= _MOST_WAITING:
                return
            self._heard.append(event)
        self._there.set()

    @property
    def _is_passing(self) -> bool:
        return getattr(self._passing, "on", False)

    def _tell_on(self) -> None:
        while self._there.wait():
            # Cleared before the look at the end: what `close` sets afterwards wakes the next wait.
            self._there.clear()
            if self._over.wait(_GATHER_S):
                return
            with self._lock:
                changed, self._changed = list(self._changed), {}
                heard, self._heard = self._heard, []
            if not changed and not heard:
                continue
            try:
                self._send([*_of_changes(changed), *_of_events(heard)])
            except JournalError as error:
                logger.debug("Notices were not told: %s", error)
                self._over.wait(_PAUSE_S)

    def _send(self, notices: list[dict[str, Any]]) -> None:
        told = sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("text")))
        with self._store.writing("a notice to other processes") as connection:
            for notice in notices:
                text = json.dumps({"from": self._me, **notice}, separators=(",", ":"))
                if len(text) <= MOST_BYTES:
                    connection.execute(told, {"text": text})

    # -- listening

    def _listen_on(self) -> None:
        import psycopg

        while not self._over.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=10) as connection:
                    connection.execute(f"listen {CHANNEL}")
                    while not self._over.is_set():
                        for notice in connection.notifies(timeout=_LOOK_S):
                            self._take(notice.payload)
            except psycopg.Error as error:
                logger.debug("Notices of other processes can't be heard: %s", type(error).__name__)
                self._over.wait(_PAUSE_S)

    def _take(self, text: str) -> None:
        try:
            notice = json.loads(text)
            if notice.pop("from") == self._me:
                return
            event = Event.from_dict(notice["event"]) if "event" in notice else None
            run_ids = [str(run_id) for run_id in notice.get("changed", ())]
        except (AutogenError, AttributeError, KeyError, TypeError, ValueError):
            # Of another version, or of somebody else who uses the channel.
            return
        self._passing.on = True
        try:
            if event is not None:
                for hear in self._store.on_event:
                    hear(event)
            for run_id in run_ids:
                for told in self._store.on_change:
                    told(run_id)
        finally:
            self._passing.on = False


#: Stored events that others hear of at once, without their data: they end live text.
_WORTH_TELLING = frozenset(
    {
        "chat.finished",
        "code.finished",
        "error",
        "message.sent",
        "run.finished",
        "run.paused",
        "run.resumed",
    }
)


def _of_changes(run_ids: list[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(run_ids), 50):
        yield {"changed": [run_id for run_id in run_ids[start : start + 50] if len(run_id) <= 100]}
    for run_id in run_ids:
        if len(run_id) > 100:
            yield {"changed": [run_id]}


def _of_events(events: list[Event]) -> Iterator[dict[str, Any]]:
    """Notices of events in their order; neighbouring pieces of one text go together."""
    joined: list[dict[str, Any]] = []
    for event in events:
        record = event.to_dict()
        if not event.is_transient:
            record |= {"data": {}, "key": None}
        elif joined and _is_same_text(joined[-1], record):
            name = next(name for name in _TEXTS if name in record["data"])
            joined[-1]["data"] = {**joined[-1]["data"], **record["data"]} | {
                name: joined[-1]["data"][name] + record["data"][name]
            }
            continue
        joined.append(record)
    for record in joined:
        data = record["data"]
        found = [name for name in _TEXTS if isinstance(data.get(name), str)]
        if not found or len(data[found[0]]) <= _MOST_TEXT:
            yield {"event": record}
            continue
        name, text = found[0], data[found[0]]
        for start in range(0, len(text), _MOST_TEXT):
            is_end = start + _MOST_TEXT >= len(text)
            rest = data if is_end else {k: v for k, v in data.items() if k != "is_last"}
            yield {"event": {**record, "data": {**rest, name: text[start : start + _MOST_TEXT]}}}


def _is_same_text(before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before["type"] == "progress" or before["data"].get("is_last"):
        return False
    same = ("run_id", "type", "chat_id", "agent")
    names = [[name for name in _TEXTS if name in one["data"]] for one in (before, after)]
    return names[0] == names[1] != [] and all(before[name] == after[name] for name in same)
