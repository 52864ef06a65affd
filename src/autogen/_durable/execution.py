"""`Execution`: one execution of a durable run, from its claim to its end.

Opening one says which of four things is true: the run is new, or somebody who died had it (then it
goes on where that one stopped), or it is over (then it is told again from its record, and nothing
is called), or it is under way elsewhere (`RunBusy`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from .._kernel.cancel import CancelToken
from ..coding.workspace import regular_file
from ..errors import JournalError, ReplayMismatch, RunBusy, RunCancelled, RunLost
from ..events import Event
from ..human.base import HumanChannel
from ..human.mailbox import PARKED
from ..journal.base import Log
from ..journal.recording import UNFINISHED, Recording
from ..journal.writers import aside
from ..store.base import RunRecord
from .database import Database

__all__ = ["Execution", "check_request", "opened", "reopened"]

#: A run in one of these has ended for good.
_OVER = frozenset({"finished"})

#: How a run is listed that stopped before its end, by the reason.
_STOPPED = {"budget": "paused", "timeout": "paused", "cancelled": "cancelled", "error": "failed"}


class Execution:
    """One execution of a durable run.

    Attributes:
        run_id: The run.
        attempt: 1 for its first execution.
        recording: Its recorder and its sink.
        people: Gets its questions answered; None for the terminal.
        record: The run as it stood when this execution was opened.
        has_raised: Its chat, told again, ended in an error.
    """

    __slots__ = (
        "_database",
        "_log",
        "_owner",
        "attempt",
        "has_raised",
        "people",
        "record",
        "recording",
        "run_id",
    )

    def __init__(
        self, database: Database, record: RunRecord, *, log: Log | None, owner: str | None
    ):
        self.run_id = record.id
        self.attempt = record.attempts
        self.record = record
        self.has_raised = False
        self.people: HumanChannel | None = None
        self._database = database
        self._log = log
        self._owner = owner
        entries = database.entries(record)
        self.recording = Recording(
            entries=entries,
            log=log,
            outlet=None if owner is None else self._told,
            live=None if owner is None else self._heard,
            attempt=self.attempt,
            is_over=owner is None,
        )

    @property
    def is_over(self) -> bool:
        """Whether the run ended before, and is only told again."""
        return self.recording.is_over

    def obeys(self, token: CancelToken) -> AbstractContextManager[None]:
        """Inside the `with` block the run is stopped through `token` if somebody wishes it."""
        if self._owner is None:
            return self._stopped_again(token)
        self.recording.is_muted = lambda: token.reason == PARKED or self._database.is_closing
        return self._database.obeyed(self.run_id, token)

    @contextmanager
    def _stopped_again(self, token: CancelToken) -> Iterator[None]:
        """Have the chat stop where it stopped before its end, and as it did."""
        reason = self.record.stop_reason

        def stop() -> Exception:
            token.cancel(str(reason))
            return token.error()

        if self.record.status in ("cancelled", "paused") and reason in UNFINISHED:
            self.recording.stop = stop
        yield

    def _told(self, events: list[tuple[Event, int]]) -> None:
        assert self._owner is not None
        for event, _ in events:
            if event.type == "code.finished":
                # Before the event is: whoever reads that finds the files.
                self._keep(event.data.get("artifacts") or ())
        self._database.store.append(self.run_id, self._owner, events)

    def _keep(self, artifacts: Sequence[Mapping[str, Any]]) -> None:
        """Keep the files that code left, where they are still as it left them."""
        blobs = self._database.blobs if artifacts else None
        for one in artifacts:
            assert blobs is not None
            is_kept = False
            with suppress(OSError), regular_file(one["path"]) as file:
                is_kept = blobs.keep(file, sha256=one["sha256"], run_id=self.run_id)
            if not is_kept and blobs.has(one["sha256"]):
                blobs.use([one["sha256"]], run_id=self.run_id)

    def _heard(self, event: Event) -> None:
        for told in self._database.store.on_event:
            told(event)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write down how the run ended.

        Args:
            result: JSON with at least `stop_reason`. A run that stopped before its end goes on
                when it is run again.
        """
        if self._owner is None or self._log is None:
            return
        self.recording.check()
        self.recording.flush()
        reason = result.get("stop_reason")
        if reason == PARKED:
            self._park(self._owner)
            return
        status = _STOPPED.get(str(reason), "finished")
        if status == "cancelled" and self._database.store.run(self.run_id).wish == "pause":
            status = "paused"
        self._database.store.update(
            self.run_id,
            self._owner,
            status=status,
            stop_reason=reason,
            result=dict(result),
            error=None,
            leave=True,
        )
        self._leave(is_finished=reason not in UNFINISHED)

    async def a_finish(self, result: Mapping[str, Any]) -> None:
        """`finish`, without blocking an event loop."""
        await aside(self.finish, result)

    async def a_fail(self, error: BaseException) -> None:
        """`fail`, without blocking an event loop."""
        await aside(self.fail, error)

    def _park(self, owner: str) -> None:
        """Leave the run to wait for people without us."""
        self._database.store.update(self.run_id, owner, status="waiting", leave=True)
        self._leave(is_finished=False)
        # The answer may have come in between.
        self._database.questions.settle(self.run_id)

    def fail(self, error: BaseException) -> None:
        """Write down that the execution ended in an error; the next one tries that step again."""
        if self._owner is None or self._log is None:
            return
        cancelled = isinstance(error, RunCancelled) or not isinstance(error, Exception)
        if cancelled and self._worker_ends:
            return
        # Whoever was in between may have made something else of it.
        error = self.recording.trouble or error
        if self.record.team is not None and type(error) is JournalError:
            # The database was away: workers go on with the run as if this one had died.
            with suppress(JournalError):
                self._leave(is_finished=False)
            return
        try:
            self.recording.take_back(error)
            self.recording.flush()
            self._database.store.update(
                self.run_id,
                self._owner,
                status="cancelled" if cancelled else "failed",
                stop_reason="cancelled" if cancelled else "error",
                error={"type": type(error).__name__, "text": str(error)},
                leave=True,
            )
        except RunLost:
            # Whoever has the run now says how it ends.
            pass
        finally:
            self._leave(is_finished=False)

    @property
    def _worker_ends(self) -> bool:
        """Whether the worker ends and not the run: others find it as one of a worker that died."""
        return self.record.team is not None and self._database.is_closing

    def release(self) -> None:
        """Let go of a run that nobody ended: whoever runs it next goes on with it."""
        if self._owner is None or self._log is None or self._worker_ends:
            return
        with suppress(RunLost):
            self._database.store.update(self.run_id, self._owner, status="paused", leave=True)
        self._leave(is_finished=False)

    def _leave(self, *, is_finished: bool) -> None:
        log, self._log = self._log, None
        if self._owner is not None:
            self._database.part_with(self._owner)
        if log is not None:
            log.close(is_finished=is_finished)


