"""The names that programs import."""

from __future__ import annotations

import importlib
import subprocess
import sys

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
    "agentchat.groupchat": "GroupChat GroupChatManager SELECT_SPEAKER_PROMPT_TEMPLATE",
    "cache": "Cache AbstractCache",
    "code_utils": "content_str infer_lang extract_code execute_code",
    "exception_utils": "AgentNameConflict NoEligibleSpeaker SenderRequired InvalidCarryOverType "
    "UndefinedNextAgent",
    "formatting_utils": "colored",
    "function_utils": "get_function_schema load_basemodels_if_needed serialize_to_str",
    "io": "IOStream InputStream OutputStream IOConsole",
    "oai": "OpenAIWrapper ModelClient Cache",
}

HELPERS = {
    "cache.abstract_cache_base": "AbstractCache",
    "cache.cache": "Cache",
    "cache.cache_factory": "CacheFactory",
    "cache.cosmos_db_cache": "CosmosDBCache",
    "cache.disk_cache": "DiskCache",
    "cache.in_memory_cache": "InMemoryCache",
    "cache.redis_cache": "RedisCache",
    "code_utils": "content_str infer_lang extract_code execute_code create_virtual_env "
    "is_docker_running in_docker_container decide_use_docker check_can_use_docker_or_throw "
    "CODE_BLOCK_PATTERN UNKNOWN PYTHON_VARIANTS TIMEOUT_MSG DEFAULT_TIMEOUT",
    "function_utils": "get_function_schema get_typed_signature get_typed_annotation get_parameters "
    "get_typed_return_annotation get_param_annotations get_required_params get_default_values "
    "get_missing_annotations load_basemodels_if_needed serialize_to_str",
    "graph_utils": "has_self_loops check_graph_validity invert_disallowed_to_allowed "
    "visualize_speaker_transitions_dict",
    "io": "IOStream InputStream OutputStream IOConsole IOWebsockets",
    "math_utils": "get_answer is_equiv voting_counts eval_math_responses solve_problem",
    "logger.base_logger": "BaseLogger",
    "logger.file_logger": "FileLogger",
    "logger.logger_factory": "LoggerFactory",
    "logger.sqlite_logger": "SqliteLogger",
    "oai.client": "OpenAIClient PlaceHolderClient OpenAIWrapper ModelClient LEGACY_CACHE_DIR "
    "LEGACY_DEFAULT_CACHE_SEED",
    "oai.client_utils": "should_hide_tools validate_parameter",
    "oai.openai_utils": "OAI_PRICE1K get_key config_list_from_json config_list_from_dotenv "
    "config_list_from_models config_list_gpt4_gpt35 config_list_openai_aoai get_config_list "
    "filter_config",
    "retrieve_utils": "TEXT_FORMATS create_vector_db_from_dir extract_text_from_pdf "
    "get_file_from_url get_files_from_dir is_url query_vector_db split_files_to_chunks "
    "split_text_to_chunks",
    "runtime_logging": "start stop get_connection logging_enabled log_chat_completion "
    "log_new_agent log_event log_function_use log_new_wrapper log_new_client",
    "token_count_utils": "count_token token_left percentile_used get_max_token_limit "
    "num_tokens_from_functions",
    "types": "MessageContentType UserMessageTextContentPart UserMessageImageContentPart",
}

CODING = {
    "coding": "CodeBlock CodeResult CodeExtractor CodeExecutor CodeExecutorFactory "
    "MarkdownCodeExtractor LocalCommandLineCodeExecutor DockerCommandLineCodeExecutor",
    "coding.base": "CodeBlock CodeResult CodeExtractor CodeExecutor CommandLineCodeResult "
    "IPythonCodeResult CodeExecutionConfig",
    "coding.docker_commandline_code_executor": "DockerCommandLineCodeExecutor",
    "coding.factory": "CodeExecutorFactory",
    "coding.func_with_reqs": "with_requirements FunctionWithRequirements "
    "FunctionWithRequirementsStr Alias ImportFromModule to_stub",
    "coding.local_commandline_code_executor": "LocalCommandLineCodeExecutor",
    "coding.markdown_code_extractor": "MarkdownCodeExtractor",
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


@requirement("names:helpers")
@pytest.mark.parametrize("module", HELPERS)
def test_the_names_of_a_module_of_helpers(module: str) -> None:
    found = importlib.import_module(f"autogen.{module}")
    assert [name for name in HELPERS[module].split() if not hasattr(found, name)] == []


@requirement("names:coding")
@pytest.mark.parametrize("module", CODING)
def test_the_names_of_a_module_of_coding(module: str) -> None:
    found = importlib.import_module(f"autogen.{module}")
    assert [name for name in CODING[module].split() if not hasattr(found, name)] == []


@requirement("names:top")
def test_names_are_one_object_wherever_they_come_from() -> None:
    from autogen.agentchat.conversable_agent import ConversableAgent
    from autogen.exception_utils import SenderRequired

    assert autogen.ConversableAgent is ConversableAgent
    assert autogen.SenderRequired is SenderRequired


ATTRIBUTES = """
agentchat.agent agentchat.assistant_agent agentchat.chat agentchat.contrib
agentchat.conversable_agent agentchat.groupchat agentchat.user_proxy_agent agentchat.utils
browser_utils cache.abstract_cache_base cache.cache cache.cache_factory cache.disk_cache
cache.in_memory_cache cache.redis_cache code_utils coding.base
coding.docker_commandline_code_executor coding.factory coding.func_with_reqs coding.jupyter
coding.kubernetes coding.local_commandline_code_executor coding.markdown_code_extractor coding.utils
exception_utils formatting_utils function_utils graph_utils io.base io.console io.websockets logger
math_utils oai.client oai.client_utils oai.completion oai.openai_utils retrieve_utils
runtime_logging token_count_utils types version
"""

PROGRAM = f"""
import autogen
for path in {ATTRIBUTES.split()}:
    found = autogen
    for part in path.split("."):
        found = getattr(found, part)
    assert found.__name__ == "autogen." + path, (path, found)
from autogen import Cache, code_utils
assert autogen.cache.Cache is Cache
"""


@requirement("names:attributes")
def test_modules_are_attributes_once_the_package_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
