"""The port of limits: amounts, reservations, and the account that keeps them.

An *account* knows what may be spent, what was, and what is set aside for calls under way. The rules
(what a call may cost at worst, when to wait, what a chat does when nothing is left) are in
`budget.py` and do not depend on where the account lives: in memory, or in a row that many processes
share.

Amounts are whole numbers, so that sums are exact wherever they are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

__all__ = [
    "NAMES",
    "NOTHING",
    "Account",
    "Amounts",
    "Ceiling",
    "Reservation",
    "Shortage",
    "Spent",
    "nano_usd",
    "shortage_of",
]


class Amounts(NamedTuple):
    """What is spent, or set aside.

    Attributes:
        nano_usd: Billionths of a US dollar.
        tokens: Sent and received, together.
        work_ms: Milliseconds of chats at work; waiting for people does not count.
        steps: Model calls, tool calls and code blocks.
        code_ms: Milliseconds in which code blocks ran.
    """

    nano_usd: int = 0
    tokens: int = 0
    work_ms: int = 0
    steps: int = 0
    code_ms: int = 0


class Ceiling(NamedTuple):
    """The most of each amount; None where there is no limit. The fields are those of `Amounts`."""

    nano_usd: int | None = None
    tokens: int | None = None
    work_ms: int | None = None
    steps: int | None = None
    code_ms: int | None = None


NOTHING: Final = Amounts()

#: The parameters of a `Budget`, in the order of the fields above, and how many units each has.
NAMES: Final = {
    "usd": 1_000_000_000,
    "tokens": 1,
    "seconds": 1000,
    "steps": 1,
    "code_seconds": 1000,
}


def nano_usd(usd: float) -> int:
    """Billionths of a dollar, a part of one counted as one."""
    # Rounded first: 0.3 USD is 300,000,000.00000006 of them in floating point.
    return math.ceil(round(usd * NAMES["usd"], 3))


class Spent(NamedTuple):
    """Amounts as people say them; None where there is no limit.

    Attributes:
        usd: US dollars.
        tokens: Sent and received, together.
        seconds: Of chats at work.
        steps: Model calls, tool calls and code blocks.
        code_seconds: In which code blocks ran.
    """

    usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None
    steps: int | None = None
    code_seconds: float | None = None

    @classmethod
    def of(cls, amounts: Amounts | Ceiling) -> Spent:
        """`amounts` in dollars and seconds."""
        values: list[Any] = [
            value if value is None or unit == 1 else value / unit
            for value, unit in zip(amounts, NAMES.values(), strict=True)
        ]
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an account has set aside until it is settled.

    Attributes:
        id: Names it in its account.
        amounts: At most so much will be spent.
    """

    id: int | str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why an account set nothing aside.

    Attributes:
        name: The limit that is in the way, as `Budget` names it.
        needed: How much of it was asked for, in the unit of that name.
        left: How much is neither spent nor set aside.
        is_final: It would not fit even if everything set aside came back; else it may be asked
            again once a reservation was settled.
    """

    name: str
    needed: float
    left: float
    is_final: bool


class Account(Protocol):
    """Keeps what is spent. Every method is atomic and may be called from any thread.

    Attributes:
        is_remote: It lives outside of this process: a call may take time and is made in a worker
            thread, and what was spent is known to every later execution of a run.
    """

    is_remote: bool

    @property
    def ceiling(self) -> Ceiling:
        """The most that may be spent."""
        ...

    @property
    def spent(self) -> Amounts:
        """What was settled."""
        ...

    @property
    def left(self) -> Ceiling:
        """What is neither spent nor set aside."""
        ...

    def reserve(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> Reservation | Shortage:
        """Set `wanted` aside.

        Args:
            wanted: All of it, or nothing.
            kept_back: What must be left after it, of each amount that it wants some of.
        """
        ...

    def settle(self, reservation: Reservation, actual: Amounts) -> None:
        """Book `actual` in place of what was set aside. Exactly once for each reservation.

        More than was set aside is booked too: what is spent is spent.

        Raises:
            UsageError: The reservation was settled before, or is of another account.
        """
        ...

    async def room(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> None:
        """Wait until `reserve` may decide otherwise than it just did.

        May end early; the caller asks again. Awaited on an event loop, and cancelled with it.
        """
        ...


def shortage_of(
    wanted: Amounts,
    ceiling: Ceiling,
    spent: Amounts,
    held: Amounts,
    *,
    kept_back: Amounts = NOTHING,
) -> Shortage | None:
    """The first limit that `wanted` does not fit under; None where it fits.

    For accounts: the rule is the same wherever the numbers are kept.
    """
    found: Shortage | None = None
    for i, (name, unit) in enumerate(NAMES.items()):
        most, more = ceiling[i], wanted[i]
        if most is None or not more:
            continue
        most = max(0, most - kept_back[i])
        if spent[i] + held[i] + more <= most:
            continue
        is_final = spent[i] + more > most
        if found is None or (is_final and not found.is_final):
            left = max(0, most - spent[i] - held[i])
            found = Shortage(name, more / unit, left / unit, is_final)
    return found
