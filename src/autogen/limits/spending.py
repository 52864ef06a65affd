"""What counts against a budget: which budgets are in force here, setting aside, settling.

Core coroutines, so that one body serves every face. Where no budget is in force, finding that out
is all it costs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar

from .._kernel.ops import Call
from .._kernel.run import current_run
from ..errors import BudgetExceeded
from ..usage import Usage
from .base import (
    NOTHING,
    Account,
    Amounts,
    Ceiling,
    Reservation,
    Shortage,
    Spent,
    nano_usd,
    shortage_of,
)
from .budget import Budget

__all__ = [
    "Charge",
    "Claim",
    "Fixed",
    "at_work",
    "book_again",
    "budgets_here",
    "ceilings",
    "check_fits",
    "keeping_back",
    "spend",
    "under",
    "used",
    "waiting_for_people",
]

T = TypeVar("T")

#: How long a call waits for others at most: longer than any attempt takes by default. Only what
#: stands in its own way waits so long: a plain function on the event loop of those it waits for.
_PATIENCE_S = 1200.0


class _Force(NamedTuple):
    """What holds in a context.

    Attributes:
        budgets: All of them hold.
        kept_back: The share of each that calls made here leave for a last one of their size.
        is_inside: Whether a call that something was set aside for is under way around this one.
        is_at_work: Whether the clocks run for what happens here.
    """

    budgets: tuple[Budget, ...] = ()
    kept_back: float = 0.0
    is_inside: bool = False
    is_at_work: bool = False


_NO_FORCE = _Force()
_force: ContextVar[_Force] = ContextVar("autogen_budgets", default=_NO_FORCE)


@contextmanager
def _changed(**fields: Any) -> Iterator[None]:
    before = _force.get()
    _force.set(before._replace(**fields))
    try:
        yield
    finally:
        # Not by token: a coroutine that is thrown away may be closed in another context.
        _force.set(before)


def under(budget: Budget | None) -> AbstractContextManager[None]:
    """Inside the `with` block `budget` holds, with all that hold already."""
    budgets = _force.get().budgets
    return _changed(budgets=budgets if budget is None or budget in budgets else (*budgets, budget))


def keeping_back(share: float) -> AbstractContextManager[None]:
    """Inside the `with` block calls leave that share of every budget for a last one of their size.

    More, where such a call is larger than the share.
    """
    return _changed(kept_back=max(share, _force.get().kept_back))


def budgets_here(agent: Any = None) -> tuple[Budget, ...]:
    """The budgets that hold for what `agent` does here, its own included; often none."""
    budgets = _force.get().budgets
    own: Budget | None = getattr(agent, "budget", None)
    if own is None or own in budgets:
        return budgets
    return (*budgets, own)


@contextmanager
def at_work(budget: Budget | None, stop: Callable[[], None]) -> Iterator[None]:
    """Inside the `with` block a chat is at work, under `budget` and all that hold already.

    Args:
        budget: One more budget, or None.
        stop: Stops the chat; called from another thread when the time of a budget is up.
    """
    before = _force.get()
    with ExitStack() as stack:
        running = before.budgets if before.is_at_work else ()
        stack.enter_context(under(budget))
        for one in _force.get().budgets:
            if one not in running:
                stack.enter_context(one.at_work(stop))
        stack.enter_context(_changed(is_at_work=True))
        yield


@contextmanager
def waiting_for_people() -> Iterator[None]:
    """Inside the `with` block a person is waited for, and the clocks stand still."""
    here = _force.get()
    with ExitStack() as stack:
        for budget in here.budgets if here.is_at_work else ():
            stack.enter_context(budget.at_rest())
        yield


class Claim(Protocol):
    """What a call may cost."""

    @property
    def most(self) -> Amounts:
        """What it takes at worst."""
        ...

    @property
    def least(self) -> Amounts:
        """What it must have at least; the same where it cannot do with less."""
        ...

    @property
    def what(self) -> str:
        """The call, for people."""
        ...

    @property
    def way_out(self) -> str:
        """What helps if it does not fit, for people."""
        ...

    def within(self, room: Ceiling) -> Amounts | None:
        """The most it can take of `room`, from `least` up; None where that is too much."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A claim that cannot do with less."""

    most: Amounts
    what: str
    way_out: str = "Raise the limit."

    @property
    def least(self) -> Amounts:
        """What it must have at least."""
        return self.most

    def within(self, room: Ceiling) -> Amounts | None:
        """Nothing: it takes all or none."""
        return None


