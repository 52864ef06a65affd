"""Wiring: how a run is opened, what its options are, and how its events are made.

The one place that knows which policies a conversation is composed of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from .._kernel import late
from .._kernel.cancel import CancelToken
from .._kernel.ops import Emit
from .._kernel.run import Run, current_run, entered, unused_id
from ..errors import UsageError, UsageTypeError
from ..events import TRANSIENT_TYPES, Event
from ..human.terminal import show
from ..limits.budget import Budget
from ..limits.loops import LoopGuard
from ..limits.spending import at_work, budgets_here, under
from .brakes import Brakes, has_reply_limit
from .state import Chat

if TYPE_CHECKING:
    from .._durable.execution import Execution

__all__ = [
    "RunOptions",
    "Silenced",
    "acting",
    "chat_opened",
    "event",
    "everywhere",
    "is_watched",
    "number_of",
    "options",
    "wanted_options",
]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a conversation is run: `agent.initiate_chat(..., run=RunOptions(timeout_s=60))`.

    Attributes:
        id: Names the run in its events, and in the database where it is durable; None for a random
            one.
        durable: Keep every step in the database: a process that dies in the middle is started
            again, and the chat goes on where it was. Asks for the extra `durable`. Needs an `id`,
            unless this is the default for several chats, which get `ID/1`, `ID/2`, ...
        database: Where, as `sqlite:///PATH` or `postgresql://...`; None for what
            `AUTOGEN_DATABASE_URL` names, else `sqlite:///.autogen/runs.db`.
        budget: The most it may spend; then the chat ends with `stop_reason` "budget". Budgets that
            hold already go on to hold.
        loop_guard: Looks for circles: None for the default `LoopGuard()` (or that of the chat
            around), another one, or False for nobody.
        timeout_s: Wall-clock seconds after which the chat ends with `stop_reason` "timeout".
        cancel: Ends the chat with `stop_reason` "cancelled" from any thread or task.
        sinks: Functions that get each `Event`, in order, in the thread that drives the chat.

    Raises:
        UsageError: `timeout_s` is not positive, a sink cannot be called, or something is of the
            wrong type.
    """

    id: str | None = None
    budget: Budget | None = None
    loop_guard: LoopGuard | bool | None = None
    timeout_s: float | None = None
    cancel: CancelToken | None = None
    sinks: Sequence[Callable[[Event], None]] = ()
    durable: bool = False
    database: str | None = None

    def __post_init__(self) -> None:
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise UsageError(
                f"timeout_s is {self.timeout_s!r}; it must be a positive number of seconds."
            )
        if not isinstance(self.budget, Budget | None):
            raise UsageTypeError(
                f"the budget is {self.budget!r}; give a Budget, such as Budget(usd=1.0)."
            )
        if not isinstance(self.loop_guard, LoopGuard | bool | None):
            raise UsageTypeError(
                f"loop_guard is {self.loop_guard!r}; give a LoopGuard, or False for none."
            )
        name: Any = self.id
        if name is not None and (not isinstance(name, str) or not name):
            raise UsageTypeError(f"the id is {self.id!r}; give a text that names the run.")
        for sink in self.sinks:
            if not callable(sink):
                raise UsageError(
                    f"the sink {sink!r} cannot be called; pass a function of one Event."
                )


#: Sinks that see every run opened in this process, after those of the run itself.
everywhere: list[Callable[[Event], None]] = []

_ambient: ContextVar[RunOptions | None] = ContextVar("autogen_options", default=None)

#: Numbers the chats that run under the options of a `with options(...)` block.
_numbers: ContextVar[Iterator[int]] = ContextVar("autogen_chat_numbers")


@contextmanager
def options(run_options: RunOptions) -> Iterator[RunOptions]:
    """Run every chat started inside the `with` block under `run_options`, or under its own.

    A budget holds for everything inside the block, whatever options a chat has of its own. Durable
    chats with an `id` are `ID/1`, `ID/2`, ... in the order in which they start; what a program
    says or asks by `send`, `receive` and `generate_reply` of its own is a chat, too.
    """
    token, numbers = _ambient.set(run_options), _numbers.set(count(1))
    try:
        with under(run_options.budget):
            yield run_options
    finally:
        _numbers.reset(numbers)
        _ambient.reset(token)


def number_of(run_id: str) -> int | None:
    """The number of a run among those of the `with options(...)` block; None if it has none."""
    ambient = _ambient.get()
    if ambient is None or not ambient.durable or ambient.id is None:
        return None
    around, _, number = run_id.rpartition("/")
    return int(number) if around == ambient.id and number.isdecimal() else None


def wanted_options(given: RunOptions | None) -> RunOptions | None:
    """The options for a new chat that was given `given`; None where it is part of another run.

    Raises:
        UsageError: A durable chat has no id by which it could be found again.
    """
    if given is None:
        if current_run() is not None:
            return None
        ambient = _ambient.get()
        if ambient is not None and ambient.durable:
            return replace(ambient, id=f"{ambient.id or unused_id()}/{next(_numbers.get())}")
        return ambient
    if given.durable and given.id is None:
        raise UsageError(
            "a durable chat needs an id to be found again by; give RunOptions(durable=True, id=...)"
            "."
        )
    return given


def is_watched() -> bool:
    """Whether anybody would see an event of the current chat."""
    run = current_run()
    if run is None:
        return False
    chat = run.scope
    return len(run.sinks) > 1 or chat is None or not chat.silent


def event(
    type: str, data: dict[str, Any], *, agent: str | None = None, silent: bool | None = None
) -> Emit:
    """An op that tells whoever watches. Ask `is_watched` first.

    Args:
        type: One of `EVENT_TYPES`.
        data: The facts.
        agent: Name of who acts.
        silent: Whether to leave it unprinted; None does as the chat does.
    """
    run = current_run()
    assert run is not None, "events are emitted inside a run"
    return Emit(_make_event(run, type, data, agent=agent, silent=silent))


