"""The agents that most tests of conversations need."""

from __future__ import annotations

from typing import Any

from autogen import ConversableAgent
from autogen.testing import ScriptedModel


def plain(name: str, **options: Any) -> ConversableAgent:
    """An agent that asks nobody and has no model; it says its `default_auto_reply`."""
    return ConversableAgent(name, **{"human_input_mode": "NEVER", **options})


def speaker(name: str, replies: Any, **options: Any) -> ConversableAgent:
    """An agent that says `replies`, one after the other."""
    return plain(name, llm_config=ScriptedModel(replies).config(), **options)


def mute(name: str, **options: Any) -> ConversableAgent:
    """An agent that never answers."""
    return plain(name, default_auto_reply=None, **options)


def person(name: str, answers: Any, **options: Any) -> ConversableAgent:
    """An agent whose person gives `answers`."""
    from autogen.testing import ScriptedHuman

    agent = ConversableAgent(name, **{"human_input_mode": "ALWAYS", **options})
    agent.get_human_input = ScriptedHuman(answers)
    return agent


def texts(messages: list[dict[str, Any]]) -> list[Any]:
    """The contents of messages."""
    return [message.get("content") for message in messages]
