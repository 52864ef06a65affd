"""`Database`: one database as this process uses it: store, journal engine, and a sign of life.

A process that executes runs beats: it keeps a row with the time of its last sign of life, by the
clock of the database. Whoever finds a run whose owner has not beaten for `LEASE_S` takes it over;
on the same machine, a process that is gone is not waited for.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .._kernel.cancel import CancelToken
from .._kernel.recorder import Entry
from ..coding.allowing import Grants, granting
from ..errors import JournalError, UsageError
from ..limits.budget import Budget
from ..store.base import RunRecord

if TYPE_CHECKING:
    from ..journal.dbos import DbosEngine
    from ..store.account import BudgetRecord
    from ..store.asking import Questions
    from ..store.blobs import Blobs
    from ..store.chats import Chats
    from ..store.notices import Notices
    from ..store.sql import SqlStore
    from ..store.usage import UsageSum

__all__ = ["DEFAULT_URL", "LEASE_S", "LEAST_LEASE_S", "Database", "database_url", "edited"]

logger = logging.getLogger("autogen")

DEFAULT_URL = "sqlite:///.autogen/runs.db"
ENVIRONMENT = "AUTOGEN_DATABASE_URL"

#: How long a process may show no sign of life before its runs go on elsewhere.
LEASE_S = 10.0

#: How often the wishes of others are looked for, and after how many looks the next beat is due.
TICK_S = 0.5
BEAT_TICKS = 4

#: The shortest lease that can be asked for.
LEAST_LEASE_S = 2.0

#: As many beats belong into a lease that was asked for, so that one may be missed.
_BEATS_IN_LEASE = 5

_INSTALL_HINT = (
    'durable runs need the extra "durable": pip install -e ".[durable]" in a clone of autogen-next.'
)


def database_url(given: str | None = None) -> str:
    """`given`, else what the environment names, else a file in the folder `.autogen`."""
    return given or os.environ.get(ENVIRONMENT) or DEFAULT_URL


class Database:
    """One database, opened once in a process. Use `Database.at(url)`.

    Attributes:
        url: Absolute.
        worker_id: This process, with its start: HOST:PID:PLACE-RANDOM.
        store: Runs, events, questions.
    """

    _open: ClassVar[dict[str, Database]] = {}
    _lock = threading.Lock()

    @classmethod
    def at(cls, url: str | None = None) -> Database:
        """The database at `url`; None for the default one. Opened when first asked for."""
        place = _absolute(database_url(url))
        with cls._lock:
            found = cls._open.get(place)
            if found is None or found.pid != os.getpid():
                found = cls._open[place] = cls(place)
            return found

    def __init__(self, url: str):
        self.url = url
        self.pid = os.getpid()
        self.worker_id = f"{socket.gethostname()}:{self.pid}:{_place()}-{uuid.uuid4().hex[:8]}"
        self.store = _store(url)
        self._engine: DbosEngine | None = None
        self._notices: Notices | None = None
        self._beating: threading.Thread | None = None
        self._over = threading.Event()
        self._guard = threading.RLock()
        self._tokens: dict[str, CancelToken] = {}
        #: Those of `new_owner` that are under way.
        self._owners: set[str] = set()
        self._beat_at_s = 0.0
        self._beat_ticks = BEAT_TICKS
        #: How long a sign of life of this process counts.
        self.lease_s = LEASE_S
        self._grants: dict[str, Grants] = {}
        self._late: deque[Callable[[], None]] = deque()
        #: Called with each beat, in its thread: what workers look after.
        self.on_beat: list[Callable[[], None]] = []
        atexit.register(self.close)

    @property
    def engine(self) -> DbosEngine:
        """What the steps are kept with."""
        with self._guard:
            if self._engine is None:
                self._engine = _engine(self.url, self.worker_id)
            return self._engine

    def hold(self, lease_s: float) -> None:
        """Have signs of life of this process count for so many seconds; before the first one.

        Raises:
            UsageError: It is shorter than two looks take, or the first sign of life is there.
        """
        if not LEAST_LEASE_S <= lease_s < math.inf:
            raise UsageError(
                f"the lease is {lease_s!r} s; give at least {LEAST_LEASE_S:g}: a process that is "
                "busy for longer loses its runs to others."
            )
        with self._guard:
            if self._beating is not None:
                raise UsageError("this process shows signs of life already; say the lease before.")
            self.lease_s = lease_s
            self._beat_ticks = max(1, int(lease_s / _BEATS_IN_LEASE / TICK_S))

    def serve(
        self, work: Any, queues: dict[str, int | None], *, at_once: int | None = None
    ) -> None:
        """Have this process make the executions that are queued for `queues`.

        Args:
            work: Makes one.
            queues: How many of each team may run at once in all workers; None for any number.
            at_once: How many of each team may run at once in one worker.
        """
        with self._guard:
            if self._engine is not None:
                raise UsageError(
                    "this process uses the database already; start the worker before it runs "
                    "anything else."
                )
            self._engine = _engine(
                self.url, self.worker_id, work=work, queues=queues, at_once=at_once
            )
        self.live()
        if self._notices is None and not self.url.startswith("sqlite"):
            self._notices = _notices(self.url, self.store)
        if self._notices is not None:
            self._notices.tell()
        self._engine.launch()

    def listen(self) -> None:
        """Hear of what other processes do, where the database carries that."""
        with self._guard:
            if self._notices is None and not self.url.startswith("sqlite"):
                self._notices = _notices(self.url, self.store)
            if self._notices is not None:
                self._notices.listen()

    # -- signs of life

    def new_owner(self) -> str:
        """A name for one execution in this process, which shows signs of life from now on."""
        self.live()
        owner = f"{self.worker_id}/{uuid.uuid4().hex[:8]}"
        self._owners.add(owner)
        return owner

    def part_with(self, owner: str) -> None:
        """The execution called `owner` has ended, whether or not that could be written down."""
        self._owners.discard(owner)

    def breathe(self) -> None:
        """Show a sign of life if one is due: for whoever keeps the beating thread busy."""
        if time.monotonic() - self._beat_at_s >= self._beat_ticks * TICK_S:
            self._show()

    def _show(self) -> None:
        self.store.beat(self.worker_id, self.lease_s)
        self._beat_at_s = time.monotonic()

    def live(self) -> None:
        """Show signs of life until `close`. The first one is there when this returns."""
        with self._guard:
            if self._beating is not None:
                return
            self._show()
            # A thread: an event loop that is blocked for a while must not look dead.
            self._beating = threading.Thread(target=self._beat, name="autogen-beat", daemon=True)
            self._beating.start()

    def _beat(self) -> None:
        n = 0
        while not self._over.wait(TICK_S):
            n += 1
            try:
                if self._tokens:
                    self._obey()
                    self._grant()
                if n % self._beat_ticks == 0:
                    self._show()
                    self._catch_up()
                    for look in self.on_beat:
                        look()
            except JournalError as error:
                # It may come back; until then others may take our runs over, which fences us.
                logger.warning("No sign of life could be written: %s", error)
            except Exception:
                # Without this thread every run here looks dead.
                logger.exception("Looking after durable runs failed; it goes on.")

    def _catch_up(self) -> None:
        """Do what could not be done while the database was away."""
        while self._late:
            try:
                self._late[0]()
            except UsageError as error:
                # What it was about is gone.
                logger.warning("%s", error)
            self._late.popleft()

    @contextmanager
    def obeyed(self, run_id: str, token: CancelToken) -> Iterator[None]:
        """Inside the `with` block somebody elsewhere may stop the run through `token`."""
        self._tokens[run_id], self._grants[run_id] = token, Grants()
        try:
            with granting(self._grants[run_id]):
                yield
        finally:
            self._tokens.pop(run_id, None)
            self._grants.pop(run_id, None)

    def _obey(self) -> None:
        for run_id in self.store.wishes(self.worker_id):
            token = self._tokens.get(run_id)
            if token is not None:
                token.cancel()

    def _grant(self) -> None:
        for run_id, pattern in self.store.allowed_hosts(self.worker_id):
            grants = self._grants.get(run_id)
            if grants is not None:
                grants.allow(pattern)

    def is_alive(self, owner: str) -> bool:
        """Whether an execution, or a process, is under way as far as anybody can see."""
        worker_id = owner.rpartition("/")[0] or owner
        if worker_id == self.worker_id:
            # One that ended when the database was away is still the owner of its run.
            return owner == worker_id or owner in self._owners
        _, pid, start = worker_id.rsplit(":", 2)
        if start.startswith(f"{_place()}-") and not _is_running(int(pid)):
            return False
        return self.store.beats_since(worker_id, LEASE_S)

    # -- records

    def entries(self, record: RunRecord) -> list[Entry]:
        """What was logged of a run, oldest first; of a fork, with the part that it shares."""
        own = self.engine.read(record.id, record.attempts)
        if record.forked_from is None:
            return own
        shared = self.entries(self.store.run(record.forked_from))[: record.forked_at]
        edits = record.edits or {}
        return [*(edited(entry, edits.get(entry.position)) for entry in shared), *own]

    @property
    def questions(self) -> Questions:
        """The questions of its runs."""
        from ..store.asking import Questions

        return Questions(self.store)

    @property
    def chats(self) -> Chats:
        """The conversations of its runs."""
        from ..store.chats import Chats

        return Chats(self.store)

    @property
    def blobs(self) -> Blobs:
        """The files that were handed in, and those that code left."""
        from ..store.blobs import Blobs

        return Blobs(self.store)

    def usage(self, **wanted: Any) -> list[UsageSum]:
        """Sums of what models were asked, as `usage_sums` takes it."""
        from ..store.usage import usage_sums

        return usage_sums(self.store, **wanted)

    def budgets(self, names: Collection[str] | None = None, **more: Any) -> list[BudgetRecord]:
        """Budgets as they stand, by name; None for all. `more` as `budget_records` takes it."""
        from ..store.account import budget_records

        return budget_records(self.store, names, **more)

    def budget(self, name: str, limits: Mapping[str, Any] | None = None) -> Budget:
        """The budget with this name, which every process that names it shares.

        Args:
            name: Which budget.
            limits: As `Budget` takes them; they hold from now on. None for those it has.
        """
        from ..store.account import SqlAccount

        self.live()
        ceiling = None if limits is None else Budget(**limits).account.ceiling
        account = SqlAccount(
            self.store,
            name,
            worker_id=self.worker_id,
            ceiling=ceiling,
            lease_s=LEASE_S,
            later=self._late.append,
        )
        return Budget(account=account)

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called: what that ends goes on elsewhere."""
        return self._over.is_set()

    def close(self) -> None:
        """Let go of the database. Runs under way here go on when they are run again."""
        atexit.unregister(self.close)
        with Database._lock:
            if Database._open.get(self.url) is self:
                del Database._open[self.url]
        self._over.set()
        if self._beating is not None:
            self._beating.join()
        if self.pid != os.getpid():
            return
        if self._beating is not None:
            # First, so that others go on with what is under way here while that ends.
            with suppress(JournalError):
                self._catch_up()
                self.store.leave(self.worker_id)
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        if self._notices is not None:
            self._notices.close()
            self._notices = None
        self.store.close()


