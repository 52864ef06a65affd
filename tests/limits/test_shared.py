"""One budget, many chats: together never over it, and nothing refused that would have fitted."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest
from tests.limits.cast import priced, thinker, words

from autogen import Budget, ChatResult, RunOptions, options
from autogen._chat.sequence import initiate_chats_by_id
from autogen._kernel.drive import drive_sync
from autogen.errors import BudgetExceeded
from autogen.limits.base import NOTHING, Amounts, Ceiling, Reservation, Shortage
from autogen.limits.memory import MemoryAccount
from autogen.oai.client import OpenAIWrapper
from autogen.testing import LoopbackLLM, Reply, ScriptedModel
from autogen.testing.face import Face

N_CHATS = 100

#: `make soak` does it more often.
N_ROUNDS = 200 if os.environ.get("AUTOGEN_TEST_SOAK") else 20


def spent_by(results: list[ChatResult]) -> float:
    return sum(result.cost.total["total_cost"] for result in results)


def check(budget: Budget, results: list[ChatResult]) -> None:
    """All ended at the budget, and only when nothing more fitted."""
    assert {result.stop_reason for result in results} == {"budget"}
    spent = budget.spent.usd
    assert spent is not None and 0.90 <= spent <= 1.00
    assert spent == pytest.approx(spent_by(results), abs=1e-6)
    assert budget.left.usd == pytest.approx(1.0 - spent)


class Refusals:
    """A sink that keeps why each chat was refused, with what was free at that moment."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.found: list[dict[str, Any]] = []

    def __call__(self, event: Any) -> None:
        if event.type == "budget.spent":
            self.found.append(event.data)
            assert event.data["needed"] + (self.budget.spent.usd or 0) > 1.0


@pytest.mark.parametrize("n", range(N_ROUNDS))
def test_a_hundred_chats_at_once_on_one_event_loop(n: int) -> None:
    budget, model = Budget(usd=1.0), ScriptedModel(words, keep=0)
    refusals = Refusals(budget)
    options = RunOptions(budget=budget, sinks=[refusals])

    async def program() -> list[ChatResult]:
        pairs = [(thinker(f"a{i}", model), thinker(f"b{i}", model)) for i in range(N_CHATS)]
        chats = [a.a_initiate_chat(b, message="go on", run=options) for a, b in pairs]
        return await asyncio.gather(*chats)

    check(budget, asyncio.run(program()))
    assert len(refusals.found) == N_CHATS


