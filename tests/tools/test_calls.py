"""Calls of registered functions by real agents, on all faces."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel

from autogen import ConversableAgent
from autogen.testing.face import FACES, Face


class Currency(BaseModel):
    currency: Literal["USD", "EUR"]
    amount: float


@pytest.fixture
def agent() -> ConversableAgent:
    return ConversableAgent("worker", llm_config=False, human_input_mode="NEVER")


def asked(*calls: tuple[str, Any]) -> list[dict[str, Any]]:
    """A message that asks for these calls, by name and arguments."""
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": f"call-{i}",
                    "type": "function",
                    "function": {
                        "name": name,
                        "arguments": text if isinstance(text, str) else json.dumps(text),
                    },
                }
                for i, (name, text) in enumerate(calls)
            ],
        }
    ]


def results(face: Face, agent: ConversableAgent, *calls: tuple[str, Any]) -> list[str]:
    is_final, reply = face.generate_tool_calls_reply(agent, messages=asked(*calls))
    assert is_final
    ids = [response["tool_call_id"] for response in reply["tool_responses"]]
    assert ids == [f"call-{i}" for i in range(len(calls))]
    return [response["content"] for response in reply["tool_responses"]]


def test_arguments_are_fitted_and_results_are_text(face, agent):
    @agent.register_for_execution()
    def convert(base: Annotated[Currency, "Base"], rate: float = 2) -> Currency:
        return Currency(currency="EUR", amount=base.amount * rate)

    @agent.register_for_execution()
    async def later(n: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"n": n + 1}

    assert results(
        face,
        agent,
        ("convert", {"base": {"currency": "USD", "amount": "3"}}),
        ("later", "```json\n{'n': '1',}\n```"),
    ) == ['{"currency":"EUR","amount":6.0}', '{"n": 2}']


def test_what_is_wrong_is_told_and_never_raised(face, agent):
    @agent.register_for_execution()
    def f(n: int) -> int:
        raise RuntimeError(f"no {n}")

    unreadable, wrong, failed, unknown = results(
        face, agent, ("f", "{"), ("f", {"m": 1}), ("f", {"n": 1}), ("g", {})
    )
    assert unreadable.startswith("Error: ")
    assert unreadable.endswith("\n The argument must be in JSON format.")
    assert wrong == (
        "Error: the arguments do not fit f(n: int): 'n' is missing (int); 'm' is not a parameter. "
        'You sent {"m": 1}. Call it again with the arguments put right.'
    )
    assert failed == "Error: no 1"
    assert unknown == "Error: Function g not found."


def test_result_that_json_can_not_say_is_told(face, agent):
    @agent.register_for_execution()
    def f() -> object:
        return {(1, 2): 3}

    assert results(face, agent, ("f", {}))[0].startswith("Error: keys must be")


def test_functions_registered_as_parallel_run_beside_each_other(face, agent, wait_s):
    meeting = threading.Barrier(3)

    @agent.register_for_execution(parallel=True)
    def meet(n: int) -> int:
        meeting.wait(wait_s)
        return n

    calls = [("meet", {"n": n}) for n in range(3)]
    assert results(face, agent, *calls) == ["0", "1", "2"]


def test_plain_functions_of_a_sync_chat_stay_in_its_thread(agent):
    @agent.register_for_execution()
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert results(FACES[0], agent, ("where", {}), ("where", {})) == ["true", "true"]


def test_coroutine_functions_run_beside_each_other(face, agent, wait_s):
    state = {"arrived": 0}

    @agent.register_for_execution()
    async def meet(n: int) -> int:
        state["arrived"] += 1
        async with asyncio.timeout(wait_s):
            while state["arrived"] < 3:
                await asyncio.sleep(0)
        return n

    assert results(face, agent, *[("meet", {"n": n}) for n in range(3)]) == ["0", "1", "2"]
