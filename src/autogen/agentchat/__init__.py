"""Agents and chats: the names of AutoGen 0.2."""

from __future__ import annotations

from .._lazy import lazy_names

__all__ = [
    "Agent",
    "AssistantAgent",
    "ChatResult",
    "ConversableAgent",
    "LLMAgent",
    "UserProxyAgent",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Agent": ".agent",
        "AssistantAgent": ".assistant_agent",
        "ChatResult": ".chat",
        "ConversableAgent": ".conversable_agent",
        "LLMAgent": ".agent",
        "UserProxyAgent": ".user_proxy_agent",
    },
)
