"""The ports of a journal: the log of one execution of a run, and the engine that gives logs.

A run may be executed several times: the first execution dies, another one goes on. Each execution
has a log of its own that only it can append to. Whoever goes on fences the one before, which from
then on cannot write any more, reads what all earlier ones logged, and begins a new log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .._kernel.recorder import Entry

__all__ = ["JOURNAL_VERSION", "Engine", "Log", "from_record", "record_of"]

#: Version of the records, and of what the positions mean. A run is finished by the version that
#: began it.
JOURNAL_VERSION = "autogen-journal-1"


class Log(Protocol):
    """The log of one execution. Used from many threads, one call at a time."""

    def append(self, entry: Entry) -> None:
        """Keep `entry`; it is durable when this returns.

        Raises:
            RunLost: Another execution has begun.
            JournalError: It could not be written.
        """
        ...

    def close(self, *, is_finished: bool) -> None:
        """Nothing more comes. An execution that has not finished its run may be followed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One execution of a run that a worker is to make.

    Attributes:
        run_id: The run.
        attempt: 1 for its first execution.
    """

    run_id: str
    attempt: int


class Engine(Protocol):
    """Gives logs, and hands executions to workers. One for each database, used from any thread."""

    def begin(self, run_id: str, attempt: int) -> Log:
        """The log of a new execution, made in this process."""
        ...

    def fence(self, run_id: str, attempt: int) -> None:
        """See to it that execution number `attempt`, and those before it, write nothing more."""
        ...

    def read(self, run_id: str, attempts: int) -> list[Entry]:
        """What executions number 1 to `attempts` logged, in order."""
        ...

    def enqueue(self, run_id: str, attempt: int, *, team: str, priority: int) -> None:
        """Have a worker make an execution. Saying it again changes nothing."""
        ...

    def serve(self, work: Callable[[Job, Log], None]) -> None:
        """Make executions that are queued, in threads; returns at once."""
        ...

    def forget(self, run_id: str, attempts: int) -> None:
        """Delete what executions number 1 to `attempts` logged."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def record_of(entry: Entry) -> dict[str, Any]:
    """`entry` as JSON; its kind and position are kept beside it."""
    record: dict[str, Any] = {}
    if entry.request is not None:
        record["r"] = entry.request
    if entry.error is not None:
        record["e"] = entry.error
    else:
        record["v"] = entry.value
    return record


def from_record(kind: str, position: str, record: Mapping[str, Any]) -> Entry:
    """The entry that `record_of` wrote down."""
    return Entry(
        position=position,
        kind=kind,
        request=record.get("r"),
        value=record.get("v"),
        error=record.get("e"),
    )
