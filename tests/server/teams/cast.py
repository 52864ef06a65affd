"""The teams of the servers that tests start."""

from __future__ import annotations

import time
from typing import Any

import autogen
from autogen import ConversableAgent
from autogen.testing import ScriptedModel


def _model() -> Any:
    return ScriptedModel(lambda request: f"word {len(request['messages'])}").config()


def _chat(turns: int, *, mode: str = "NEVER", **options: Any) -> dict[str, Any]:
    b = ConversableAgent("b", llm_config=_model(), human_input_mode=mode, **options)
    a = ConversableAgent("a", human_input_mode="NEVER", default_auto_reply="more")
    return {"sender": a, "recipient": b, "max_turns": turns}


@autogen.team("talk")
def talk() -> dict[str, Any]:
    """Two who talk."""
    return _chat(2)


@autogen.team("ask")
def ask() -> dict[str, Any]:
    """One who asks people before each answer."""
    return _chat(1, mode="ALWAYS")


@autogen.team("slow")
def slow() -> dict[str, Any]:
    """Two who take their time."""
    chat = _chat(30)

    def linger(*_args: Any, **_more: Any) -> tuple[bool, None]:
        time.sleep(0.05)
        return False, None

    chat["recipient"].register_reply(ConversableAgent, linger)
    return chat


@autogen.team("lasting")
def lasting() -> dict[str, Any]:
    """Two who take their time, and more of it than anybody waits."""
    return {**slow(), "max_turns": 1000}


@autogen.team("odd")
def odd() -> dict[str, Any]:
    """One who says what is no text."""
    chat = _chat(1)
    chat["sender"]._default_auto_reply = "x"
    chat["recipient"].register_reply(ConversableAgent, lambda *_a, **_m: (True, "half \ud800"))
    return chat


@autogen.team("alone", concurrency=1)
def alone() -> dict[str, Any]:
    """Two of whom only one chat runs at once."""
    return _chat(1)