#: Kept events that a leaf reports, which knows no agent.
_OF_CODE = frozenset({"egress.allowed", "egress.refused"})

#: Name of the agent whose model, or whose code, is at work.
_acting: ContextVar[str | None] = ContextVar("autogen_acting", default=None)


class acting:  # noqa: N801 it is used as the functions of contextlib are
    """Inside the `with` block what leaves report is reported of `agent`."""

    # A class because every reply of a model enters one: a generator takes three times as long.
    __slots__ = ("_before", "_name")

    def __init__(self, agent: Any):
        self._name = getattr(agent, "name", None)

    def __enter__(self) -> None:
        self._before = _acting.get()
        _acting.set(self._name)

    def __exit__(self, *raised: object) -> None:
        # Not by token: a coroutine that is thrown away may be closed in another context.
        _acting.set(self._before)


class Silenced(Event):
    """An event that is recorded but not printed."""

    __slots__ = ()


class Unseen(Silenced):
    """An event that is not printed in a run that nobody else watches."""

    __slots__ = ()

    is_seen = False


def _make_event(
    run: Run, type: str, data: dict[str, Any], agent: str | None = None, silent: bool | None = None
) -> Event:
    chat: Chat | None = run.scope
    if silent is None:
        silent = chat is not None and chat.silent
    if agent is None and (type in TRANSIENT_TYPES or type in _OF_CODE):
        agent = _acting.get()
    # One sink prints, and one may record.
    n_viewers = len(run.sinks) - 1 - (run.recorder is not None)
    form = Event if not silent else Silenced if n_viewers else Unseen
    return form(
        type=type,
        data=data,
        run_id=run.id,
        key=None if type in TRANSIENT_TYPES else run.next_event_key(),
        at=run.wall_time(),
        chat_id=None if chat is None else chat.id,
        agent=agent,
        parent=chat.parent.id if chat is not None and chat.parent is not None else None,
    )


def _print(event: Event) -> None:
    if not isinstance(event, Silenced):
        show(event)


@contextmanager
def _run_opened(
    run_options: RunOptions | None, execution: Execution | None
) -> Iterator[tuple[Run, bool]]:
    """The run for a new chat, and whether this call opened it: the current one, or a new one."""
    around = current_run()
    if run_options is None and around is not None:
        yield around, False
        return
    wanted = run_options or _ambient.get() or RunOptions()
    recording = None if execution is None else execution.recording
    cancel = wanted.cancel if wanted.cancel is not None else CancelToken()
    run = Run(
        id=(wanted.id or unused_id()) if execution is None else execution.run_id,
        sinks=(_print, *wanted.sinks, *everywhere, *((recording,) if recording else ())),
        cancel=cancel,
        recorder=recording,
        people=None if execution is None else execution.people,
        make_event=_make_event,
    )
    with ExitStack() as stack:
        if execution is not None:
            stack.callback(execution.release)
            stack.enter_context(execution.obeys(cancel))
        if around is not None:
            run.scope = around.scope
            stack.enter_context(
                around.cancel.listen(lambda: cancel.cancel(around.cancel.reason or "cancelled"))
            )
        if wanted.timeout_s is not None:
            stack.callback(
                late.ioloop.call_later(wanted.timeout_s, lambda: cancel.cancel("timeout"))
            )
        if wanted.budget is not None or budgets_here():
            stack.enter_context(at_work(wanted.budget, lambda: cancel.cancel("budget")))
        yield run, True


@contextmanager
def chat_opened(
    initiator: Any,
    recipient: Any,
    *,
    silent: bool,
    run_options: RunOptions | None = None,
    is_limited: bool = False,
    execution: Execution | None = None,
) -> Iterator[tuple[Chat, bool]]:
    """A new chat, current inside the `with` block, and whether its run was opened for it.

    Args:
        initiator: Who starts it.
        recipient: The other side.
        silent: Nothing of it is printed.
        run_options: Of the run to open for it; None for the current run, if there is one.
        is_limited: The caller limited its length.
        execution: What records the run that is opened for it.
    """
    with _run_opened(run_options, execution) as (run, is_outermost):
        parent: Chat | None = run.scope
        position = run.next_position()
        chat = Chat(f"{run.path}{position}", initiator, recipient, parent=parent, silent=silent)
        wanted = (
            (_ambient.get() if parent is None else None) if run_options is None else run_options
        )
        chat.brakes = _brakes(chat, wanted, is_limited=is_limited)
        try:
            with entered(run.branch(position, scope=chat)):
                yield chat, is_outermost
        finally:
            chat.let_go()


_DEFAULT_GUARD = LoopGuard()


def _brakes(chat: Chat, wanted: RunOptions | None, *, is_limited: bool) -> Brakes:
    guard = None if wanted is None else wanted.loop_guard
    if guard is None:
        guard = _DEFAULT_GUARD if chat.parent is None else chat.parent.brakes.guard
    elif isinstance(guard, bool):
        guard = _DEFAULT_GUARD if guard else None
    agents = (chat.initiator, chat.recipient)
    n_budgets = len(budgets_here())
    has_own_limit = any(getattr(agent, "budget", None) is not None for agent in agents)
    has_timeout = wanted is not None and wanted.timeout_s is not None
    return Brakes(
        guard,
        is_limited=is_limited or has_reply_limit(agents),
        is_paid=n_budgets > 0 or has_own_limit or has_timeout,
        n_budgets=n_budgets,
        around=None if chat.parent is None else chat.parent.brakes,
    )
