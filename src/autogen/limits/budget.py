"""`Budget`: the most that may be spent, whoever shares it.

What a call may cost at worst is set aside before it is made, and settled at what it really cost
afterwards (`spending.py`). Time is different: it cannot be set aside, so a clock runs while chats
are at work, and stops them when it reaches the limit.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._kernel import late
from ..errors import UsageError, UsageTypeError
from .base import NAMES, NOTHING, Account, Amounts, Ceiling, Reservation, Spent
from .memory import MemoryAccount

__all__ = ["Budget"]

_WHOLE = ("tokens", "steps")


class Budget:
    """The most that chats may spend: `RunOptions(budget=Budget(usd=1.0))`.

    One budget may be shared by any number of chats, agents, threads and tasks; together they never
    spend more. When it is used up, a chat ends with `stop_reason` "budget", and a call outside a
    chat raises `BudgetExceeded`.

    Args:
        usd: US dollars. Every model then needs a known price.
        tokens: Tokens of models, sent and received together.
        seconds: Seconds in which chats are at work. While they wait for a person, it stands still.
        steps: Model calls, tool calls and code blocks together.
        code_seconds: Seconds in which code blocks run.
        account: Where it is kept, with limits of its own; by default in this process.

    Raises:
        UsageError: No limit at all, or one that is negative, infinite or no number.
    """

    __slots__ = ("_clock", "account", "paid_for")

    def __init__(
        self,
        *,
        usd: float | None = None,
        tokens: int | None = None,
        seconds: float | None = None,
        steps: int | None = None,
        code_seconds: float | None = None,
        account: Account | None = None,
    ):
        given = {
            "usd": usd,
            "tokens": tokens,
            "seconds": seconds,
            "steps": steps,
            "code_seconds": code_seconds,
        }
        limits = {name: value for name, value in given.items() if value is not None}
        if account is None and not limits:
            raise UsageError(
                "the budget has no limit; give at least one, such as Budget(usd=1.0) or "
                "Budget(steps=100)."
            )
        if account is not None and limits:
            raise UsageError(
                f"the budget has both an account and {', '.join(limits)}; the account has limits "
                "of its own, so give one or the other."
            )
        #: Where it is kept.
        self.account: Account = (
            MemoryAccount(Ceiling(*(_units(name, value) for name, value in given.items())))
            if account is None
            else account
        )
        #: Ids of recorded runs that it paid steps of, in this process.
        self.paid_for: set[str] = set()
        self._clock = _Clock(self.account)

    @property
    def limit(self) -> Spent:
        """The most that may be spent; None where there is no limit."""
        return Spent.of(self.account.ceiling)

    @property
    def spent(self) -> Spent:
        """What was spent so far. Calls under way count when they end."""
        amounts = self.account.spent
        return Spent.of(amounts._replace(work_ms=amounts.work_ms + self._clock.elapsed_ms()))

    @property
    def left(self) -> Spent:
        """What is neither spent nor set aside for calls under way; None: there is no limit."""
        left = self.account.left
        if left.work_ms is not None:
            left = left._replace(work_ms=max(0, left.work_ms - self._clock.elapsed_ms()))
        return Spent.of(left)

    def is_out_of_time(self) -> bool:
        """Whether chats have been at work as long as they may."""
        most = self.account.ceiling.work_ms
        if most is None:
            return False
        return self.account.spent.work_ms + self._clock.elapsed_ms() >= most

    @contextmanager
    def at_work(self, stop: Callable[[], None] | None = None) -> Iterator[None]:
        """Let the clock run inside the `with` block.

        Args:
            stop: Called, in another thread, if the time is up inside the block.
        """
        if self.account.ceiling.work_ms is None:
            yield
            return
        self._clock.start(stop)
        try:
            yield
        finally:
            self._clock.stop(stop)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Take one chat that is at work off the clock inside the `with` block."""
        if self.account.ceiling.work_ms is None:
            yield
            return
        self._clock.stop(None)
        try:
            yield
        finally:
            self._clock.start(None)

    def __repr__(self) -> str:
        parts = [
            f"{name}={most:g} ({getattr(self.spent, name):g} spent)"
            for name, most in self.limit._asdict().items()
            if most is not None
        ]
        return f"Budget({', '.join(parts)})"


def _units(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageTypeError(
            f"{name} is {value!r}; give a number, such as Budget({name}={_EXAMPLES[name]}), or "
            "leave it out for no limit."
        )
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{name} is {value!r}; it must be 0 or more. Leave it out for no limit.")
    if name in _WHOLE and value != int(value):
        raise UsageError(f"{name} is {value!r}; it must be a whole number.")
    # What is less than one unit is no room for anything.
    return math.floor(round(value * NAMES[name], 6))


_EXAMPLES = {
    "usd": "0.5",
    "tokens": "50_000",
    "seconds": "60",
    "steps": "100",
    "code_seconds": "30",
}


class _Clock:
    """Runs while at least one chat under the budget is at work; books the time when it stops."""

    __slots__ = ("_account", "_call_off", "_lock", "_n_at_work", "_since", "_stops")

    def __init__(self, account: Account):
        self._account = account
        self._lock = threading.Lock()
        self._n_at_work = 0
        self._since = 0.0
        self._stops: list[Callable[[], None]] = []
        self._call_off: Callable[[], None] | None = None

    def elapsed_ms(self) -> int:
        """Milliseconds since the clock started; 0 while it stands still."""
        with self._lock:
            return self._elapsed_ms()

    def _elapsed_ms(self) -> int:
        if not self._n_at_work:
            return 0
        return math.ceil((time.monotonic() - self._since) * 1000)

    def start(self, stop: Callable[[], None] | None) -> None:
        """One chat more is at work."""
        with self._lock:
            if stop is not None:
                self._stops.append(stop)
            self._n_at_work += 1
            if self._n_at_work > 1:
                return
            self._since = time.monotonic()
            left_ms = self._account.left.work_ms
            assert left_ms is not None
            self._call_off = late.ioloop.call_later(left_ms / 1000, self._ring)

    def stop(self, stop: Callable[[], None] | None) -> None:
        """One chat less is at work."""
        with self._lock:
            if stop is not None:
                self._stops.remove(stop)
            elapsed_ms = self._elapsed_ms()
            self._n_at_work -= 1
            if self._n_at_work:
                return
            if self._call_off is not None:
                self._call_off()
            # Time passes whether there is room for it or not.
            nothing = self._account.reserve(NOTHING)
            assert isinstance(nothing, Reservation), "nothing always fits"
            self._account.settle(nothing, Amounts(work_ms=elapsed_ms))

    def _ring(self) -> None:
        with self._lock:
            stops = list(self._stops) if self._n_at_work else []
        for stop in stops:
            stop()
