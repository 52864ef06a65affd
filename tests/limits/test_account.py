"""The account: never over the limit, whoever comes first; each reservation settled once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from autogen.errors import UsageError
from autogen.limits.base import NOTHING, Amounts, Ceiling, Reservation, Shortage
from autogen.limits.memory import MemoryAccount

CEILING = Ceiling(nano_usd=1000, tokens=500, steps=20)

amounts = st.builds(
    Amounts,
    nano_usd=st.integers(0, 400),
    tokens=st.integers(0, 200),
    steps=st.integers(0, 3),
)


class AnyInterleaving(RuleBasedStateMachine):
    """Callers reserve and settle in any order."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.account = MemoryAccount(CEILING)
        self.open: dict[int | str, Amounts] = {}
        self.booked = [0, 0, 0, 0, 0]

    @rule(target=held, wanted=amounts, kept_back=st.sampled_from([NOTHING, Amounts(100, 50, 0, 2)]))
    def reserve(self, wanted: Amounts, kept_back: Amounts) -> Reservation | None:
        made = self.account.reserve(wanted, kept_back=kept_back)
        if isinstance(made, Reservation):
            self.open[made.id] = wanted
            return made
        # Refused for a reason: it does not fit beside what is spent and set aside.
        i = list(CEILING._fields).index({"usd": "nano_usd"}.get(made.name, made.name))
        most = CEILING[i]
        assert most is not None
        set_aside = sum(one[i] for one in self.open.values())
        assert self.booked[i] + set_aside + wanted[i] > most - kept_back[i]
        if made.is_final:
            assert self.booked[i] + wanted[i] > most - kept_back[i]
        return None

    @rule(reservation=consumes(held), share=st.floats(0, 1))
    def settle(self, reservation: Reservation | None, share: float) -> None:
        if reservation is None:
            return
        actual = Amounts(*(int(n * share) for n in reservation.amounts))
        self.account.settle(reservation, actual)
        del self.open[reservation.id]
        self.booked = [a + b for a, b in zip(self.booked, actual, strict=True)]
        with pytest.raises(UsageError, match="exactly once"):
            self.account.settle(reservation, actual)

    @rule(reservation=consumes(held))
    def give_up(self, reservation: Reservation | None) -> None:
        """A call that was cancelled costs what was set aside."""
        if reservation is not None:
            self.settle(reservation, 1.0)

    @invariant()
    def nothing_is_over_the_limit(self) -> None:
        spent, left = self.account.spent, self.account.left
        assert list(spent) == self.booked
        for i, most in enumerate(CEILING):
            set_aside = sum(one[i] for one in self.open.values())
            if most is not None:
                assert spent[i] + set_aside <= most
                assert left[i] == most - spent[i] - set_aside
            else:
                assert left[i] is None


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.integers(1, 8))
@settings(max_examples=30, deadline=None)
def test_threads_that_race_never_pass_the_limit(wanted: list[int], n_threads: int) -> None:
    account = MemoryAccount(Ceiling(tokens=1000))
    granted: list[int] = []

    def work(mine: list[int]) -> None:
        for n in mine:
            made = account.reserve(Amounts(tokens=n))
            if isinstance(made, Reservation):
                granted.append(n)
                account.settle(made, Amounts(tokens=n))

    threads = [
        threading.Thread(target=work, args=(wanted[i::n_threads],)) for i in range(n_threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert account.spent.tokens == sum(granted) <= 1000


def test_more_than_was_set_aside_is_booked_too() -> None:
    account = MemoryAccount(Ceiling(tokens=10))
    made = account.reserve(Amounts(tokens=5))
    assert isinstance(made, Reservation)
    account.settle(made, Amounts(tokens=50))
    assert (account.spent.tokens, account.left.tokens) == (50, 0)
    assert isinstance(account.reserve(Amounts(tokens=1)), Shortage)
    assert isinstance(account.reserve(NOTHING), Reservation)


def test_a_reservation_of_another_account_is_refused() -> None:
    made = MemoryAccount(Ceiling(tokens=10)).reserve(NOTHING)
    assert isinstance(made, Reservation)
    with pytest.raises(UsageError, match="not open in this account"):
        MemoryAccount(Ceiling(tokens=10)).settle(made, NOTHING)


def test_a_shortage_says_what_is_in_the_way_in_the_units_of_people() -> None:
    account = MemoryAccount(Ceiling(nano_usd=2_000_000_000, code_ms=1500))
    held = account.reserve(Amounts(nano_usd=1_500_000_000))
    assert isinstance(held, Reservation)
    assert account.reserve(Amounts(nano_usd=1_000_000_000)) == Shortage("usd", 1.0, 0.5, False)
    assert account.reserve(Amounts(code_ms=2000)) == Shortage("code_seconds", 2.0, 1.5, True)


def test_who_waits_is_told_in_turn_as_far_as_the_room_goes() -> None:
    async def program() -> list[str]:
        account = MemoryAccount(Ceiling(tokens=100))
        held = account.reserve(Amounts(tokens=100))
        assert isinstance(held, Reservation)
        told: list[str] = []

        async def wait(name: str, n: int) -> None:
            await account.room(Amounts(tokens=n))
            told.append(name)

        async with asyncio.TaskGroup() as group:
            first = group.create_task(wait("first", 30))
            await asyncio.sleep(0)
            second = group.create_task(wait("second", 30))
            too_much = group.create_task(wait("too much", 90))
            await asyncio.sleep(0)
            # 60 of 100 are used: first fits, second no longer beside it, and 90 never will.
            account.settle(held, Amounts(tokens=60))
            await asyncio.wait({first, too_much}, timeout=5)
            assert not second.done()
            second.cancel()
        assert account._waiting == []
        return told

    assert sorted(asyncio.run(program())) == ["first", "too much"]


def test_who_need_not_wait_does_not() -> None:
    async def program() -> None:
        account = MemoryAccount(Ceiling(tokens=100))
        async with asyncio.timeout(5):
            await account.room(Amounts(tokens=100))
            await account.room(Amounts(tokens=101))

    asyncio.run(program())
