"""The journal on DBOS Transact: SQLite on one machine, Postgres where there are many.

An execution of a run is one DBOS workflow, `RUN~ATTEMPT`, and an entry of its log is one DBOS step.
What the steps *are* is our own affair: their identity is their position, which stands in the name
of the DBOS step, so that the numbers DBOS gives them are nothing but the order in which they were
written. What DBOS answers for is that an entry is durable when `append` returns, that an execution
which was fenced writes nothing more, and that of all workers exactly one gets a queued execution.

An execution that lives in a caller's thread has its workflow all the same: it waits on DBOS' event
loop while the caller, in a copy of its context, writes the steps.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSClient,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
    WorkflowSerializationFormat,
)
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from .._kernel.recorder import Entry
from ..errors import JournalError, RunLost, UsageError
from . import dbos_host as host
from .base import JOURNAL_VERSION, Job, from_record, record_of

__all__ = ["DbosEngine"]

T = TypeVar("T")

Work = Callable[[Job, "DbosLog"], Awaitable[None]]

#: A process that stands still inside a transaction loses it, and its locks, after so long.
IDLE_S = 10.0

#: How often the queue of each team is looked at. A look costs 2 to 4 ms of CPU, also where nothing
#: waits, so that workers of many teams look at each of them less often.
_POLLING_S = 0.25
_MOST_LOOKS_PER_S = 10
_START_S = 30.0

#: As many as asyncio itself takes at most; what waits for people or chats does not wait there.
_MOST_THREADS = 32
_HOSTED = "autogen.hosted"
_QUEUED = "autogen.queued"


class DbosLog:
    """The log of one execution: steps of its workflow, written in a copy of its context."""

    def __init__(self, engine: DbosEngine, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        self._engine = engine
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._lock = threading.Lock()

    def append(self, entry: Entry) -> None:
        """Write one step.

        Raises:
            RunLost: Another execution has begun.
            JournalError: It could not be written.
        """
        with self._lock:
            self._engine.call(self._context.copy().run, _write, entry)

    def close(self, *, is_finished: bool) -> None:
        """End the workflow; one that has not finished its run is cancelled, which fences it."""
        try:
            if not is_finished:
                self._engine.cancel(self.workflow_id)
        finally:
            self._loop.call_soon_threadsafe(self._over.set)

    async def closed(self) -> None:
        """Wait for `close`."""
        await self._over.wait()


def _write(entry: Entry) -> None:
    with _translated(f"{entry.kind} step {entry.position}"):
        DBOS.run_step({"name": f"{entry.kind} {entry.position}"}, _text_of, entry)


def _text_of(entry: Entry) -> str:
    """The record as ASCII: neither database takes every text as it is."""
    return json.dumps(record_of(entry))


class DbosEngine:
    """DBOS on one database. There is one in a process, because there is one DBOS in a process."""

    def __init__(
        self,
        url: str,
        *,
        executor_id: str,
        work: Work | None = None,
        queues: dict[str, int | None] | None = None,
        at_once: int | None = None,
    ):
        """An engine; DBOS is launched when the first log is asked for.

        Args:
            url: `sqlite:///PATH` or `postgresql://...`.
            executor_id: Another one for each start of a process.
            work: Makes an execution that was queued; None where this process is no worker.
            queues: For a worker: names, and how many executions of each may run at once in all
                workers together (None for any number).
            at_once: How many of each queue may run at once in one worker; the newest worker's word
                holds for all.
        """
        self.url = url
        self.executor_id = executor_id
        self._work = work
        self._queues = dict(queues or {})
        self._at_once = at_once
        self._seats: dict[str, Future[DbosLog]] = {}
        self._client: DBOSClient | None = None
        self._is_launched = False
        self._is_guest = False
        self._lock = threading.RLock()
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="autogen-journal")
        self._loop: _Loop
        _wal(url)
        _keep_quiet()
        with _translated("the database"):
            self.call(DBOS.migrate, url)

    # -- logs

    def begin(self, run_id: str, attempt: int) -> DbosLog:
        """The log of a new execution, made in this process."""
        self.launch()
        workflow_id = _workflow_id(run_id, attempt)
        seat: Future[DbosLog] = Future()
        self._seats[workflow_id] = seat
        try:
            with _translated(f"run {run_id!r}"):
                self._loop.run(self._start(workflow_id, _HOSTED, workflow_id))
            return seat.result(_START_S)
        except TimeoutError:
            raise JournalError(
                f"execution {attempt} of run {run_id!r} did not begin within {_START_S:.0f} s."
            ) from None
        finally:
            self._seats.pop(workflow_id, None)

    async def _start(self, workflow_id: str, name: str, *args: Any) -> None:
        # A program's own DBOS has a version of its own, which changes with the program.
        with SetWorkflowID(workflow_id), SetEnqueueOptions(app_version=JOURNAL_VERSION):
            await DBOS.start_workflow_async(_workflows()[name], *args)

    def has_seat(self, workflow_id: str) -> bool:
        """Whether somebody in this process waits for the log of a workflow."""
        return workflow_id in self._seats

    def take_seat(self, workflow_id: str) -> DbosLog:
        """The log of the workflow that the calling code is; whoever waits for it is told."""
        log = DbosLog(self, workflow_id)
        seat = self._seats.get(workflow_id)
        if seat is not None:
            seat.set_result(log)
        return log

    def fence(self, run_id: str, attempt: int) -> None:
        """See to it that execution number `attempt` writes nothing more."""
        if attempt > 0:
            self.cancel(_workflow_id(run_id, attempt))

    def cancel(self, workflow_id: str) -> None:
        """Take a workflow from whoever runs it."""
        with _translated(workflow_id):
            try:
                self.call(self.client.cancel_workflow, workflow_id)
            except dbos_error.DBOSNonExistentWorkflowError:
                # It was announced, and whoever wanted to begin it died.
                return

    def read(self, run_id: str, attempts: int) -> list[Entry]:
        """What executions number 1 to `attempts` logged, in order."""
        entries = []
        with _translated(f"run {run_id!r}"):
            for attempt in range(1, attempts + 1):
                steps = self.call(self.client.list_workflow_steps, _workflow_id(run_id, attempt))
                for row in sorted(steps, key=lambda row: int(row["function_id"])):
                    kind, _, position = row["function_name"].partition(" ")
                    if position:
                        record = json.loads(row["output"] or "{}")
                        entries.append(from_record(kind, position, record))
        return entries

    def count(self, run_id: str, attempt: int) -> int:
        """How many entries execution number `attempt` logged."""
        with _translated(f"run {run_id!r}"):
            name = _workflow_id(run_id, attempt)
            steps = self.call(partial(self.client.list_workflow_steps, name, load_output=False))
            return len(steps)

    def forget(self, run_id: str, attempts: int) -> None:
        """Delete what executions number 1 to `attempts` logged."""
        with _translated(f"run {run_id!r}"):
            names = [_workflow_id(run_id, attempt) for attempt in range(1, attempts + 1)]
            self.call(self.client.delete_workflows, names)

    # -- workers

    def enqueue(self, run_id: str, attempt: int, *, team: str, priority: int = 0) -> None:
        """Have a worker make an execution. Saying it again changes nothing."""
        options: dict[str, Any] = {
            "workflow_name": _QUEUED,
            "queue_name": queue_of(team),
            "workflow_id": _workflow_id(run_id, attempt),
            "app_version": JOURNAL_VERSION,
        }
        if attempt > 1:
            # Only workers of the version that began a run can read its record.
            options["app_version"] = self._version_of(run_id, attempt) or JOURNAL_VERSION
        if priority:
            options["priority"] = priority
        with _translated(f"run {run_id!r}"):
            self.call(self.client.enqueue, options, run_id, attempt)

    def start(self, run_id: str, attempt: int) -> bool:
        """Make an execution here at once, as if it had come from the queue; only for workers.

        Returns:
            Whether this version of the journal may; if not, it belongs in the queue.
        """
        if attempt > 1 and self._version_of(run_id, attempt) not in (None, JOURNAL_VERSION):
            return False
        name = _workflow_id(run_id, attempt)
        with _translated(f"run {run_id!r}"):
            self._loop.run(self._start(name, _QUEUED, run_id, attempt))
        return True

    def check_version(self, run_id: str) -> None:
        """See to it that a run that goes on was begun by this version of the journal.

        Raises:
            JournalError: It was begun by another one.
        """
        version = self._version_of(run_id, 2)
        if version not in (None, JOURNAL_VERSION):
            raise JournalError(
                f"run {run_id!r} was begun by a version of this package that writes "
                f"{version!r}, and this one writes {JOURNAL_VERSION!r}. Finish it with that "
                "version, or begin it anew under another id."
            )

    def _version_of(self, run_id: str, attempt: int) -> str | None:
        """The version of the first execution before `attempt` that got as far as having one."""
        names = [_workflow_id(run_id, n) for n in range(1, attempt)]
        with _translated(f"run {run_id!r}"):
            found = self.call(
                partial(self.client.list_workflows, workflow_ids=names, load_input=False, limit=1)
            )
            return str(found[0].app_version) if found else None

    def taker(self, run_id: str, attempt: int) -> str | None:
        """Who took an execution from the queue; None while it lies there.

        One that ended without having been claimed was taken by nobody who lives: "".
        """
        name = _workflow_id(run_id, attempt)
        with _translated(f"run {run_id!r}"):
            found = self.call(partial(self.client.list_workflows, workflow_ids=[name]))
            for workflow in found:
                if workflow.status == "PENDING":
                    return str(workflow.executor_id)
                return None if workflow.status == "ENQUEUED" else ""
        return None

    @property
    def client(self) -> DBOSClient:
        """What reads and writes the tables without taking part in the work."""
        with self._lock:
            if self._client is None:
                self._client = DBOSClient(
                    system_database_url=self.url, serializer=DBOSPortableJSONSerializer()
                )
            return self._client

    def launch(self) -> None:
        """Have DBOS take part in the work of this database."""
        with self._lock:
            if self._is_launched:
                return
            _Home.move_in(self)
            self._is_guest = host.is_launched()
            # DBOS takes the loop it is launched on for its workflows.
            self._loop = _Loop()
            try:
                with _translated("the database"):
                    if self._is_guest:
                        self._check_host()
                    else:
                        self._loop.run(self._launch())
                    self._loop.run(self._listen())
            except BaseException:
                self._loop.close()
                _Home.move_out(self)
                raise
            self._is_launched = True

    def _check_host(self) -> None:
        """Refuse what a DBOS that the program launched itself cannot do.

        Raises:
            UsageError: It listens to no queues of ours, or keeps what it does in another database.
        """
        if self._work is not None:
            raise UsageError(
                "this program has launched DBOS itself, which does not listen to the queues of "
                "teams; start the worker in a process of its own: autogen worker."
            )
        # What it would record elsewhere, nobody would find again.
        if not self.call(host.is_on, self.client):
            raise UsageError(
                f"this program has launched DBOS on {host.place()!r}, and a process has one "
                f"DBOS; durable runs have to live there too: give that database instead of "
                f"{sa.make_url(self.url)!r}."
            )

    async def _launch(self) -> None:
        _workflows()
        DBOS(
            config={
                "name": "autogen",
                "system_database_url": self.url,
                "executor_id": self.executor_id,
                "application_version": JOURNAL_VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "CRITICAL",
                "notification_listener_polling_interval_sec": 1.0,
                "sys_db_idle_transaction_timeout_sec": IDLE_S,
                "max_executor_threads": _MOST_THREADS,
            }
        )
        DBOS.listen_queues([queue_of(name) for name in self._queues])
        DBOS.launch()

    async def _listen(self) -> None:
        _workflows()
        polling_s = max(_POLLING_S, len(self._queues) / _MOST_LOOKS_PER_S)
        for name, in_all in self._queues.items():
            await DBOS.register_queue_async(
                queue_of(name),
                global_concurrency=in_all,
                worker_concurrency=_least(self._at_once, in_all),
                polling_interval_sec=polling_s,
                on_conflict="always_update",
            )

    async def execute(self, job: Job, log: DbosLog) -> None:
        """Make an execution that was queued."""
        assert self._work is not None, "only workers listen to queues"
        await self._work(job, log)

    def close(self) -> None:
        """Let go of the database. Executions under way go on elsewhere once they are missed."""
        with self._lock:
            was_launched, self._is_launched = self._is_launched, False
        # Outside of the lock, because executions that are ended here still ask for the client.
        if was_launched:
            if not self._is_guest:
                self.call(DBOS.destroy)
            self._loop.close()
            _Home.move_out(self)
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            self.call(client.destroy)
        self._aside.shutdown()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call what blocks: here, or beside a thread in which an event loop runs.

        DBOS refuses such calls in a thread with a running loop, where they are right all the same
        when the code of a notebook cell makes them.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return function(*args)
        return self._aside.submit(contextvars.copy_context().run, function, *args).result()


def _keep_quiet() -> None:
    """Have DBOS log to nobody, where the program has not said to whom.

    It would add a handler for the standard error of this moment, and write to that for ever.
    """
    log = logging.getLogger("dbos")
    if not log.handlers:
        log.addHandler(logging.NullHandler())


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_over = False
        self._thread = threading.Thread(target=self._turn, name="autogen-journal-loop", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        # A task that raises one of these ends the loop under all the others; who waits for the
        # task is told all the same.
        while not self._is_over:
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()

    def run(self, core: Coroutine[Any, Any, T]) -> T:
        """Run `core` on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(core, self._loop).result()

    def close(self) -> None:
        """Cancel what runs on the loop, and end it."""
        self.run(_cancel_others())
        self._is_over = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Home:
    """Which engine this process has launched DBOS for."""

    engine: DbosEngine | None = None

    @classmethod
    def move_in(cls, engine: DbosEngine) -> None:
        if cls.engine is not None and cls.engine is not engine:
            raise UsageError(
                "this process records runs in another database already; use one database in a "
                "process, or close the Runtime of the first."
            )
        cls.engine = engine

    @classmethod
    def move_out(cls, engine: DbosEngine) -> None:
        if cls.engine is engine:
            cls.engine = None


