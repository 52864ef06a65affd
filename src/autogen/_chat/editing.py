"""A person changes what an agent proposed: the code or the call that is about to be executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .wiring import event, is_watched

__all__ = ["edit_message"]


async def edit_message(agent: Any, sender: Any, message: dict[str, Any], text: str) -> None:
    """Have the newest message that `agent` heard say `text`, for everybody who has heard it.

    A message that asks for one call, and a text that is a JSON object: the arguments of the call.
    An event keeps the original.
    """
    original = dict(message)
    changes = _changes(message, text)
    for one in _copies(agent, sender, message):
        one.update(changes)
    if is_watched():
        data = {
            "sender": None if sender is None else sender.name,
            "recipient": agent.name,
            "original": original,
            "message": dict(message),
        }
        await event("message.edited", data, agent=agent.name)


def _changes(message: Mapping[str, Any], text: str) -> dict[str, Any]:
    calls: list[dict[str, Any]] = message.get("tool_calls") or []
    if _is_object(text):
        if len(calls) == 1:
            function = {**calls[0].get("function", {}), "arguments": text}
            return {"tool_calls": [{**calls[0], "function": function}]}
        if message.get("function_call"):
            return {"function_call": {**message["function_call"], "arguments": text}}
    return {"content": text}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _copies(agent: Any, sender: Any, message: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored copies of a message, its own included; each once."""
    found = [message]
    for history in _histories(agent, sender):
        for newest in history[-1:]:
            is_new = all(newest is not one for one in found)
            if is_new and _said(newest) == _said(message):
                found.append(newest)
    return found


def _histories(agent: Any, sender: Any) -> Iterator[list[dict[str, Any]]]:
    yield agent.chat_messages[sender]
    theirs = getattr(sender, "chat_messages", None)
    if theirs is None:
        return
    yield theirs[agent]
    # Somebody of a group said it, and everybody heard it by way of the manager.
    group = getattr(sender, "groupchat", None) or getattr(agent, "groupchat", None)
    manager = sender if getattr(sender, "groupchat", None) is not None else agent
    if group is None:
        return
    yield group.messages
    for member in group.agents:
        yield member.chat_messages[manager]
        yield manager.chat_messages[member]


def _said(message: Mapping[str, Any]) -> tuple[Any, ...]:
    return message.get("content"), message.get("tool_calls"), message.get("function_call")