def opened(database: Database, run_id: str, request: Mapping[str, Any]) -> Execution:
    """An execution of run `run_id` in this process; the run is made if there is none.

    Args:
        database: Where the run lives.
        run_id: Its id.
        request: What is asked for, as JSON: the same each time.

    Raises:
        RunBusy: It is under way somewhere else.
        ReplayMismatch: It began with another request.
        JournalError: The database cannot be used.
    """
    store = database.store
    record, is_new = store.create_run(RunRecord(id=run_id, request=dict(request)))
    if not is_new:
        check_request(record, request)
    if record.status in _OVER:
        return Execution(database, record, log=None, owner=None)
    return reopened(database, record)


def check_request(record: RunRecord, request: Mapping[str, Any]) -> None:
    """Refuse what differs from what a run began with.

    Raises:
        ReplayMismatch: It does.
    """
    if record.request != dict(request):
        raise ReplayMismatch(
            f"run {record.id!r} began with something else: {_difference(record.request, request)}. "
            "Run it as it began, or under another id."
        )


def reopened(database: Database, record: RunRecord) -> Execution:
    """The next execution of a run that has not ended, in this process."""
    if record.owner is not None and database.is_alive(record.owner):
        raise RunBusy(
            f"run {record.id!r} is under way already (process {record.owner.rpartition('/')[0]}). "
            "Wait for it to end, cancel it, or use another id."
        )
    if record.attempts:
        database.engine.check_version(record.id)
    owner = database.new_owner()
    try:
        claimed = database.store.claim(record.id, owner, expected=record.owner)
        if claimed is None:
            raise RunBusy(
                f"run {record.id!r} was taken up by another process just now. Wait for it to end, "
                "or use another id."
            )
        database.engine.fence(record.id, claimed.attempts - 1)
        log = database.engine.begin(record.id, claimed.attempts)
        return Execution(database, claimed, log=log, owner=owner)
    except BaseException:
        database.part_with(owner)
        raise


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            return f"{key} was {before.get(key)!r} and is now {after.get(key)!r}"
    return "the request differs"
