"""Chats under a budget: they end at it, whichever limit it is and wherever it is reached."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from tests.limits.cast import events_of, priced, thinker

import autogen
from autogen import Budget, CancelToken, ConversableAgent, GroupChat, GroupChatManager, RunOptions
from autogen.cache import Cache
from autogen.errors import BudgetExceeded, LimitError, UsageError
from autogen.oai.client import OpenAIWrapper
from autogen.testing import FakeExecutor, LoopbackLLM, Reply, ScriptedModel, call, calls
from autogen.testing.face import Face

HELLO = [{"role": "user", "content": "hello"}]


def late(request: Any) -> Reply:
    """An answer that nobody waits for."""
    return Reply("late", delay_s=60.0)


def talk(face: Face, budget: Budget, **options: Any) -> Any:
    sinks = options.pop("sinks", ())
    return face.initiate_chat(
        thinker("a"),
        thinker("b"),
        message="go on",
        run=RunOptions(budget=budget, sinks=sinks),
        **options,
    )


# ------------------------------------------------------------------------------------- each limit


def test_a_chat_ends_at_its_dollars_and_keeps_its_history(face: Face) -> None:
    budget = Budget(usd=0.02)
    told, sink = events_of("budget.spent")
    result = talk(face, budget, sinks=[sink])
    assert result.stop_reason == "budget"
    assert len(result.chat_history) > 2
    assert result.summary == result.chat_history[-1]["content"]
    spent = budget.spent.usd
    assert spent is not None and 0.01 < spent <= 0.02
    assert spent == pytest.approx(result.cost.total["total_cost"])
    (facts,) = told
    assert (facts["limit"], facts["most"]) == ("usd", 0.02)
    assert facts["needed"] > facts["left"] >= 0
    assert facts["text"].startswith("The chat ends: the budget of 0.02 US dollars does not allow")


def test_a_chat_ends_at_its_tokens(face: Face) -> None:
    budget = Budget(tokens=2000)
    result = talk(face, budget)
    assert result.stop_reason == "budget"
    assert 1000 < (budget.spent.tokens or 0) <= 2000
    usage = result.cost.total["scripted"]
    assert usage["total_tokens"] == budget.spent.tokens


def test_a_chat_ends_at_its_steps(face: Face) -> None:
    budget = Budget(steps=5)
    result = talk(face, budget)
    assert (result.stop_reason, len(result.chat_history)) == ("budget", 6)
    assert budget.spent.steps == 5


def test_a_budget_of_nothing_ends_before_the_first_call(face: Face) -> None:
    result = talk(face, Budget(usd=0))
    assert (result.stop_reason, len(result.chat_history)) == ("budget", 1)


def test_a_chat_ends_at_its_seconds_in_the_middle_of_a_call(face: Face, wait_s: float) -> None:
    told, sink = events_of("budget.spent")
    with LoopbackLLM(late) as server:
        slow = ConversableAgent("slow", llm_config=server.config(), human_input_mode="NEVER")
        started = time.monotonic()
        result = face.initiate_chat(
            thinker("a"),
            slow,
            message="go on",
            silent=True,
            run=RunOptions(budget=Budget(seconds=0.3), sinks=[sink]),
        )
    assert time.monotonic() - started < wait_s
    assert (result.stop_reason, len(result.chat_history)) == ("budget", 1)
    assert [facts["limit"] for facts in told] == ["seconds"]


def test_seconds_leave_out_waiting_for_people(face: Face) -> None:
    budget = Budget(seconds=60)

    def slowly(prompt: str = "") -> str:
        time.sleep(0.1)
        return "exit"

    user = ConversableAgent("user", human_input_mode="ALWAYS", silent=True)
    user.get_human_input = slowly  # type: ignore[method-assign]
    started = time.monotonic()
    result = face.initiate_chat(thinker("a"), user, message="hi", run=RunOptions(budget=budget))
    elapsed = time.monotonic() - started
    assert result.stop_reason == "human_exit"
    assert 0 < (budget.spent.seconds or 0) <= elapsed - 0.09


# --------------------------------------------------------------------------------- tools and code


def tool_pair(n_calls: int, *, budget: Budget | None = None) -> tuple[Any, Any, list[int]]:
    """An agent that asks for `n_calls` calls at once, and one that makes them."""
    made: list[int] = []

    def add(n: int) -> str:
        made.append(n)
        return f"{n} done"

    model = ScriptedModel([calls(*(call("add", n=n) for n in range(n_calls))), "TERMINATE"])
    asker = thinker("asker", model)
    asker.register_for_llm(name="add", description="Adds.")(add)
    worker = ConversableAgent("worker", human_input_mode="NEVER", silent=True)
    worker.register_for_execution(name="add", parallel=True)(add)
    worker.budget = budget
    return asker, worker, made


def test_tools_in_parallel_are_steps_each(face: Face) -> None:
    budget = Budget(steps=6)
    asker, worker, made = tool_pair(4)
    result = face.initiate_chat(worker, asker, message="go", run=RunOptions(budget=budget))
    assert (result.stop_reason, sorted(made)) == ("termination", [0, 1, 2, 3])
    assert budget.spent.steps == 6


def test_calls_that_do_not_all_fit_are_not_begun(face: Face) -> None:
    asker, worker, made = tool_pair(4)
    result = face.initiate_chat(worker, asker, message="go", run=RunOptions(budget=Budget(steps=4)))
    assert (result.stop_reason, made) == ("budget", [])
    assert "tool_calls" in result.chat_history[-1]


def test_a_budget_used_up_inside_a_tool_ends_the_chat(face: Face) -> None:
    client = OpenAIWrapper(**priced())

    def research() -> str:
        client.create(messages=HELLO)
        return "found"

    model = ScriptedModel([call("research"), "TERMINATE"])
    asker = thinker("asker", model)
    asker.register_for_llm(description="Looks it up.")(research)
    worker = ConversableAgent("worker", human_input_mode="NEVER", silent=True)
    worker.register_for_execution()(research)
    result = face.initiate_chat(worker, asker, message="go", run=RunOptions(budget=Budget(steps=2)))
    assert result.stop_reason == "budget"


BLOCK = "```python\nprint(1)\n```"


def code_pair(executor: Any) -> tuple[ConversableAgent, ConversableAgent]:
    coder = ConversableAgent(
        "coder", human_input_mode="NEVER", default_auto_reply=f"{BLOCK}\n{BLOCK}", silent=True
    )
    runner = ConversableAgent(
        "runner",
        human_input_mode="NEVER",
        code_execution_config={"executor": executor},
        silent=True,
    )
    return coder, runner


def test_each_code_block_is_a_step(face: Face) -> None:
    executor = FakeExecutor(lambda blocks: "1")
    coder, runner = code_pair(executor)
    budget = Budget(steps=5)
    result = face.initiate_chat(coder, runner, message=BLOCK, run=RunOptions(budget=budget))
    # One block, then two, two; two more are one too many.
    assert (result.stop_reason, len(executor.runs)) == ("budget", 3)
    assert budget.spent.steps == 5


class Sleeper(FakeExecutor):
    """Code that takes as long as it is let."""

    timeout = 60

    def __init__(self, seconds: float) -> None:
        super().__init__(lambda blocks: "1")
        self.seconds = seconds

    def execute_code_blocks(self, code_blocks: Any) -> Any:
        from autogen._kernel.run import on_cancel

        killed = threading.Event()
        with on_cancel(killed.set):
            killed.wait(self.seconds)
        return super().execute_code_blocks(code_blocks)


def test_code_gets_the_time_that_is_left_and_no_more(face: Face, wait_s: float) -> None:
    coder, runner = code_pair(Sleeper(60))
    budget = Budget(code_seconds=0.2)
    started = time.monotonic()
    result = face.initiate_chat(coder, runner, message=BLOCK, run=RunOptions(budget=budget))
    assert time.monotonic() - started < wait_s
    assert result.stop_reason == "budget"
    assert 0.2 <= (budget.spent.code_seconds or 0) < wait_s


def test_code_stops_before_the_next_block_where_no_time_is_left(face: Face) -> None:
    coder, runner = code_pair(Sleeper(0.05))
    budget = Budget(code_seconds=0.12)
    told, sink = events_of("budget.spent")
    result = face.initiate_chat(
        coder, runner, message=BLOCK, run=RunOptions(budget=budget, sinks=[sink])
    )
    assert result.stop_reason == "budget"
    assert [facts["limit"] for facts in told] == ["code_seconds"]


# ------------------------------------------------------------------------------- outside of a chat


def test_outside_a_chat_the_error_is_raised(face: Face) -> None:
    agent = thinker("agent")
    with autogen.options(RunOptions(budget=Budget(steps=1))):
        assert face.generate_reply(agent, messages=HELLO)
        with pytest.raises(BudgetExceeded, match="the budget of 1 steps does not allow a call"):
            face.generate_reply(agent, messages=HELLO)
    assert face.generate_reply(agent, messages=HELLO)


def test_time_that_is_up_outside_a_chat_is_raised_too(face: Face, wait_s: float) -> None:
    started = time.monotonic()
    with LoopbackLLM(late) as server:
        slow = ConversableAgent("slow", llm_config=server.config(), human_input_mode="NEVER")
        with (
            autogen.options(RunOptions(budget=Budget(seconds=0.2))),
            pytest.raises(BudgetExceeded, match="time that a budget allows is up"),
        ):
            face.generate_reply(slow, messages=HELLO)
    assert time.monotonic() - started < wait_s


def test_time_that_is_up_in_a_nested_chat_ends_the_one_that_has_it(face: Face) -> None:
    told, sink = events_of("budget.spent")
    errors, errors_sink = events_of("error")
    with LoopbackLLM(late) as server:
        helper = ConversableAgent("slow", llm_config=server.config(), human_input_mode="NEVER")
        agent, user = thinker("agent"), thinker("user")
        agent.register_nested_chats(
            [{"recipient": helper, "message": "please"}], trigger=lambda sender: sender is user
        )
        options = RunOptions(budget=Budget(seconds=0.3), sinks=[sink, errors_sink])
        result = face.initiate_chat(user, agent, message="hi", run=options)
    assert (result.stop_reason, len(result.chat_history)) == ("budget", 1)
    assert (len(told), errors) == (1, [])


def test_a_wrapper_alone_is_held_to_the_budget_around_it(face: Face) -> None:
    client, budget = OpenAIWrapper(**priced()), Budget(tokens=200)
    with autogen.options(RunOptions(budget=budget)):
        face.create(client, messages=HELLO)
        with pytest.raises(LimitError) as caught:
            _ = [face.create(client, messages=HELLO) for _ in range(20)]
    error = caught.value
    assert isinstance(error, BudgetExceeded)
    assert (error.limit, error.most) == ("tokens", 200)
    assert error.needed > error.left
    assert (budget.spent.tokens or 0) <= 200


def test_options_of_a_chat_do_not_lift_the_budget_around_it(face: Face) -> None:
    outer, inner = Budget(steps=3), Budget(steps=100)
    with autogen.options(RunOptions(budget=outer)):
        result = talk(face, inner)
        assert talk(face, inner).stop_reason == "budget"
    assert result.stop_reason == "budget"
    assert (outer.spent.steps, inner.spent.steps) == (3, 3)


# --------------------------------------------------------------------------------- who has it


def test_an_agent_has_a_budget_of_its_own(face: Face) -> None:
    a, b = thinker("a"), thinker("b")
    b.budget = Budget(steps=2)
    result = face.initiate_chat(a, b, message="hi")
    # hi, b, a, b, a: the third answer of b is one too many.
    assert (result.stop_reason, len(result.chat_history)) == ("budget", 5)
    assert b.budget.spent.steps == 2


def test_a_nested_chat_with_a_budget_of_its_own_ends_alone(face: Face) -> None:
    inner = Budget(steps=2)
    agent, helper = thinker("agent"), thinker("helper")
    options = RunOptions(budget=inner)
    agent.register_nested_chats(
        [{"recipient": helper, "run": options, "message": "please"}], trigger=lambda s: s is user
    )
    user = ConversableAgent("user", human_input_mode="NEVER", default_auto_reply=None, silent=True)
    result = face.initiate_chat(user, agent, message="hi")
    assert (result.stop_reason, inner.spent.steps) == ("no_reply", 2)
    assert len(result.chat_history) == 2


def test_nested_chats_spend_from_the_budget_around_them(face: Face) -> None:
    budget = Budget(steps=4)
    agent, helper = thinker("agent"), thinker("helper")
    agent.register_nested_chats(
        [{"recipient": helper, "message": "please"}], trigger=lambda s: s is user
    )
    user = thinker("user")
    result = face.initiate_chat(user, agent, message="hi", run=RunOptions(budget=budget))
    assert (result.stop_reason, budget.spent.steps) == ("budget", 4)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_groups_and_their_selectors_spend_from_one_budget(face: Face, steps: int) -> None:
    members = [thinker(name) for name in ("ann", "bob", "eve")]
    selector = ScriptedModel(lambda params: "bob")
    group = GroupChat(members, max_round=50)
    manager = GroupChatManager(group, llm_config=priced(selector), silent=True)
    budget = Budget(steps=steps)
    result = face.initiate_chat(members[0], manager, message="hi", run=RunOptions(budget=budget))
    assert (result.stop_reason, budget.spent.steps) == ("budget", steps)
    # A selection and an answer in turn.
    assert len(group.messages) == 1 + steps // 2


# ------------------------------------------------------------------------------------------ caches


def test_an_answer_from_a_cache_costs_nothing(face: Face, tmp_path: Any) -> None:
    budget = Budget(usd=0.05, steps=1)
    client = OpenAIWrapper(**priced(ScriptedModel(["once"])))
    with Cache.disk(1, str(tmp_path)) as cache, autogen.options(RunOptions(budget=budget)):
        for _ in range(5):
            face.create(client, messages=HELLO, cache=cache)
    assert budget.spent.steps == 1


# --------------------------------------------------------------------------------------- summaries


def test_a_summary_is_made_from_what_the_talk_left(face: Face) -> None:
    budget = Budget(usd=0.5)
    model = ScriptedModel(
        lambda p: "the summary" if "Sum" in str(p["messages"][-1]) else "on " * 49 + "on", keep=0
    )
    a, b = thinker("a", model), thinker("b", model)
    result = face.initiate_chat(
        a,
        b,
        message="hi",
        summary_method="reflection_with_llm",
        summary_args={"summary_prompt": "Sum it up."},
        run=RunOptions(budget=budget, loop_guard=False),
    )
    assert (result.stop_reason, result.summary) == ("budget", "the summary")
    assert 0.4 < (budget.spent.usd or 0) <= 0.5


def test_without_room_for_a_summary_the_last_message_takes_its_place(face: Face) -> None:
    budget = Budget(steps=3)
    told, sink = events_of("budget.spent")
    result = talk(face, budget, summary_method="reflection_with_llm", sinks=[sink])
    # A tenth of three steps is a whole one.
    assert (result.stop_reason, budget.spent.steps) == ("budget", 3)
    assert len(result.chat_history) == 3
    used_up = Budget(steps=0)
    result = talk(face, used_up, summary_method="reflection_with_llm", sinks=[sink])
    assert (result.stop_reason, result.summary) == ("budget", "go on")
    assert len(told) == 3


# ------------------------------------------------------------------------------------ refused


def test_a_model_without_a_price_is_refused_with_the_ways_out(face: Face) -> None:
    agent = thinker("agent", price=None)
    with pytest.raises(UsageError) as caught:
        face.initiate_chat(thinker("a"), agent, message="hi", run=RunOptions(budget=Budget(usd=1)))
    text = str(caught.value)
    assert "the price of 'scripted' is not known" in text
    assert "'price': [prompt, completion]" in text
    assert ".[prices]" in text
    assert caught.value.chat_result.stop_reason == "error"


def test_tokens_need_no_price(face: Face) -> None:
    agent = thinker("agent", price=None)
    result = face.initiate_chat(
        thinker("a"), agent, message="hi", run=RunOptions(budget=Budget(tokens=600))
    )
    assert result.stop_reason == "budget"


# ----------------------------------------------------------------------------------- cancellation


def test_a_call_that_was_cancelled_costs_what_was_set_aside(face: Face, wait_s: float) -> None:
    budget, cancel = Budget(tokens=10_000), CancelToken()
    with LoopbackLLM(late) as server:
        agent = ConversableAgent(
            "agent", human_input_mode="NEVER", llm_config=server.config(max_tokens=70)
        )

        def stop_it() -> None:
            while not server.requests:
                time.sleep(0.005)
            cancel.cancel()

        stopper = threading.Thread(target=stop_it)
        stopper.start()
        result = face.initiate_chat(
            thinker("a"),
            agent,
            message="hi",
            silent=True,
            run=RunOptions(budget=budget, cancel=cancel),
        )
        stopper.join(wait_s)
    assert result.stop_reason == "cancelled"
    assert 70 < (budget.spent.tokens or 0) < 1000
    assert budget.left.tokens == 10_000 - (budget.spent.tokens or 0)


def test_a_task_that_was_cancelled_leaves_nothing_set_aside() -> None:
    async def program() -> Budget:
        budget = Budget(steps=10)
        never = asyncio.Event()

        class Hanging:
            def __init__(self, config: Any) -> None: ...
            async def create(self, params: Any) -> Any:
                await never.wait()

            def message_retrieval(self, response: Any) -> list[Any]:
                return []

            def cost(self, response: Any) -> float:
                return 0.0

            @staticmethod
            def get_usage(response: Any) -> dict[str, Any]:
                return {}

        client = OpenAIWrapper(config_list=[{"model": "m", "model_client": Hanging({})}])
        with autogen.options(RunOptions(budget=budget)):
            task = asyncio.create_task(client.a_create(messages=HELLO))
            while budget.left.steps == 10:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return budget

    budget = asyncio.run(program())
    assert (budget.spent.steps, budget.left.steps) == (1, 9)


# ------------------------------------------------------------------------------ without any limit


class Endless(ConversableAgent):
    """Asks its model as often as it is asked, and never counts its replies."""

    def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
        return self.client.create(messages=messages).choices[0].message.content


def endless(name: str) -> ConversableAgent:
    agent = thinker(name)
    agent._max_consecutive_auto_reply = 10**9
    return agent


def test_a_chat_without_any_limit_ends_after_a_thousand_calls(face: Face) -> None:
    told, sink = events_of("budget.spent")
    result = face.initiate_chat(
        endless("a"), endless("b"), message="go on", run=RunOptions(sinks=[sink])
    )
    assert (result.stop_reason, len(result.chat_history)) == ("budget", 1001)
    (facts,) = told
    assert "made 1,000 model calls and has no limit of its own" in facts["text"]
    assert "max_turns" in facts["text"]


def test_calls_of_nested_chats_count_in_the_chat_around() -> None:
    a, b, helper = endless("a"), endless("b"), endless("helper")
    b.register_nested_chats(
        [{"recipient": helper, "message": "please", "max_turns": 10}],
        trigger=lambda sender: sender is a,
    )
    result = a.initiate_chat(b, message="go on")
    assert result.stop_reason == "budget"
    # Ten of helper, nine of b asking it, one of a: 50 rounds.
    assert len(result.chat_history) == 2 * 50 + 1


@pytest.mark.parametrize("limit", ["max_turns", "budget", "timeout_s", "max_consecutive"])
def test_any_limit_lifts_that_one(limit: str) -> None:
    a, b = endless("a"), endless("b")
    more: dict[str, Any] = {}
    if limit == "max_turns":
        more["max_turns"] = 600
    elif limit == "budget":
        more["run"] = RunOptions(budget=Budget(steps=1100))
    elif limit == "timeout_s":
        more["run"] = RunOptions(timeout_s=600)
        a._max_consecutive_auto_reply = 550
    else:
        a.update_max_consecutive_auto_reply(550)
    result = a.initiate_chat(b, message="go on", **more)
    assert len(result.chat_history) > 1050


def test_a_person_sees_why_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = thinker("a"), thinker("b")
    a.silent = b.silent = None
    a.initiate_chat(b, message="go on", run=RunOptions(budget=Budget(steps=2)))
    assert "The chat ends: the budget of 2 steps does not allow a call of 'scripted'" in (
        capsys.readouterr().out
    )
