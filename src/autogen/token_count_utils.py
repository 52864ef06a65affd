"""Tokens, and how many of them fit into a model, under the 0.2 names.

Counting is `models.tokens`, which needs no network; here are the context windows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .models.tokens import DEFAULT_MODEL, count_token, estimated_tokens, num_tokens_from_functions

__all__ = [
    "count_token",
    "estimated_tokens",
    "get_max_token_limit",
    "num_tokens_from_functions",
    "percentile_used",
    "token_left",
]


def token_left(input: str | list[Any] | Mapping[str, Any], model: str = DEFAULT_MODEL) -> int:
    """Tokens of the model's context window that `input` leaves.

    Raises:
        KeyError: The model's limit is not known.
    """
    return get_max_token_limit(model) - count_token(input, model)


def percentile_used(
    input: str | list[Any] | Mapping[str, Any], model: str = DEFAULT_MODEL
) -> float:
    """The part of the model's context window that `input` takes; 1.0 is all of it.

    Raises:
        KeyError: The model's limit is not known.
    """
    return count_token(input, model) / get_max_token_limit(model)


# ----------------------------------------------------------------------------------------- limits

#: Context windows in tokens, by model or by how a family of models begins (ending in "*").
#: Source: the package genai-prices 0.2.3 (its `context_window`), read 2026-11-21; for models that
#: services have retired, the table of AutoGen 0.2.
_LIMITS: Final[Mapping[str, int]] = {
    "babbage-002": 16_384,
    "claude-2": 200_000,
    "claude-3*": 200_000,
    "claude-fable-5*": 1_000_000,
    "claude-haiku-4-5": 200_000,
    "claude-haiku-5-5": 1_000_000,
    "claude-mythos-5-2": 1_000_000,
    "claude-opus-4-0": 200_000,
    "claude-opus-4-1": 200_000,
    "claude-opus-4-5": 200_000,
    "claude-opus-4-6": 1_000_000,
    "claude-opus-4-7": 1_000_000,
    "claude-opus-4-8": 1_000_000,
    "claude-opus-5*": 1_000_000,
    "claude-sonnet-4-0": 200_000,
    "claude-sonnet-4-5": 200_000,
    "claude-sonnet-4-6": 1_000_000,
    "claude-sonnet-5*": 1_000_000,
    "davinci-002": 16_384,
    "deepseek-chat": 64_000,
    "deepseek-reasoner": 64_000,
    "deepseek-v3*": 128_000,
    "deepseek-v4*": 1_000_000,
    "gemini-1.5*": 1_000_000,
    "gemini-2.0-flash*": 1_000_000,
    "gemini-2.5-flash": 1_048_576,
    "gemini-2.5-flash-lite": 1_000_000,
    "gemini-2.5-pro": 1_048_576,
    "gemini-3-flash*": 1_000_000,
    "gemini-3.5-flash*": 1_000_000,
    "gemini-3.6-flash": 1_000_000,
    "gemini-3.7-flash": 1_000_000,
    "gemini-3.8-flash": 1_000_000,
    "gemini-4-argon": 1_048_576,
    "gpt-3.5-turbo": 16_385,
    "gpt-3.5-turbo-0301": 4_096,
    "gpt-3.5-turbo-0613": 4_096,
    "gpt-3.5-turbo-16k": 16_385,
    "gpt-3.5-turbo-instruct": 4_096,
    "gpt-4": 8_192,
    "gpt-4-0125-preview": 128_000,
    "gpt-4-0314": 8_192,
    "gpt-4-0613": 8_192,
    "gpt-4-1106-preview": 128_000,
    "gpt-4-32k": 32_768,
    "gpt-4-turbo*": 128_000,
    "gpt-4-vision-preview": 128_000,
    "gpt-4.1*": 1_000_000,
    "gpt-4o": 128_000,
    "gpt-4o-mini": 128_000,
    "gpt-4o-search-preview": 128_000,
    "gpt-5": 400_000,
    "gpt-5-mini": 400_000,
    "gpt-5-nano": 400_000,
    "gpt-5-pro": 400_000,
    "gpt-5.1*": 400_000,
    "gpt-5.2*": 400_000,
    "gpt-5.3": 128_000,
    "gpt-5.3-codex": 400_000,
    "gpt-5.4": 1_050_000,
    "gpt-5.4-mini": 400_000,
    "gpt-5.4-nano": 400_000,
    "gpt-5.4-pro": 1_050_000,
    "gpt-5.5": 1_000_000,
    "gpt-5.5-pro": 1_000_000,
    "gpt-5.6*": 1_050_000,
    "gpt-6-astra": 1_050_000,
    "gpt-6-luna": 1_050_000,
    "gpt-6-sol": 1_050_000,
    "gpt-6.1*": 1_050_000,
    "gpt-oss-120b": 131_072,
    "gpt-oss-20b": 131_072,
    "grok-3*": 131_072,
    "grok-4-0709": 256_000,
    "grok-4-fast*": 2_000_000,
    "grok-4.3": 1_000_000,
    "grok-4.5": 500_000,
    "grok-4.6": 500_000,
    "grok-4.7": 500_000,
    "mistral-large": 128_000,
    "mistral-large-4": 1_048_576,
    "o1": 200_000,
    "o1-mini": 128_000,
    "o1-preview": 128_000,
    "o1-pro": 200_000,
    "o3*": 200_000,
    "o4-mini": 200_000,
    "text-davinci-003": 4_097,
    "text-embedding-3-large": 8_192,
    "text-embedding-3-small": 8_192,
    "text-embedding-ada-002": 8_192,
}

#: How a service names one state of a model: `-2024-08-06`, `-20250514`, `-0125`, `-latest`.
_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest)$")


def get_max_token_limit(model: str = DEFAULT_MODEL) -> int:
    """The context window of a model, in tokens; the answer has to fit into it too.

    A date at the end of the name, a service in front of it and Azure's spelling `gpt-35` are seen
    through.

    Raises:
        KeyError: The model is not known here.
    """
    name = model.rpartition("/")[2]
    for written, meant in (("gpt35", "gpt-3.5"), ("gpt-35", "gpt-3.5"), ("gpt4", "gpt-4")):
        name = name.replace(written, meant)
    for candidate in (name, _SNAPSHOT.sub("", name)):
        if candidate in _LIMITS:
            return _LIMITS[candidate]
    families = [key for key in _LIMITS if key.endswith("*") and name.startswith(key[:-1])]
    if families:
        return _LIMITS[max(families, key=len)]
    raise KeyError(f"the context window of the model {model!r} is not known.")
