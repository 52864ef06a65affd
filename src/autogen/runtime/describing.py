"""What a team looks like: its agents, and who may speak to whom. Nothing of it is a secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ..agentchat.assistant_agent import AssistantAgent
from ..agentchat.groupchat import GroupChatManager
from ..agentchat.user_proxy_agent import UserProxyAgent
from .teams import Team

__all__ = ["agents_of", "described"]

_VERSION_DIGITS = 12


def agents_of(chat: dict[str, Any]) -> list[Any]:
    """Every agent that takes part in the chat of a team, members of groups included, once each."""
    found: list[Any] = []
    for agent in _met([chat["sender"], chat["recipient"]]):
        if not any(agent is one for one in found):
            found.append(agent)
    return found


def _met(agents: list[Any]) -> Iterator[Any]:
    for agent in agents:
        yield agent
        yield from _met(list(getattr(getattr(agent, "groupchat", None), "agents", ())))


def described(team: Team) -> dict[str, Any]:
    """The team in JSON: its agents, the ways of words between them, and a version.

    The version is another one when an agent, an instruction, a model or a tool is.

    Raises:
        UsageError: The team can't be made.
    """
    chat = team.chat()
    agents = agents_of(chat)
    told = [_agent(agent) for agent in agents]
    edges = list(dict.fromkeys(_edges(chat, agents)))
    secret = [getattr(agent, "system_message", "") for agent in agents]
    text = json.dumps([told, edges, secret], sort_keys=True, default=repr)
    return {
        "name": team.name,
        "description": team.description,
        "concurrency": team.concurrency,
        "version": hashlib.sha256(text.encode()).hexdigest()[:_VERSION_DIGITS],
        "agents": told,
        "edges": [list(edge) for edge in edges],
    }


def _agent(agent: Any) -> dict[str, Any]:
    return {
        "name": agent.name,
        "kind": _kind(agent),
        "description": getattr(agent, "description", "") or "",
        "model": _model(agent),
        "runs_code": getattr(agent, "_code_execution_config", False) is not False,
        "tools": sorted({*_named(agent), *getattr(agent, "function_map", {})}),
    }


def _kind(agent: Any) -> str:
    if isinstance(agent, GroupChatManager):
        return "manager"
    if isinstance(agent, UserProxyAgent):
        return "user"
    return "assistant" if isinstance(agent, AssistantAgent) else "agent"


def _model(agent: Any) -> str | None:
    config = getattr(agent, "llm_config", None)
    if not config:
        return None
    entries = config.get("config_list") or [config]
    return next((str(one["model"]) for one in entries if one.get("model")), None)


def _named(agent: Any) -> list[str]:
    """The tools that its model is offered."""
    config = getattr(agent, "llm_config", None) or {}
    offered = [tool.get("function", {}) for tool in config.get("tools") or ()]
    return [one["name"] for one in [*offered, *(config.get("functions") or ())] if "name" in one]


def _edges(chat: dict[str, Any], agents: list[Any]) -> Iterator[tuple[str, str]]:
    sender, recipient = chat["sender"].name, chat["recipient"].name
    yield sender, recipient
    yield recipient, sender
    for manager in agents:
        group = getattr(manager, "groupchat", None)
        if group is None:
            continue
        for speaker, after in group.allowed_speaker_transitions_dict.items():
            for other in after:
                yield speaker.name, other.name
