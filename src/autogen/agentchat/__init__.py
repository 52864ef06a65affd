"""Agents and chats: the names of AutoGen 0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .agent import Agent, LLMAgent
    from .assistant_agent import AssistantAgent
    from .chat import ChatResult, a_initiate_chats, initiate_chats
    from .conversable_agent import ConversableAgent, register_function
    from .groupchat import GroupChat, GroupChatManager
    from .user_proxy_agent import UserProxyAgent
    from .utils import gather_usage_summary

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
