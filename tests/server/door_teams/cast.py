"""The teams of the servers whose doors tests go through."""

from __future__ import annotations

import time
from typing import Any

import autogen
from autogen import ConversableAgent
from autogen.testing import LoopbackLLM, ScriptedModel, call

#: A model that streams; it lives as long as this process.
llm = LoopbackLLM(lambda request: "one two three four", keep=0).start()


def _agent(name: str, model: Any, *, mode: str = "NEVER", **options: Any) -> ConversableAgent:
    return ConversableAgent(name, llm_config=model, human_input_mode=mode, **options)


def _user() -> ConversableAgent:
    return ConversableAgent("user", human_input_mode="NEVER", default_auto_reply="go on")


def _scripted(*words: str) -> Any:
    return ScriptedModel(list(words)).config()


@autogen.team("echo")
def echo() -> dict[str, Any]:
    """Says what it is told, and how long that is."""

    def model(request: Any) -> str:
        told = request["messages"][-1]["content"]
        return f"heard: {told}"

    return {
        "sender": _user(),
        "recipient": _agent("parrot", ScriptedModel(model).config()),
        "max_turns": 1,
    }


@autogen.team("two")
def two() -> dict[str, Any]:
    """Answers twice."""
    parrot = _agent("writer", _scripted("first words", "last words TERMINATE"))
    return {"sender": _user(), "recipient": parrot, "max_turns": 2}


@autogen.team("stream")
def stream() -> dict[str, Any]:
    """Speaks word by word."""
    agent = _agent("speaker", {**llm.config(), "stream": True})
    return {"sender": _user(), "recipient": agent, "max_turns": 1}


@autogen.team("ask")
def ask() -> dict[str, Any]:
    """Asks people before it answers, and once more."""
    agent = _agent("asker", _scripted("a proposal", "another one"), mode="ALWAYS")
    return {"sender": _user(), "recipient": agent, "max_turns": 2}


@autogen.team("slow")
def slow() -> dict[str, Any]:
    """Takes its time."""
    agent = _agent("snail", ScriptedModel(lambda _: "word").config())

    def linger(*_args: Any, **_more: Any) -> tuple[bool, None]:
        time.sleep(0.05)
        return False, None

    agent.register_reply(ConversableAgent, linger)
    return {"sender": _user(), "recipient": agent, "max_turns": 100}


@autogen.team("while")
def while_() -> dict[str, Any]:
    """Takes its time, and less of it."""
    return {**slow(), "max_turns": 30}


@autogen.team("broken")
def broken() -> dict[str, Any]:
    """Fails."""

    def fail(*_args: Any, **_more: Any) -> tuple[bool, None]:
        raise RuntimeError("the wheel came off")

    agent = _agent("wreck", False)
    agent.register_reply(ConversableAgent, fail)
    return {"sender": _user(), "recipient": agent, "max_turns": 1}


@autogen.team("tool")
def tool() -> dict[str, Any]:
    """Calls a tool."""

    def double(n: int) -> int:
        """Twice a number."""
        return 2 * n

    agent = _agent("caller", _scripted_calls())
    user = _user()
    autogen.register_function(double, caller=agent, executor=user, description="Twice a number.")
    return {"sender": user, "recipient": agent, "max_turns": 2}


def _scripted_calls() -> Any:
    return ScriptedModel([call("double", n=21), "it is 42"]).config()