_made: dict[str, Any] = {}


def _workflows() -> dict[str, Any]:
    """Our workflows by name, registered with DBOS once in a process."""
    if _made:
        return _made

    async def hosted(workflow_id: str) -> None:
        """An execution in the thread of a caller of this process."""
        engine = _Home.engine
        # DBOS may start it again by itself, when nobody waits for it any more.
        if engine is not None and engine.has_seat(workflow_id):
            await engine.take_seat(workflow_id).closed()

    async def queued(run_id: str, attempt: int) -> None:
        """An execution by a worker."""
        engine = _Home.engine
        if engine is not None:
            log = engine.take_seat(_workflow_id(run_id, attempt))
            await engine.execute(Job(run_id=run_id, attempt=attempt), log)

    portable = WorkflowSerializationFormat.PORTABLE
    for name, body in ((_HOSTED, hosted), (_QUEUED, queued)):
        _made[name] = DBOS.workflow(name=name, serialization_type=portable)(body)
    return _made


def _workflow_id(run_id: str, attempt: int) -> str:
    return f"{run_id}~{attempt}"


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def queue_of(team: str) -> str:
    """The DBOS queue of a team: only workers that know the team listen to it."""
    return f"autogen-{team}"


def _wal(url: str) -> None:
    """Write-ahead logging is a property of the file, and makes a commit several times cheaper."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as connection:
            connection.execute("pragma journal_mode=wal")
        connection.close()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Errors of DBOS and of the database as ours."""
    try:
        yield
    except (dbos_error.DBOSWorkflowConflictIDError, dbos_error.DBOSWorkflowCancelledError) as error:
        raise RunLost(
            f"{what} was not recorded: another execution of the run has begun. This one ends here."
        ) from error
    except dbos_error.DBOSNonExistentWorkflowError:
        raise
    except (dbos_error.DBOSException, SQLAlchemyError, OSError) as error:
        first = str(error).partition("\n")[0]
        raise JournalError(f"{what} could not be recorded or read: {first}") from error
