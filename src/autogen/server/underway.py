"""`Underway`: the requests that are being answered, by who asked.

One caller gets a share of what the server can answer at once, so that streams of one key do not
keep everybody else out. And whoever may not ask any more is not answered any longer: that is looked
at again and again, whatever the answer is, and whether it says anything or waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import AutogenError
from .callers import Caller
from .exchange import Exchange
from .problems import Problem

__all__ = ["Shown", "Underway"]

logger = logging.getLogger("autogen")

#: What somebody shows: what `Authorization` bears, or the value of the cookie.
Shown: TypeAlias = tuple[Literal["bearer", "cookie"], str]

#: Whether what was shown still holds is looked at so often.
_AGAIN_S = 1.0

#: When to come back with a request that was one too many.
_RETRY_AFTER_S = 5


@dataclass(slots=True)
class _Pass:
    """What was shown for the requests of some exchanges, and whoever looks at it again."""

    exchanges: dict[Exchange, Caller]
    looking: asyncio.Task[None]


class Underway:
    """The exchanges of a server. Used in the thread of its event loop.

    Args:
        find: Who shows something; None where it does not hold.
        most: So many requests of one caller are answered at once; None for any number. The keys of
            one owner are one caller. The token of loopback has no limit.
    """

    def __init__(self, find: Callable[[Shown], Awaitable[Caller | None]], *, most: int | None):
        self._find = find
        self._most = most
        self._n_of: Counter[str] = Counter()
        self._passes: dict[Shown, _Pass] = {}

    @contextmanager
    def answering(self, exchange: Exchange, caller: Caller, shown: Shown) -> Iterator[None]:
        """Inside the `with` block an exchange counts, and is cut as soon as its caller may not ask.

        Raises:
            Problem: 429; so many of the caller are being answered that it has to wait.
        """
        whose = caller.id
        if whose is not None and self._most is not None and self._n_of[whose] >= self._most:
            raise Problem(
                429,
                f"{self._most} requests and streams of {caller.name!a} are being answered, which "
                "is all it may have at once; close some of them first.",
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            )
        its = self._passes.get(shown)
        if its is None:
            exchanges: dict[Exchange, Caller] = {}
            looking = asyncio.create_task(self._look_on(shown, exchanges))
            its = self._passes[shown] = _Pass(exchanges, looking)
        its.exchanges[exchange] = caller
        if whose is not None:
            self._n_of[whose] += 1
        try:
            yield
        finally:
            if whose is not None:
                self._n_of[whose] -= 1
                if not self._n_of[whose]:
                    del self._n_of[whose]
            del its.exchanges[exchange]
            if not its.exchanges:
                its.looking.cancel()
                del self._passes[shown]

    async def _look_on(self, shown: Shown, exchanges: dict[Exchange, Caller]) -> None:
        """End what is answered to somebody as soon as what was shown for it does not hold."""
        while True:
            await asyncio.sleep(_AGAIN_S)
            caller = None
            try:
                caller = await self._find(shown)
            except Problem:
                pass
            except AutogenError:
                # The database is away, and was not when the caller came.
                continue
            except Exception as error:  # noqa: BLE001 whoever can't be known reads no further
                logger.warning("A caller can't be known again: %s", type(error).__name__)
            for exchange, came_as in list(exchanges.items()):
                if caller != came_as:
                    exchange.cut()
