"""The names that programs import."""

from __future__ import annotations

import importlib

import pytest
from tests.compat.requirements import requirement

import autogen

TOP = """
Agent ConversableAgent AssistantAgent UserProxyAgent GroupChat GroupChatManager register_function
initiate_chats gather_usage_summary ChatResult OpenAIWrapper ModelClient Cache
config_list_from_json config_list_from_dotenv config_list_from_models config_list_gpt4_gpt35
config_list_openai_aoai get_config_list filter_config AgentNameConflict NoEligibleSpeaker
SenderRequired InvalidCarryOverType UndefinedNextAgent DEFAULT_MODEL FAST_MODEL __version__
"""

MODULES = {
    "agentchat": "Agent ConversableAgent AssistantAgent UserProxyAgent GroupChat GroupChatManager "
    "register_function initiate_chats gather_usage_summary ChatResult",
    "agentchat.agent": "Agent LLMAgent",
    "agentchat.chat": "ChatResult initiate_chats a_initiate_chats",
    "agentchat.utils": "gather_usage_summary consolidate_chat_info parse_tags_from_content",
    "agentchat.conversable_agent": "ConversableAgent register_function",
    "agentchat.assistant_agent": "AssistantAgent",
    "agentchat.user_proxy_agent": "UserProxyAgent",
    "agentchat.groupchat": "GroupChat GroupChatManager",
    "cache": "Cache AbstractCache",
    "code_utils": "content_str infer_lang extract_code execute_code",
    "exception_utils": "AgentNameConflict NoEligibleSpeaker SenderRequired InvalidCarryOverType "
    "UndefinedNextAgent",
    "formatting_utils": "colored",
    "function_utils": "get_function_schema load_basemodels_if_needed serialize_to_str",
    "io": "IOStream InputStream OutputStream IOConsole",
    "oai": "OpenAIWrapper ModelClient Cache",
}


@requirement("names:top")
@pytest.mark.parametrize("name", TOP.split())
def test_a_name_at_the_top(name: str) -> None:
    assert getattr(autogen, name) is not None
    assert name in dir(autogen)


@requirement("names:top")
def test_default_models() -> None:
    assert (autogen.DEFAULT_MODEL, autogen.FAST_MODEL) == ("gpt-4", "gpt-3.5-turbo")


@requirement("names:added")
@pytest.mark.parametrize("name", ["a_initiate_chats", "LLMAgent"])
def test_a_name_that_is_new_at_the_top(name: str) -> None:
    assert hasattr(autogen, name)


@requirement("names:modules")
@pytest.mark.parametrize("module", MODULES)
def test_the_names_of_a_module(module: str) -> None:
    found = importlib.import_module(f"autogen.{module}")
    assert [name for name in MODULES[module].split() if not hasattr(found, name)] == []


@requirement("names:top")
def test_names_are_one_object_wherever_they_come_from() -> None:
    from autogen.agentchat.conversable_agent import ConversableAgent
    from autogen.exception_utils import SenderRequired

    assert autogen.ConversableAgent is ConversableAgent
    assert autogen.SenderRequired is SenderRequired
