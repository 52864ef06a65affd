"""The model layer under its AutoGen 0.2 names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ..cache.cache import Cache
    from ..config.llm import (
        config_list_from_dotenv,
        config_list_from_json,
        config_list_from_models,
        config_list_gpt4_gpt35,
        config_list_openai_aoai,
        filter_config,
        get_config_list,
    )
    from ..models.base import ModelClient
    from . import client as client
    from . import client_utils as client_utils
    from . import completion as completion
    from . import openai_utils as openai_utils
    from .client import OpenAIWrapper
    from .completion import ChatCompletion, Completion

__all__ = [
    "Cache",
    "ChatCompletion",
    "Completion",
    "ModelClient",
    "OpenAIWrapper",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_gpt4_gpt35",
    "config_list_openai_aoai",
    "filter_config",
    "get_config_list",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Cache": "..cache.cache",
        "ChatCompletion": ".completion",
        "Completion": ".completion",
        "ModelClient": "..models.base",
        "OpenAIWrapper": ".client",
        "client": ".client",
        "client_utils": ".client_utils",
        "completion": ".completion",
        "config_list_from_dotenv": "..config.llm",
        "config_list_from_json": "..config.llm",
        "config_list_from_models": "..config.llm",
        "config_list_gpt4_gpt35": "..config.llm",
        "config_list_openai_aoai": "..config.llm",
        "filter_config": "..config.llm",
        "get_config_list": "..config.llm",
        "openai_utils": ".openai_utils",
    },
)
