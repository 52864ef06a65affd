"""The account of one process: a lock and a few numbers."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from .._kernel import late
from ..errors import UsageError
from .base import NOTHING, Amounts, Ceiling, Reservation, Shortage, shortage_of

if TYPE_CHECKING:
    import asyncio

__all__ = ["MemoryAccount"]

#: A waiting call looks again after so long even if nobody told it to.
_LOOK_AGAIN_S = 1.0


class _Waiting:
    """A call that waits for room."""

    __slots__ = ("kept_back", "loop", "told", "wanted")

    def __init__(
        self,
        wanted: Amounts,
        kept_back: Amounts,
        loop: asyncio.AbstractEventLoop,
        told: asyncio.Event,
    ):
        self.wanted = wanted
        self.kept_back = kept_back
        self.loop = loop
        self.told = told


class MemoryAccount:
    """An `Account` for the chats of this process, whatever threads and event loops they run in.

    Args:
        ceiling: The most that may be spent.
    """

    __slots__ = ("_ceiling", "_held", "_ids", "_lock", "_open", "_spent", "_waiting")

    is_remote = False

    def __init__(self, ceiling: Ceiling):
        self._ceiling = ceiling
        self._spent = NOTHING
        self._held = NOTHING
        self._open: dict[int | str, Amounts] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        #: First come, first served.
        self._waiting: list[_Waiting] = []

    @property
    def ceiling(self) -> Ceiling:
        """The most that may be spent."""
        return self._ceiling

    @property
    def spent(self) -> Amounts:
        """What was settled."""
        return self._spent

    @property
    def left(self) -> Ceiling:
        """What is neither spent nor set aside; nothing where more was spent than allowed."""
        with self._lock:
            used = _plus(self._spent, self._held)
        rest = (
            None if most is None else max(0, most - n)
            for most, n in zip(self._ceiling, used, strict=True)
        )
        return Ceiling(*rest)

    def reserve(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> Reservation | Shortage:
        """Set `wanted` aside, or say what is in the way."""
        with self._lock:
            short = self._shortage(wanted, kept_back)
            if short is not None:
                return short
            made = Reservation(next(self._ids), wanted)
            self._open[made.id] = wanted
            self._held = _plus(self._held, wanted)
            return made

    def settle(self, reservation: Reservation, actual: Amounts) -> None:
        """Book `actual` in place of what was set aside."""
        with self._lock:
            wanted = self._open.pop(reservation.id, None)
            if wanted is None:
                raise UsageError(
                    f"reservation {reservation.id!r} is not open in this account; each is settled "
                    "exactly once, by the account that made it."
                )
            self._held = _minus(self._held, wanted)
            self._spent = _plus(self._spent, actual)
            served = self._served() if self._waiting else ()
        for one in served:
            if not one.loop.is_closed():
                one.loop.call_soon_threadsafe(one.told.set)

    async def room(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> None:
        """Wait until there may be room for `wanted`, or there can be none any more."""
        asyncio = late.asyncio
        one = _Waiting(wanted, kept_back, asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            short = self._shortage(wanted, kept_back)
            if short is None or short.is_final:
                return
            self._waiting.append(one)
        try:
            async with asyncio.timeout(_LOOK_AGAIN_S):
                await one.told.wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                if one in self._waiting:
                    self._waiting.remove(one)

    def _shortage(self, wanted: Amounts, kept_back: Amounts) -> Shortage | None:
        return shortage_of(wanted, self._ceiling, self._spent, self._held, kept_back=kept_back)

    def _served(self) -> list[_Waiting]:
        """Take out of the line who has something to learn: in turn, as far as the room goes."""
        held = self._held
        served: list[_Waiting] = []
        line: list[_Waiting] = []
        for one in self._waiting:
            short = shortage_of(
                one.wanted, self._ceiling, self._spent, held, kept_back=one.kept_back
            )
            if short is None:
                held = _plus(held, one.wanted)
            (line if short is not None and not short.is_final else served).append(one)
        self._waiting = line
        return served


def _plus(a: Amounts, b: Amounts) -> Amounts:
    return Amounts(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])


def _minus(a: Amounts, b: Amounts) -> Amounts:
    return Amounts(a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4])
