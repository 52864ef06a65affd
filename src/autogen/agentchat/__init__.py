"""Agents and chats: the names of AutoGen 0.2."""

from __future__ import annotations

from .._lazy import lazy_names

__all__ = [
    "Agent",
    "AssistantAgent",
    "ChatResult",
    "ConversableAgent",
    "GroupChat",
    "GroupChatManager",
    "LLMAgent",
    "UserProxyAgent",
    "a_initiate_chats",
    "gather_usage_summary",
    "initiate_chats",
    "register_function",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Agent": ".agent",
        "AssistantAgent": ".assistant_agent",
        "ChatResult": ".chat",
        "ConversableAgent": ".conversable_agent",
        "GroupChat": ".groupchat",
        "GroupChatManager": ".groupchat",
        "LLMAgent": ".agent",
        "UserProxyAgent": ".user_proxy_agent",
        "a_initiate_chats": ".chat",
        "gather_usage_summary": ".utils",
        "initiate_chats": ".chat",
        "register_function": ".conversable_agent",
    },
)
