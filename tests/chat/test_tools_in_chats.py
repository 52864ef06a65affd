"""Calls of functions and tools: a call that fails is an answer, no error."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel
from tests.chat.cast import plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, register_function
from autogen.testing import call
from autogen.testing.face import Face


def asked(face: Face, agent: ConversableAgent, *calls: Any) -> dict[str, Any]:
    """What the agent answers to tool calls."""
    messages = [{"role": "assistant", "content": None, "tool_calls": list(calls)}]
    final, reply = face.generate_tool_calls_reply(agent, messages=messages, sender=plain("other"))
    assert final
    return dict(reply)


def result(face: Face, function: Any, arguments: Any) -> str:
    """The content of one call of `function`."""
    agent = plain("a", function_map={"f": function})
    _, message = face.execute_function(agent, {"name": "f", "arguments": arguments})
    assert set(message) == {"name", "role", "content"}
    return str(message["content"])


@requirement("tool:call", "tool:joint", "tool:raw-result")
def test_calls_are_answered_in_order_under_their_ids(face: Face) -> None:
    a = plain("a", function_map={"f": lambda x: x, "g": lambda: "", "h": lambda: "H"})
    said = asked(face, a, call("f", id="1", x=5), call("g", id="2"), call("h", id="3"))
    assert said == {
        "role": "tool",
        "content": "5\n\n\n\nH",
        "tool_responses": [
            {"tool_call_id": "1", "role": "tool", "content": "5"},
            {"tool_call_id": "2", "role": "tool", "content": ""},
            {"tool_call_id": "3", "role": "tool", "content": "H"},
        ],
    }


@requirement("tool:no-id")
def test_a_call_without_an_id(face: Face) -> None:
    said = asked(face, plain("a", function_map={"f": lambda: "F"}), {"function": {"name": "f"}})
    assert said["tool_responses"] == [{"role": "tool", "content": "F"}]


@requirement("tool:unknown", "function:execute")
def test_an_unknown_function(face: Face) -> None:
    text = "Error: Function nope not found."
    assert asked(face, plain("a"), call("nope", id="1"))["content"] == text
    done = face.execute_function(plain("a"), {"name": "nope", "arguments": "{}"})
    assert done == (False, {"name": "nope", "role": "function", "content": text})
    is_ok, said = face.execute_function(plain("a"), {"name": ["no", "name"]})
    assert (is_ok, said["content"]) == (False, "Error: Function ['no', 'name'] not found.")


@requirement("tool:bad-json")
@pytest.mark.parametrize("arguments", ["{x:", "[1, 2]", "just words", "{", "null", "42"])
def test_arguments_that_are_no_json_object(face: Face, arguments: str) -> None:
    text = result(face, lambda **kwargs: "called", arguments)
    assert text.startswith("Error: ")
    assert text.endswith("\n The argument must be in JSON format.")


@requirement("tool:raises", "function:execute")
def test_a_function_that_raises(face: Face) -> None:
    def fails() -> None:
        raise ZeroDivisionError("by nothing")

    assert result(face, fails, "{}") == "Error: by nothing"
    a = plain("a", function_map={"f": fails})
    ok, _ = face.execute_function(a, {"name": "f", "arguments": "{}"})
    assert ok is False


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@requirement("tool:raises")
@pytest.mark.parametrize("error", [Wordless(), KeyError()])
def test_a_function_that_raises_without_a_word_is_told_by_the_name(
    face: Face, error: Exception
) -> None:
    def fails() -> None:
        raise error

    assert result(face, fails, "{}") == f"Error: {type(error).__name__}"


@requirement("tool:arguments")
@pytest.mark.parametrize(
    "arguments,expected",
    [
        ("", "2 x"),
        (None, "2 x"),
        ("{}", "2 x"),
        ('{"n": 3}', "3 x"),
        ('{"n": "3"}', "3 x"),
        ('{"n": 3,}', "3 x"),
        ('```json\n{"n": 3}\n```', "3 x"),
        ('{\n"s": "a\nb\tc"\n}', "2 a\nb\tc"),
        ("{'n': 3}", "3 x"),
        ({"n": 3}, "3 x"),
    ],
)
def test_arguments_as_models_write_them(face: Face, arguments: Any, expected: str) -> None:
    def f(n: int = 2, s: str = "x") -> str:
        assert isinstance(n, int)
        return f"{n} {s}"

    assert result(face, f, arguments) == expected


@requirement("tool:arguments")
def test_a_call_without_arguments(face: Face) -> None:
    a = plain("a", function_map={"f": lambda: "F"})
    done = face.execute_function(a, {"name": "f"})
    assert done == (True, {"name": "f", "role": "function", "content": "F"})


@requirement("tool:wrong-arguments")
@pytest.mark.parametrize("arguments", ['{"n": "many"}', "{}", '{"n": 1, "m": 2}'])
def test_arguments_that_do_not_fit(face: Face, arguments: str) -> None:
    def double(n: int) -> int:
        return 2 * n

    text = result(face, double, arguments)
    assert text.startswith("Error: ")
    assert "n" in text
    assert "JSON format" not in text


@requirement("tool:raw-result", "tool:registered-result")
def test_how_results_become_text(face: Face) -> None:
    class Point(BaseModel):
        x: int

    values: list[tuple[Any, str]] = [
        ("ü", "ü"),
        ({"ü": [1, None]}, '{"ü": [1, null]}'),
        (3, "3"),
        (None, "null"),
        (Point(x=1), '{"x":1}'),
    ]
    for value, expected in values:

        def give() -> Any:
            return value  # noqa: B023 called before the next turn

        a = plain("a")
        a.register_for_execution(name="f")(give)
        _, message = face.execute_function(a, {"name": "f", "arguments": "{}"})
        assert message["content"] == expected
    assert result(face, lambda: {"a": 1}, "{}") == "{'a': 1}"


@requirement("function:call")
def test_the_older_function_call(face: Face) -> None:
    asking = {"content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}}
    bot = speaker("bot", [asking, "TERMINATE"])
    user = plain("user", function_map={"f": lambda x: f"got {x}"})
    done = face.initiate_chat(user, bot, message="go", silent=True)
    assert done.chat_history[2] == {"role": "function", "name": "f", "content": "got 1"}
    assert "name" not in done.chat_history[1]


@requirement("function:execute:override")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_execute_function_overridden(face: Face, flavour: str) -> None:
    class Own(ConversableAgent):
        if flavour == "sync":

            def execute_function(self, func_call: Any, verbose: bool = False) -> Any:
                return True, {"name": "f", "role": "function", "content": "own"}
        else:

            async def a_execute_function(self, func_call: Any, verbose: bool = False) -> Any:
                return True, {"name": "f", "role": "function", "content": "own"}

    assert asked(face, Own("a"), call("f", id="1"), call("f", id="2"))["content"] == "own\n\nown"


@requirement("tool:async")
def test_a_coroutine_tool_works_on_every_face(face: Face) -> None:
    async def slowly(x: int) -> str:
        await asyncio.sleep(0)
        return f"slow {x}"

    bot = speaker("bot", [call("slowly", id="1", x=1), "TERMINATE"])
    user = plain("user")
    register_function(slowly, caller=bot, executor=user, description="slow")
    done = face.initiate_chat(user, bot, message="go", silent=True)
    assert texts(done.chat_history) == ["go", None, "slow 1", "TERMINATE"]


def meeting(n: int, wait_s: float, kind: str) -> Any:
    """A tool that ends only once `n` calls of it are under way."""
    if kind == "async":
        inside: list[asyncio.Event] = []

        async def meet_async() -> str:
            own = asyncio.Event()
            inside.append(own)
            if len(inside) == n:
                for event in inside:
                    event.set()
            await asyncio.wait_for(own.wait(), wait_s)
            return str(inside.index(own))

        return meet_async
    barrier = threading.Barrier(n, timeout=wait_s)

    def meet() -> str:
        return str(barrier.wait())

    return meet


@requirement("tool:parallel")
@pytest.mark.parametrize("kind", ["async", "parallel"])
def test_calls_that_may_overlap_do(face: Face, wait_s: float, kind: str) -> None:
    a = plain("a")
    a.register_for_execution(name="meet", parallel=kind == "parallel")(meeting(3, wait_s, kind))
    said = asked(face, a, *(call("meet", id=str(i)) for i in range(3)))
    assert [r["tool_call_id"] for r in said["tool_responses"]] == ["0", "1", "2"]
    assert sorted(r["content"] for r in said["tool_responses"]) == ["0", "1", "2"]


@requirement("tool:parallel")
def test_results_come_in_the_order_of_the_calls(face: Face, wait_s: float) -> None:
    done = [asyncio.Event() for _ in range(4)]
    done[3].set()

    async def after_the_next(n: int) -> str:
        await asyncio.wait_for(done[n + 1].wait(), wait_s)
        done[n].set()
        return str(n)

    a = plain("a", function_map={"f": after_the_next})
    said = asked(face, a, *(call("f", id=str(n), n=n) for n in range(3)))
    assert said["content"] == "0\n\n1\n\n2"


@requirement("tool:plain:thread")
def test_plain_tools_of_a_sync_chat_stay_in_its_thread() -> None:
    threads: list[int] = []
    a = plain("a", function_map={"f": lambda n: threads.append(threading.get_ident())})
    asked_in = Face("sync")
    asked(asked_in, a, call("f", id="1", n=1), call("f", id="2", n=2))
    assert threads == [threading.get_ident()] * 2


@requirement("tool:call", "tool:registered-result")
def test_a_tool_in_a_chat_from_registration_to_result(face: Face) -> None:
    bot = speaker("bot", [call("convert", id="1", amount=2.5, to="EUR"), "5 EUR.\nTERMINATE"])
    user = plain("user")

    @user.register_for_execution()
    @bot.register_for_llm(description="Convert dollars.")
    def convert(amount: Annotated[float, "dollars"], to: str = "USD") -> dict[str, Any]:
        return {"amount": amount * 2, "currency": to}

    done = face.initiate_chat(user, bot, message="2.5 dollars?", silent=True)
    assert json.loads(done.chat_history[2]["content"]) == {"amount": 5.0, "currency": "EUR"}
    assert done.stop_reason == "termination"
