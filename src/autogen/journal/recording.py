"""One execution of a run, being recorded: its steps go to a log, its events to an outlet.

Events that a core emits come again on a replay, with the same keys, so they may wait: they are
written in one piece before the next step begins, or with the end of the run. Events that a leaf
reports do not come again, so they are written before the step's outcome is.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from .._kernel.recorder import Entry
from ..errors import JournalError, ReplayMismatch
from ..events import Event
from .base import Log
from .boxes import boxed, unboxed
from .writers import aside

__all__ = ["TAKEN_BACK", "UNFINISHED", "Recording"]

#: Kind of the entry that takes an earlier one at the same position back.
TAKEN_BACK = "taken-back"

#: Why a chat may stop without having come to its end: it goes on when it is run again.
UNFINISHED = frozenset({"budget", "cancelled", "error", "parked", "timeout"})

#: Events of an execution that stops before the end. The next one gets past that place, so their
#: keys must not be those of what happens there.
_OF_THE_EXECUTION = frozenset(
    {
        "budget.spent",
        "error",
        "run.finished",
        "run.forked",
        "run.paused",
        "run.resumed",
        "run.started",
    }
)


#: Events that somebody who watches may want to act upon while the step that reports them lasts.
_AT_ONCE = frozenset({"egress.allowed", "egress.refused", "question.asked"})


class Recording:
    """The recorder and the sink of one execution; branches of the run share it.

    Attributes:
        attempt: Number of the execution, from 1.
        is_over: The run has ended before: it is only told again.
        ran_out: A chat wanted to take a step after that end.
        trouble: What broke the execution off, if something did.
    """

    def __init__(
        self,
        *,
        entries: Iterable[Entry] = (),
        log: Log | None = None,
        outlet: Callable[[list[tuple[Event, int]]], object] | None = None,
        live: Callable[[Event], object] | None = None,
        attempt: int = 1,
        is_over: bool = False,
    ):
        """A recording that goes on after `entries`.

        Args:
            entries: What earlier executions logged, oldest first.
            log: Where new steps go; None where the run is over.
            outlet: Takes stored events, in order, several at a time, each with the number of steps
                that had been taken when it happened.
            live: Gets each event at once, transient ones too, in the thread that drives. Quick.
            attempt: Number of this execution.
            is_over: No step may be taken any more.
        """
        self.attempt = attempt
        self.is_over = is_over
        self.ran_out = False
        #: Stops the chat where its record ends, and gives the error that says so; None where the
        #: record ends with the chat, or nobody knows how it would go on.
        self.stop: Callable[[], Exception] | None = None
        #: Whether what happens right now is only the way out of an execution that is parked.
        self.is_muted: Callable[[], bool] = bool
        self._entries: dict[str, Entry] = {}
        self._places: dict[str, int] = {}
        self._asked: set[str] = set()
        n = 0
        for n, entry in enumerate(entries, 1):
            if entry.kind == TAKEN_BACK:
                self._entries.pop(entry.position, None)
            else:
                self._entries[entry.position] = entry
                self._places[entry.position] = n
        #: How many entries the log holds, and how many of them belong to what has happened so far.
        self._n_logged = n
        self._n_steps = 0
        self._log = log
        self._outlet = outlet
        self._live = live
        self._waiting: list[tuple[Event, int]] = []
        self._raised: list[tuple[Exception, str]] = []
        self.trouble: JournalError | None = None
        self._lock = threading.RLock()

    @property
    def n_known(self) -> int:
        """How many steps earlier executions took."""
        return len(self._entries)

    # -- as a recorder

    def digest(self, request: Any) -> str:
        """32 hex digits that differ where the request does, as far as JSON can tell."""
        text = json.dumps(request, sort_keys=True, default=lambda value: type(value).__name__)
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def known(self, position: str) -> Entry | None:
        """What an earlier execution kept of the step at `position`."""
        entry = self._entries.get(position)
        if entry is not None:
            self._asked.add(position)
            self._n_steps = max(self._n_steps, self._places[position])
        return entry

    def first_left_out(self) -> Entry | None:
        """The first known step that nobody asked for, and that is not the inside of one.

        Branches of work side by side are left alone: one that fails cuts the others short, which
        need not have got as far as before.
        """
        inside = tuple(f"{at[: at.rfind('/') + 1]}{at}/" for at in self._asked)
        for position, entry in self._entries.items():
            if position in self._asked or "." in position or position.startswith(inside):
                continue
            return entry
        return None

    def begin(self, position: str, kind: str) -> None:
        """Make room for a step: what was told so far is written."""
        if self.is_over:
            self.check()
            if self.stop is not None:
                raise self.stop()
            self.ran_out = True
            error = ReplayMismatch(
                f"the run has ended, and this program wants to take a further {kind!r} step "
                f"({position}). Run it with the agents and the code it began with, or under "
                "another id."
            )
            self.break_off(error)
            raise error
        self.check()
        with self._noted():
            self.flush()

    async def a_begin(self, position: str, kind: str) -> None:
        """The same, without blocking an event loop."""
        await aside(self.begin, position, kind)

    async def a_keep(self, entry: Entry) -> None:
        """`keep`, without blocking an event loop."""
        await aside(self.keep, entry)

    def keep(self, entry: Entry) -> None:
        """Log a step."""
        if self._log is None:
            return
        self.check()
        with self._noted():
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        assert self._log is not None
        self.flush()
        with self._lock:
            self._log.append(entry)
            self._n_logged += 1
            self._n_steps = self._n_logged

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except JournalError as error:
            self.break_off(error)
            raise

    def break_off(self, error: JournalError) -> None:
        """Take no further step, and keep none: each may have seen `error`."""
        if self.trouble is None:
            self.trouble = error

    def check(self) -> None:
        """Raise what broke the execution off, if something did."""
        if self.trouble is not None:
            raise self.trouble

    def box(self, error: Exception, position: str) -> dict[str, Any]:
        """An error as JSON, remembered in case it ends the execution."""
        self._raised.append((error, position))
        return boxed(error)

    def unbox(self, boxed: dict[str, Any], position: str) -> Exception:
        """The error again."""
        error = unboxed(boxed)
        self._raised.append((error, position))
        return error

    # -- as a sink

    def __call__(self, event: Event) -> None:
        """Take an event; transient ones pass."""
        if self._live is not None and not self.is_over:
            self._live(event)
        if event.key is None or self._outlet is None or self.is_over or self.is_muted():
            return
        ends = event.type == "chat.finished" and event.data.get("stop_reason") in UNFINISHED
        if ends or event.type in _OF_THE_EXECUTION:
            event = replace(event, key=f"{event.key}~{self.attempt}")
        elif self.trouble is not None:
            # It may tell of an outcome that is none.
            return
        with self._lock:
            self._waiting.append((event, self._n_steps))
        if event.type in _AT_ONCE:
            threading.Thread(target=self._flush_aside, name="autogen-flush", daemon=True).start()

    def _flush_aside(self) -> None:
        # What can't be written goes on waiting, and the next flush in its turn says why.
        with suppress(JournalError):
            self.flush()

    def flush(self) -> None:
        """Write the events that wait."""
        with self._lock:
            if self._waiting and self._outlet is not None:
                self._outlet(self._waiting)
                self._waiting = []

    # -- ending

    def take_back(self, error: BaseException) -> None:
        """Have the next execution take the steps again that raised what ends this one."""
        chain: list[BaseException] = []
        at: BaseException | None = error
        while at is not None and at not in chain:
            chain.append(at)
            at = at.__cause__ or at.__context__
        for raised, position in self._raised:
            if self._log is not None and any(raised is one for one in chain):
                self._write(Entry(position=position, kind=TAKEN_BACK))
