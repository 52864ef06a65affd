"""`Budget`: what it takes, what it says of itself, and its clock."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import autogen
from autogen import Budget, RunOptions
from autogen.errors import UsageError, UsageTypeError
from autogen.limits.base import Amounts, Ceiling, Reservation, Spent
from autogen.limits.memory import MemoryAccount


@pytest.mark.parametrize("name", ["usd", "tokens", "seconds", "steps", "code_seconds"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), -0.5])
def test_what_is_no_amount_is_refused_with_its_value(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"{name} is {value!r}; it must be 0 or more"):
        Budget(**{name: value})


@pytest.mark.parametrize("name", ["usd", "tokens", "seconds", "steps", "code_seconds"])
@pytest.mark.parametrize("value", [True, "1", [1], {}])
def test_what_is_no_number_is_refused_with_an_example(name: str, value: Any) -> None:
    with pytest.raises(UsageTypeError) as caught:
        Budget(**{name: value})
    assert f"{name} is {value!r}" in str(caught.value)
    assert f"Budget({name}=" in str(caught.value)


@pytest.mark.parametrize("name", ["tokens", "steps"])
def test_tokens_and_steps_are_whole(name: str) -> None:
    with pytest.raises(UsageError, match="whole number"):
        Budget(**{name: 1.5})
    assert getattr(Budget(**{name: 2.0}).limit, name) == 2


def test_a_budget_without_a_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="has no limit; give at least one"):
        Budget()


def test_an_account_has_limits_of_its_own() -> None:
    account = MemoryAccount(Ceiling(tokens=5))
    with pytest.raises(UsageError, match="both an account and usd"):
        Budget(usd=1, account=account)
    assert Budget(account=account).limit == Spent(tokens=5)


def test_it_says_what_is_spent_and_left() -> None:
    budget = Budget(usd=0.3, steps=4)
    held = budget.account.reserve(Amounts(nano_usd=100_000_000, steps=1))
    assert isinstance(held, Reservation)
    assert budget.left == Spent(usd=0.2, steps=3)
    assert budget.spent == Spent(0.0, 0, 0.0, 0, 0.0)
    budget.account.settle(held, Amounts(nano_usd=50_000_000, steps=1))
    assert budget.spent == Spent(0.05, 0, 0.0, 1, 0.0)
    assert budget.left == Spent(usd=0.25, steps=3)
    assert repr(budget) == "Budget(usd=0.3 (0.05 spent), steps=4 (1 spent))"


def test_dollars_add_up_exactly() -> None:
    budget = Budget(usd=0.3)
    for _ in range(3):
        held = budget.account.reserve(Amounts(nano_usd=100_000_000))
        assert isinstance(held, Reservation), "0.1 fits three times into 0.3"
        budget.account.settle(held, held.amounts)
    assert budget.left.usd == 0.0


@pytest.mark.parametrize("budget", [1.0, {"usd": 1.0}, "1", Budget])
def test_run_options_take_a_budget_only(budget: Any) -> None:
    with pytest.raises(UsageTypeError, match="give a Budget, such as"):
        RunOptions(budget=budget)


def test_the_clock_runs_once_for_chats_side_by_side_and_rests_with_the_last() -> None:
    budget = Budget(seconds=100)
    with budget.at_work():
        with budget.at_work():
            assert budget._clock.elapsed_ms() > 0
            assert budget.account.spent.work_ms == 0
        first = budget.spent.seconds
        with budget.at_rest():
            assert budget.account.spent.work_ms > 0
            resting = budget.spent.seconds
            assert budget.spent.seconds == resting
        assert budget.spent.seconds is not None
        assert first is not None and budget.spent.seconds >= first
    after = budget.spent
    assert budget.spent == after
    assert not budget.is_out_of_time()


def test_the_clock_rings_for_who_is_at_work(wait_s: float) -> None:
    budget = Budget(seconds=0.02)
    rang = threading.Event()
    with budget.at_work(rang.set):
        assert rang.wait(wait_s)
    assert budget.is_out_of_time()
    assert budget.left.seconds == 0.0


def test_a_budget_without_seconds_has_no_clock() -> None:
    budget = Budget(steps=1)
    with budget.at_work(), budget.at_rest():
        assert budget.spent.seconds == 0.0
    assert not budget.is_out_of_time()


def test_the_names_are_at_the_top() -> None:
    assert {"Budget", "LoopGuard"} <= set(autogen.__all__)