async def _asked(account: Account, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """What `function` gives, which asks `account`: from a worker thread where that takes time."""
    if account.is_remote:
        return await Call(function, None, args, kwargs)
    return function(*args, **kwargs)


async def ceilings(budgets: Sequence[Budget]) -> list[Ceiling]:
    """The limits of each of `budgets`."""
    return [await _asked(b.account, getattr, b.account, "ceiling") for b in budgets]


async def check_fits(budgets: Sequence[Budget], claim: Claim) -> None:
    """Raise before the first of several calls if they can't all be made.

    Raises:
        BudgetExceeded: They would not fit even if everything set aside came back.
    """
    for budget in budgets:
        short = await _asked(budget.account, _shortage, budget.account, claim.most)
        if short is not None:
            raise await _does_not_fit(budget, claim, short)


def _shortage(account: Account, wanted: Amounts) -> Shortage | None:
    return shortage_of(wanted, account.ceiling, account.spent, NOTHING)


async def spend(budgets: Sequence[Budget], claim: Claim) -> None:
    """Book what `claim` takes: for calls that cost the same however they end.

    Raises:
        BudgetExceeded: It does not fit.
    """
    if budgets:
        async with Charge(budgets, claim):
            pass


def used(usages: Iterable[Usage], *, steps: int = 0) -> Amounts:
    """What calls of models used, answers from a cache left out; with further steps."""
    paid = [usage for usage in usages if not usage.is_cached]
    return Amounts(
        nano_usd=sum(nano_usd(usage.cost_usd or 0.0) for usage in paid),
        tokens=sum(usage.prompt_tokens + usage.completion_tokens for usage in paid),
        steps=len(paid) + steps,
    )


def book_again(budgets: Sequence[Budget], actual: Amounts) -> None:
    """Book what an earlier execution of the current run spent on a step that is only told again.

    Accounts outside of this process have it already, and so has a budget that paid for the run in
    this process.
    """
    run = current_run()
    for budget in budgets:
        account = budget.account
        if run is None or account.is_remote or run.id in budget.paid_for:
            continue
        nothing = account.reserve(NOTHING)
        assert isinstance(nothing, Reservation), "nothing always fits"
        account.settle(nothing, actual)


class Charge:
    """`async with Charge(budgets, claim) as amounts:` around one attempt at a call.

    Sets aside what the claim takes in all of the budgets, or in none; waits while calls under way
    may leave enough when they end. Leaving settles at `actual`; where that was not said, and so
    where the call was cancelled or failed, at everything that was set aside.

    Attributes:
        actual: What the call took; None until that is known.

    Raises:
        BudgetExceeded: It does not fit, however little the calls under way take in the end.
    """

    __slots__ = ("_around", "_budgets", "_claim", "_clocks", "_held", "_kept", "actual")

    def __init__(self, budgets: Sequence[Budget], claim: Claim):
        self.actual: Amounts | None = None
        self._budgets = budgets
        self._claim = claim
        self._held: list[tuple[Account, Reservation]] = []
        self._kept: dict[Budget, Amounts] = {}
        self._around = _NO_FORCE
        self._clocks = ExitStack()

    async def __aenter__(self) -> Amounts:
        here = self._around = _force.get()
        for budget in self._budgets:
            if await _asked(budget.account, budget.is_out_of_time):
                raise _out_of_time(budget, self._claim)
        amounts = await self._set_aside(here)
        run = current_run()
        if run is not None and run.recorder is not None:
            for budget in self._budgets:
                budget.paid_for.add(run.id)
        _force.set(here._replace(is_inside=True))
        for budget in self._budgets:
            # An agent's own budget has no chat whose time it counts.
            if budget not in here.budgets:
                self._clocks.enter_context(budget.at_work())
        return amounts

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _force.set(self._around)
        self._clocks.close()
        while self._held:
            account, reservation = self._held.pop()
            actual = reservation.amounts if self.actual is None else self.actual
            if error is None:
                await _asked(account, account.settle, reservation, actual)
            else:
                # Whoever was cancelled may await nothing any more.
                account.settle(reservation, actual)

    async def _set_aside(self, here: _Force) -> Amounts:
        claim, give_up_at = self._claim, time.monotonic() + _PATIENCE_S
        if here.kept_back:
            for budget, ceiling in zip(self._budgets, await ceilings(self._budgets), strict=True):
                self._kept[budget] = _kept_back(ceiling, here.kept_back, claim)
        while True:
            wanted, short = await self._some_taken()
            if short is None:
                return wanted
            budget, why = short
            # A call around this one holds a reservation until this one ends: waiting for it would
            # never end.
            if why.is_final or here.is_inside or time.monotonic() > give_up_at:
                raise await _does_not_fit(budget, claim, why)
            kept_back = self._kept.get(budget, NOTHING)
            await Call(None, budget.account.room, (wanted,), {"kept_back": kept_back})

    async def _some_taken(self) -> tuple[Amounts, tuple[Budget, Shortage] | None]:
        """How much was set aside; or what to wait for, and what is in its way."""
        claim = self._claim
        short = await self._taken(claim.most)
        if short is None or not short[1].is_final or claim.least == claim.most:
            return claim.most, short
        fitting = claim.within(await self._room())
        if fitting is not None and await self._taken(fitting) is None:
            return fitting, None
        return claim.least, await self._taken(claim.least)

    async def _taken(self, wanted: Amounts) -> tuple[Budget, Shortage] | None:
        """Set `wanted` aside everywhere; else nowhere, and what is in the way."""
        taken: list[tuple[Account, Reservation]] = []
        try:
            for budget in self._budgets:
                account, kept_back = budget.account, self._kept.get(budget, NOTHING)
                made = await _asked(account, account.reserve, wanted, kept_back=kept_back)
                if isinstance(made, Shortage):
                    return budget, made
                taken.append((account, made))
            self._held, taken = taken, []
            return None
        finally:
            for account, reservation in taken:
                account.settle(reservation, NOTHING)

    async def _room(self) -> Ceiling:
        """What is free in every one of the budgets."""
        rooms = []
        for budget in self._budgets:
            free = await _asked(budget.account, getattr, budget.account, "left")
            pairs = zip(free, self._kept.get(budget, NOTHING), strict=True)
            rooms.append([None if left is None else left - kept for left, kept in pairs])
        return Ceiling(
            *(
                min((n for n in column if n is not None), default=None)
                for column in zip(*rooms, strict=True)
            )
        )


def _kept_back(ceiling: Ceiling, share: float, claim: Claim) -> Amounts:
    """What a call leaves for a last one of its own size: that share, or more where it is larger."""
    return Amounts(
        *(
            0 if most is None else max(math.ceil(most * share), needed)
            for most, needed in zip(ceiling, claim.least, strict=True)
        )
    )


async def _does_not_fit(budget: Budget, claim: Claim, why: Shortage) -> BudgetExceeded:
    most = getattr(Spent.of((await ceilings([budget]))[0]), why.name)
    return BudgetExceeded(
        f"the budget of {_said(why.name, most)} does not allow {claim.what}: it may take up to "
        f"{_said(why.name, why.needed)}, and {_said(why.name, why.left)} are left. "
        f"{claim.way_out}",
        limit=why.name,
        most=most,
        needed=why.needed,
        left=why.left,
        place=_place(budget),
    )


def _out_of_time(budget: Budget, claim: Claim) -> BudgetExceeded:
    most = budget.limit.seconds or 0.0
    return BudgetExceeded(
        f"the budget of {_said('seconds', most)} is used up before {claim.what}. Raise the limit.",
        limit="seconds",
        most=most,
        needed=0.0,
        left=0.0,
        place=_place(budget),
    )


def _place(budget: Budget) -> int:
    budgets = _force.get().budgets
    return budgets.index(budget) if budget in budgets else -1


_UNITS = {
    "usd": "US dollars",
    "tokens": "tokens",
    "seconds": "seconds",
    "steps": "steps",
    "code_seconds": "seconds of code",
}


def _said(name: str, value: float) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".") + f" {_UNITS[name]}"
