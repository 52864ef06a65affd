"""The AutoGen 0.2 helpers around config lists, cache keys and prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..cache.key import NOT_IN_KEY
from ..config.llm import (
    DEFAULT_AZURE_API_VERSION,
    DEFAULT_MODEL,
    FAST_MODEL,
    config_list_from_dotenv,
    config_list_from_json,
    config_list_from_models,
    config_list_gpt4_gpt35,
    config_list_openai_aoai,
    filter_config,
    get_config,
    get_config_list,
)
from ..models.prices import known_prices

__all__ = [
    "DEFAULT_AZURE_API_VERSION",
    "DEFAULT_MODEL",
    "FAST_MODEL",
    "NON_CACHE_KEY",
    "OAI_PRICE1K",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_gpt4_gpt35",
    "config_list_openai_aoai",
    "filter_config",
    "get_config",
    "get_config_list",
    "get_key",
]

#: (prompt, completion) US dollars per 1,000 tokens, by model.
OAI_PRICE1K = known_prices()

#: Keys of a configuration that are not part of a cache key.
NON_CACHE_KEY = sorted(NOT_IN_KEY)


def get_key(config: Mapping[str, Any]) -> str:
    """A text that is the same for configurations that ask the same; without credentials."""
    return json.dumps(
        {k: v for k, v in config.items() if k not in NOT_IN_KEY}, sort_keys=True, default=str
    )
