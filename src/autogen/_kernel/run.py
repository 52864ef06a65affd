"""A run: what the steps of a conversation share while it is under way.

`Run` holds identity, sinks, cancellation and the recorder; one ContextVar says which run the
current code belongs to. Adapters meet it only through `transient`, `report` and `on_cancel`, all of
which work (as no-ops) where no run is under way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from ..errors import UsageTypeError
from .cancel import CancelToken
from .recorder import Recorder

__all__ = [
    "Run",
    "SinkFailed",
    "current_run",
    "deliver",
    "entered",
    "foreign",
    "on_cancel",
    "outside",
    "raised",
    "report",
    "running",
    "transient",
    "unused_id",
]

Sink = Callable[[Any], None]


class Run:
    """One run, or one branch of it.

    Branches (parallel work, nested chats, the inside of a step) share everything but `path` and
    their step and event numbers; `path` makes the positions of a branch its own.

    Attributes:
        id: Identity of the whole run.
        path: Prefix of every position in this branch; "" for the run itself.
        sinks: Called with each event, in order, in the thread that drives.
        cancel: Stops the run.
        recorder: Keeps what its steps gave (`record.Recorder`); None where nothing is recorded.
        scope: Whatever the current chat is to the layer that opened the run.
        make_event: Builds the event that `transient` reports.
        people: Gets questions answered; None for the terminal.
    """

    __slots__ = (
        "_events",
        "_reports",
        "_steps",
        "cancel",
        "id",
        "make_event",
        "path",
        "people",
        "recorder",
        "scope",
        "sinks",
    )

    def __init__(
        self,
        *,
        id: str,
        sinks: Sequence[Sink] = (),
        cancel: CancelToken | None = None,
        recorder: Recorder | None = None,
        make_event: Callable[[Run, str, dict[str, Any]], Any] | None = None,
        path: str = "",
        scope: Any = None,
        people: Any = None,
    ):
        self.id = id
        self.sinks = tuple(sinks)
        self.cancel = cancel if cancel is not None else CancelToken()
        self.recorder = recorder
        self.make_event = make_event
        self.path = path
        self.people = people
        self.scope = scope
        self._steps = 0
        self._events = 0
        self._reports = 0

    def branch(self, name: str, *, scope: Any = None) -> Run:
        """A branch of this run whose positions start with `name`."""
        return Run(
            id=self.id,
            sinks=self.sinks,
            cancel=self.cancel,
            recorder=self.recorder,
            make_event=self.make_event,
            path=f"{self.path}{name}/",
            scope=self.scope if scope is None else scope,
            people=self.people,
        )

    @property
    def has_steps(self) -> bool:
        """Whether anything in this branch took a position."""
        return self._steps > 0

    def path_ahead(self) -> str:
        """The path of the branch that the next step of this branch is taken in."""
        # A position has the path in it already, and its branch has both.
        return f"{self.path}{self.path}{self._steps + 1}/"

    def next_position(self) -> str:
        """The position of the next step of this branch."""
        self._steps += 1
        return f"{self.path}{self._steps}"

    def next_event_key(self) -> str:
        """A key for the next stored event of this branch; a replay gives the same again."""
        self._events += 1
        return f"{self.path}e{self._events}"

    def aside(self) -> Run:
        """A branch for one event that a leaf reports.

        A replay does not run the leaf again, so its events leave the numbers of this branch alone.
        """
        self._reports += 1
        return self.branch(f"{self._steps}.{self._events}r{self._reports}")

    @staticmethod
    def wall_time() -> float:
        """Seconds since the epoch, for the time stamp of an event; not recorded."""
        return time.time()

    def deliver(self, event: Any) -> None:
        """Hand `event` to every sink. An error in a sink is the caller's."""
        for sink in self.sinks:
            sink(event)


_current: ContextVar[Run | None] = ContextVar("autogen_run", default=None)

#: Set where a leaf runs away from the thread that drives: takes events there.
_outlet: ContextVar[Callable[[Any], None] | None] = ContextVar("autogen_outlet", default=None)

#: Set where the async driver waits for a worker thread: cancelled with that wait.
_leaf_cancel: ContextVar[CancelToken | None] = ContextVar("autogen_leaf_cancel", default=None)


def unused_id() -> str:
    """32 hex digits that nobody else has. `uuid` gives no more, and loads `platform` for it."""
    return os.urandom(16).hex()


def current_run() -> Run | None:
    """The run that the calling code belongs to, or None."""
    return _current.get()


def running() -> Run | None:
    """The current run, or None; for drivers, before each op.

    Raises:
        RunCancelled: It was cancelled.
    """
    run = _current.get()
    if run is not None and run.cancel.reason is not None:
        raise run.cancel.error()
    return run


def deliver(run: Run, event: Any) -> None:
    """Hand an event to the sinks, in the thread that drives the outermost core."""
    outlet = _outlet.get()
    if outlet is None:
        run.deliver(event)
    else:
        outlet(event)


def foreign(op: Any) -> UsageTypeError:
    """The error for what is no op."""
    return UsageTypeError(
        f"core code awaited {type(op).__name__}; it may await only ops (Call, Emit, Gather, Sleep) "
        "and other core coroutines. Wrap the awaitable in Call(async_=...)."
    )


@contextmanager
def entered(run: Run) -> Iterator[Run]:
    """Make `run` the current one inside the `with` block."""
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)


@contextmanager
def outside() -> Iterator[None]:
    """Inside the `with` block no run is under way: for what must be done though it is cancelled."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


class SinkFailed(BaseException):
    """An error of a sink on its way through a leaf that knows nothing of it; drivers unwrap it.

    No `Exception`: an adapter would take it for a fault of its own, a closed terminal for a broken
    connection.
    """

    def __init__(self, error: BaseException):
        super().__init__(error)
        self.error = error


def raised(error: BaseException) -> BaseException:
    """What a call raised, as its core is to see it."""
    return error.error if isinstance(error, SinkFailed) else error


def transient(type: str, data: dict[str, Any]) -> bool:
    """Report something that is shown but not kept (tokens, live output, progress). Any thread.

    The event reaches the sinks in the thread that drives the run.

    Returns:
        Whether there is anybody to see it, as the event's `is_seen` says.
    """
    run = _current.get()
    if run is None or run.make_event is None:
        return False
    event = run.make_event(run, type, data)
    _report(run, event)
    return bool(getattr(event, "is_seen", True))


def report(type: str, data: dict[str, Any]) -> None:
    """Report from a leaf something that is kept (a host that code reached). Any thread."""
    run = _current.get()
    if run is not None and run.make_event is not None:
        _report(run, run.make_event(run.aside(), type, data))


def _report(run: Run, event: Any) -> None:
    try:
        deliver(run, event)
    except BaseException as error:
        raise SinkFailed(error) from error


@contextmanager
def on_cancel(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` (in another thread) if the work in the `with` block is cancelled."""
    with ExitStack() as stack:
        run, leaf = _current.get(), _leaf_cancel.get()
        if run is not None:
            stack.enter_context(run.cancel.listen(callback))
        if leaf is not None:
            stack.enter_context(leaf.listen(callback))
        yield
