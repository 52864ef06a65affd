"""A run that goes on under a budget: what it spent before counts, once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.limits.cast import thinker

from autogen import Budget, ChatResult, RunOptions, options
from autogen._kernel.run import Run, entered
from autogen.journal.memory import MemoryLog
from autogen.journal.recording import Recording
from autogen.testing import ScriptedModel


class Broken(Exception):
    """What stops the first execution."""


class Recorded:
    """Executions of one recorded run of two agents, whose model breaks at its fourth call, once."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.n_calls = 0

    def answer(self, params: dict[str, Any]) -> str:
        self.n_calls += 1
        if self.n_calls == 4:
            raise Broken
        return f"{len(params['messages'])} and so on"

    def talk(self, budget: Budget) -> ChatResult:
        model = ScriptedModel(self.answer)
        known = [entry for entry in self.log.entries() if entry.error is None]
        run = Run(id="one", recorder=Recording(entries=known, log=self.log))
        with options(RunOptions(budget=budget)), entered(run):
            result: ChatResult = thinker("a", model).initiate_chat(
                thinker("b", model), message="hi", max_turns=4
            )
        return result

    def broken(self, budget: Budget) -> Recorded:
        with pytest.raises(Broken):
            self.talk(budget)
        assert budget.spent.steps == 4
        return self


def test_a_fresh_budget_counts_what_was_spent_before() -> None:
    recorded = Recorded().broken(Budget(usd=1.0, steps=50))
    budget = Budget(usd=1.0, steps=50)
    result = recorded.talk(budget)
    assert (result.stop_reason, len(result.chat_history)) == ("max_turns", 8)
    assert (recorded.n_calls, budget.spent.steps) == (8, 7)
    assert budget.spent.usd == pytest.approx(result.cost.total["total_cost"])


def test_a_fresh_budget_is_used_up_where_the_old_one_would_have_been() -> None:
    recorded = Recorded().broken(Budget(steps=50))
    result = recorded.talk(Budget(steps=5))
    assert (result.stop_reason, recorded.n_calls) == ("budget", 6)
    assert len(result.chat_history) == 6


def test_the_same_budget_counts_nothing_twice() -> None:
    budget = Budget(steps=50)
    recorded = Recorded().broken(budget)
    recorded.talk(budget)
    # Seven answers, and the call that broke.
    assert budget.spent.steps == 8


def test_a_run_that_is_only_told_again_counts_what_it_had_spent() -> None:
    recorded = Recorded().broken(Budget(steps=50))
    recorded.talk(Budget(steps=50))
    again = Budget(steps=50)
    assert recorded.talk(again).stop_reason == "max_turns"
    assert (recorded.n_calls, again.spent.steps) == (8, 7)
