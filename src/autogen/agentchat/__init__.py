"""Agents and chats: the names of AutoGen 0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from . import agent as agent
    from . import assistant_agent as assistant_agent
    from . import chat as chat
    from . import contrib as contrib
    from . import conversable_agent as conversable_agent
    from . import groupchat as groupchat
    from . import user_proxy_agent as user_proxy_agent
    from . import utils as utils
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
        "agent": ".agent",
        "assistant_agent": ".assistant_agent",
        "chat": ".chat",
        "contrib": ".contrib",
        "conversable_agent": ".conversable_agent",
        "gather_usage_summary": ".utils",
        "groupchat": ".groupchat",
        "initiate_chats": ".chat",
        "register_function": ".conversable_agent",
        "user_proxy_agent": ".user_proxy_agent",
        "utils": ".utils",
    },
)