def test_a_hundred_chats_in_threads(wait_s: float) -> None:
    budget, model = Budget(usd=1.0), ScriptedModel(words, keep=0)
    results: list[ChatResult] = []

    def talk(i: int) -> None:
        a, b = thinker(f"a{i}", model), thinker(f"b{i}", model)
        results.append(a.initiate_chat(b, message="go on", run=RunOptions(budget=budget)))

    threads = [threading.Thread(target=talk, args=(i,)) for i in range(N_CHATS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(wait_s)
    assert len(results) == N_CHATS
    check(budget, results)


class Remote(MemoryAccount):
    """An account that takes its time, as one in a database does."""

    is_remote = True

    def reserve(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> Reservation | Shortage:
        time.sleep(0.0005)
        return super().reserve(wanted, kept_back=kept_back)

    def settle(self, reservation: Reservation, actual: Amounts) -> None:
        time.sleep(0.0005)
        super().settle(reservation, actual)


def test_an_account_elsewhere_holds_as_well(face: Face) -> None:
    budget = Budget(account=Remote(Ceiling(nano_usd=20_000_000, steps=500)))
    a, b = thinker("a"), thinker("b")
    result = face.initiate_chat(a, b, message="go on", run=RunOptions(budget=budget))
    assert result.stop_reason == "budget"
    assert 0.01 < (budget.spent.usd or 0) <= 0.02
    assert budget.left.steps == 500 - budget.spent.steps  # type: ignore[operator]


def test_many_chats_share_an_account_elsewhere() -> None:
    budget = Budget(account=Remote(Ceiling(nano_usd=100_000_000)))
    model = ScriptedModel(words, keep=0)
    options_ = RunOptions(budget=budget)

    async def program() -> list[ChatResult]:
        pairs = [(thinker(f"a{i}", model), thinker(f"b{i}", model)) for i in range(20)]
        return await asyncio.gather(
            *(a.a_initiate_chat(b, message="go on", run=options_) for a, b in pairs)
        )

    results = asyncio.run(program())
    assert {result.stop_reason for result in results} == {"budget"}
    assert 0.09 <= (budget.spent.usd or 0) <= 0.1


def test_calls_over_http_wait_for_each_other_instead_of_being_refused() -> None:
    """Each sets nearly everything aside, and takes little of it: one after the other all fit."""
    budget = Budget(tokens=600)

    async def program() -> None:
        with LoopbackLLM([Reply("short", delay_s=0.01)] * 10, keep=0) as server:
            client = OpenAIWrapper(**server.config(max_tokens=350))
            with options(RunOptions(budget=budget)):
                messages = [{"role": "user", "content": "hi"}]
                await asyncio.gather(*(client.a_create(messages=messages) for _ in range(10)))
            assert server.max_in_flight == 1

    asyncio.run(program())
    assert budget.spent.steps == 10


def test_branches_of_one_sync_chat_wait_for_each_other(wait_s: float) -> None:
    """Chats side by side in one thread: the one that waits must not stop the one it waits for."""
    budget = Budget(tokens=900)

    with LoopbackLLM([Reply("short", delay_s=0.01)] * 4, keep=0) as server:
        queue: list[dict[str, Any]] = []
        for i in range(4):
            other = thinker(f"other{i}")
            other.client = OpenAIWrapper(**server.config(max_tokens=350))
            entry = {"chat_id": i, "sender": thinker(f"starter{i}"), "recipient": other}
            queue.append({**entry, "message": "hi", "max_turns": 1, "silent": True})
        with options(RunOptions(budget=budget, timeout_s=wait_s)):
            results = drive_sync(initiate_chats_by_id(queue))
    assert {result.stop_reason for result in results.values()} == {"max_turns"}
    assert budget.spent.steps == 4


def test_a_call_inside_a_call_is_refused_and_does_not_wait_for_it() -> None:
    inner = OpenAIWrapper(**priced())

    class Asking:
        """A client that asks another model before it answers."""

        def __init__(self) -> None:
            self.answer = ScriptedModel(["outer"])

        def create(self, params: dict[str, Any]) -> Any:
            inner.create(messages=params["messages"])
            return self.answer.create(params)

        def message_retrieval(self, response: Any) -> list[Any]:
            return self.answer.message_retrieval(response)

        def cost(self, response: Any) -> float:
            return 0.0

        get_usage = staticmethod(ScriptedModel.get_usage)

    outer = OpenAIWrapper(config_list=[{"model": "m", "model_client": Asking()}], max_tokens=500)
    with options(RunOptions(budget=Budget(tokens=700))), pytest.raises(BudgetExceeded):
        outer.create(messages=[{"role": "user", "content": "hi"}])


def test_small_calls_go_on_beside_a_large_one() -> None:
    budget = Budget(usd=1.0)

    async def program() -> int:
        script = [Reply("slow", delay_s=60.0)] + ["quick"] * 5
        with LoopbackLLM(script, keep=0) as server:
            config = {**server.config()["config_list"][0], "price": [0.01, 0.01]}
            client = OpenAIWrapper(config_list=[config], max_tokens=100)
            with options(RunOptions(budget=budget)):
                messages = [{"role": "user", "content": "hi"}]
                slow = asyncio.create_task(client.a_create(messages=messages))
                while server.max_in_flight == 0:
                    await asyncio.sleep(0)
                await asyncio.gather(*(client.a_create(messages=messages) for _ in range(5)))
                assert not slow.done()
                slow.cancel()
            return server.max_in_flight

    assert asyncio.run(program()) > 1
