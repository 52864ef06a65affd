"""What code blocks take: the time they may run, cut where a budget ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from .._kernel import late
from .base import Amounts, Ceiling
from .budget import Budget
from .spending import Charge, ceilings

__all__ = ["CodeCharge"]

#: What an executor that names no limit is taken to need, where a budget has as much.
_UNKNOWN_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class _CodeClaim:
    """Some blocks of code; they get the time that is left, and stop where it ends."""

    n_blocks: int
    most_ms: int

    @property
    def most(self) -> Amounts:
        """All blocks as long as their executor lets them."""
        return Amounts(steps=self.n_blocks, code_ms=self.most_ms)

    @property
    def least(self) -> Amounts:
        """Enough to begin with."""
        return Amounts(steps=self.n_blocks, code_ms=1)

    @property
    def what(self) -> str:
        """The call, for people."""
        return "running a code block" if self.n_blocks == 1 else f"running {self.n_blocks} blocks"

    @property
    def way_out(self) -> str:
        """What helps if it does not fit."""
        return "Raise the limit."

    def within(self, room: Ceiling) -> Amounts | None:
        """As much time as there is."""
        if room.code_ms is None or room.code_ms < 1:
            return None
        return Amounts(steps=self.n_blocks, code_ms=min(self.most_ms, room.code_ms))


class CodeCharge(Charge):
    """`async with` around the run of some blocks; books the time that passes inside.

    Args:
        budgets: Those that hold here.
        n_blocks: How many blocks; each is a step.
        timeout_s: Seconds that the executor gives each of them; None if it does not say.
        stop: Stops the run; called from another thread when the time of a budget is up.
    """

    __slots__ = ("_call_off", "_most_s", "_n_blocks", "_since", "_stop")

    def __init__(
        self,
        budgets: Sequence[Budget],
        *,
        n_blocks: int,
        timeout_s: float | None,
        stop: Callable[[], None] | None,
    ):
        most_s = n_blocks * (_UNKNOWN_TIMEOUT_S if timeout_s is None else timeout_s)
        super().__init__(budgets, _CodeClaim(n_blocks, max(1, math.ceil(most_s * 1000))))
        self._n_blocks = n_blocks
        self._stop = stop
        self._since = 0.0
        self._most_s = 0.0
        self._call_off: Callable[[], None] | None = None

    async def __aenter__(self) -> Amounts:
        limits_time = any(limit.code_ms is not None for limit in await ceilings(self._budgets))
        amounts = await super().__aenter__()
        self._since = time.monotonic()
        if limits_time and self._stop is not None:
            self._most_s = amounts.code_ms / 1000
            self._call_off = late.ioloop.call_later(self._most_s, self._stop)
        return amounts

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Inside the `with` block the code waits for a person, and its time stands still."""
        began = time.monotonic()
        if self._call_off is not None:
            self._call_off()
        try:
            yield
        finally:
            now = time.monotonic()
            self._since += now - began
            if self._call_off is not None and self._stop is not None:
                left_s = max(0.0, self._most_s - (now - self._since))
                self._call_off = late.ioloop.call_later(left_s, self._stop)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        elapsed_ms = math.ceil((time.monotonic() - self._since) * 1000)
        self.actual = Amounts(steps=self._n_blocks, code_ms=elapsed_ms)
        if self._call_off is not None:
            self._call_off()
        await super().__aexit__(kind, error, trace)
