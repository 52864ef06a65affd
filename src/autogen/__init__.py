"""AutoGen's conversation API, carried on: agents that talk, run code, call tools and ask people.

    from autogen import AssistantAgent, UserProxyAgent

    assistant = AssistantAgent("assistant", llm_config={"config_list": [...]})
    user = UserProxyAgent("user", human_input_mode="NEVER")
    user.initiate_chat(assistant, message="Draw the share price of the year.")

Every name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_names
from ._version import __version__

if TYPE_CHECKING:
    from . import agentchat as agentchat
    from . import browser_utils as browser_utils
    from . import cache as cache
    from . import code_utils as code_utils
    from . import coding as coding
    from . import exception_utils as exception_utils
    from . import formatting_utils as formatting_utils
    from . import function_utils as function_utils
    from . import graph_utils as graph_utils
    from . import io as io
    from . import logger as logger
    from . import math_utils as math_utils
    from . import oai as oai
    from . import retrieve_utils as retrieve_utils
    from . import runtime_logging as runtime_logging
    from . import token_count_utils as token_count_utils
    from . import types as types
    from . import version as version
    from ._chat.state import ChatResult
    from ._chat.wiring import RunOptions, options
    from ._kernel.cancel import CancelToken
    from .agentchat.agent import Agent, LLMAgent
    from .agentchat.assistant_agent import AssistantAgent
    from .agentchat.chat import a_initiate_chats, initiate_chats
    from .agentchat.conversable_agent import ConversableAgent, register_function
    from .agentchat.groupchat import GroupChat, GroupChatManager
    from .agentchat.user_proxy_agent import UserProxyAgent
    from .agentchat.utils import gather_usage_summary
    from .artifacts import Artifact
    from .cache.cache import Cache
    from .config.llm import (
        DEFAULT_MODEL,
        FAST_MODEL,
        config_list_from_dotenv,
        config_list_from_json,
        config_list_from_models,
        config_list_gpt4_gpt35,
        config_list_openai_aoai,
        filter_config,
        get_config_list,
    )
    from .errors import (
        AgentNameConflict,
        AutogenError,
        InvalidCarryOverType,
        NoEligibleSpeaker,
        SenderRequired,
        UndefinedNextAgent,
    )
    from .events import Event
    from .human.base import Question
    from .limits.budget import Budget
    from .limits.loops import LoopGuard
    from .models.base import ModelClient
    from .oai.client import OpenAIWrapper
    from .oai.completion import ChatCompletion, Completion
    from .runtime.runtime import Runtime
    from .runtime.teams import team

__all__ = [
    "Agent",
    "AgentNameConflict",
    "Artifact",
    "AssistantAgent",
    "AutogenError",
    "Budget",
    "Cache",
    "CancelToken",
    "ChatCompletion",
    "ChatResult",
    "Completion",
    "ConversableAgent",
    "DEFAULT_MODEL",
    "Event",
    "FAST_MODEL",
    "GroupChat",
    "GroupChatManager",
    "InvalidCarryOverType",
    "LLMAgent",
    "LoopGuard",
    "ModelClient",
    "NoEligibleSpeaker",
    "OpenAIWrapper",
    "Question",
    "RunOptions",
    "Runtime",
    "SenderRequired",
    "UndefinedNextAgent",
    "UserProxyAgent",
    "__version__",
    "a_initiate_chats",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_gpt4_gpt35",
    "config_list_openai_aoai",
    "filter_config",
    "gather_usage_summary",
    "get_config_list",
    "initiate_chats",
    "options",
    "register_function",
    "team",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Agent": ".agentchat.agent",
        "AgentNameConflict": ".errors",
        "Artifact": ".artifacts",
        "AssistantAgent": ".agentchat.assistant_agent",
        "AutogenError": ".errors",
        "Budget": ".limits.budget",
        "Cache": ".cache.cache",
        "CancelToken": "._kernel.cancel",
        "ChatCompletion": ".oai.completion",
        "ChatResult": "._chat.state",
        "Completion": ".oai.completion",
        "ConversableAgent": ".agentchat.conversable_agent",
        "DEFAULT_MODEL": ".config.llm",
        "Event": ".events",
        "FAST_MODEL": ".config.llm",
        "GroupChat": ".agentchat.groupchat",
        "GroupChatManager": ".agentchat.groupchat",
        "InvalidCarryOverType": ".errors",
        "LLMAgent": ".agentchat.agent",
        "LoopGuard": ".limits.loops",
        "ModelClient": ".models.base",
        "NoEligibleSpeaker": ".errors",
        "OpenAIWrapper": ".oai.client",
        "Question": ".human.base",
        "RunOptions": "._chat.wiring",
        "Runtime": ".runtime.runtime",
        "SenderRequired": ".errors",
        "UndefinedNextAgent": ".errors",
        "UserProxyAgent": ".agentchat.user_proxy_agent",
        "a_initiate_chats": ".agentchat.chat",
        "agentchat": ".agentchat",
        "browser_utils": ".browser_utils",
        "cache": ".cache",
        "code_utils": ".code_utils",
        "coding": ".coding",
        "config_list_from_dotenv": ".config.llm",
        "config_list_from_json": ".config.llm",
        "config_list_from_models": ".config.llm",
        "config_list_gpt4_gpt35": ".config.llm",
        "config_list_openai_aoai": ".config.llm",
        "exception_utils": ".exception_utils",
        "filter_config": ".config.llm",
        "formatting_utils": ".formatting_utils",
        "function_utils": ".function_utils",
        "gather_usage_summary": ".agentchat.utils",
        "get_config_list": ".config.llm",
        "graph_utils": ".graph_utils",
        "initiate_chats": ".agentchat.chat",
        "io": ".io",
        "logger": ".logger",
        "math_utils": ".math_utils",
        "oai": ".oai",
        "options": "._chat.wiring",
        "register_function": ".agentchat.conversable_agent",
        "retrieve_utils": ".retrieve_utils",
        "runtime_logging": ".runtime_logging",
        "team": ".runtime.teams",
        "token_count_utils": ".token_count_utils",
        "types": ".types",
        "version": ".version",
    },
)