def edited(entry: Entry, text: str | None) -> Entry:
    """`entry` with another text in what it gave; itself where `text` is None."""
    if text is None:
        return entry
    value = entry.value
    if isinstance(value, dict) and "reply" in value:
        reply = value["reply"]
        said = {**reply, "content": text} if isinstance(reply, dict) else text
        return replace(entry, value={**value, "reply": said})
    if isinstance(value, dict):
        return replace(entry, value={**value, "content": text})
    return replace(entry, value=text)


@cache
def _place() -> str:
    """Where the number of a process means that process: one start of a machine, one container.

    Containers may share a name, and number their processes each for itself.
    """
    told = [socket.gethostname()]
    with suppress(OSError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        told.append(str(Path("/proc/self/ns/pid").readlink()))
    return uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(told)).hex[:8]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _absolute(url: str) -> str:
    """A relative path means one place, wherever the process goes later."""
    prefix = "sqlite:///"
    if url.startswith(prefix):
        return prefix + str(Path(url.removeprefix(prefix)).absolute())
    return url


def _store(url: str) -> SqlStore:
    try:
        from ..store.sql import SqlStore
    except ModuleNotFoundError as error:
        raise UsageError(_INSTALL_HINT) from error
    return SqlStore(url)


def _notices(url: str, store: SqlStore) -> Notices:
    from ..store.notices import Notices

    return Notices(url, store)


def _engine(url: str, worker_id: str, **serving: Any) -> DbosEngine:
    try:
        from ..journal.dbos import DbosEngine
    except ModuleNotFoundError as error:
        raise UsageError(_INSTALL_HINT) from error
    return DbosEngine(url, executor_id=worker_id, **serving)
