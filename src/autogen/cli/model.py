"""Which model a command talks to: from its options, the environment, `.env` and config lists."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from dotenv import find_dotenv, load_dotenv

from ..config.entry import parse_entries
from ..config.llm import config_list_from_json
from ..errors import AutogenError, UsageError

__all__ = ["CONFIG_LIST", "ModelChoice", "choose_model", "read_dotenv"]

#: Variable, or file in this folder, that holds a config list.
CONFIG_LIST = "OAI_CONFIG_LIST"

#: How names of models begin, and the `api_type` of who serves them.
_SERVED_BY = {
    "claude": "anthropic",
    "command-r": "cohere",
    "deepseek": "deepseek",
    "gemini": "google",
    "grok": "xai",
    "mistral": "mistral",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """What to hand to an agent as its `llm_config`, and what not to show.

    Attributes:
        llm_config: Streaming, nothing cached.
        label: Model and host, for people.
        secrets: The keys in it.
    """

    llm_config: dict[str, Any] = field(repr=False)
    label: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


def read_dotenv() -> str | None:
    """Load the nearest `.env`, here or above; what is set already wins. Its path, if there is."""
    path = find_dotenv(usecwd=True)
    if path:
        load_dotenv(path)
    return path or None


def choose_model(model: str | None, base_url: str | None) -> ModelChoice:
    """The model to use, checked before anything is sent.

    Raises:
        UsageError: No model is named anywhere.
        AuthenticationError: The service wants a key and there is none.
    """
    read_dotenv()
    entries = parse_entries(_config_list(model, base_url), {})
    secrets: list[str] = []
    hosts: list[str] = []
    trouble = None
    for entry in entries:
        try:
            endpoint = entry.endpoint(entry.model)
        except AutogenError as error:
            trouble = trouble or error
            continue
        hosts.append(f"{entry.model} at {urlsplit(endpoint.base_url).hostname}")
        secrets += [endpoint.api_key] if endpoint.api_key else []
    if not hosts and trouble is not None:
        raise trouble
    return ModelChoice(
        llm_config={
            "config_list": [entry.config for entry in entries],
            "stream": True,
            "cache_seed": None,
        },
        label=_label(hosts),
        secrets=tuple(secrets),
    )


def _label(hosts: list[str]) -> str:
    more = len(hosts) - 1
    return f"{hosts[0]} (and {more} more to fall back on)" if more else hosts[0]


def _config_list(model: str | None, base_url: str | None) -> list[dict[str, Any]]:
    if base_url is not None:
        if not model:
            raise UsageError("--base-url says where, but not which model; add --model NAME.")
        return [{"model": model, "base_url": base_url}]
    try:
        listed = config_list_from_json(CONFIG_LIST)
    except FileNotFoundError:
        listed = []
    if model:
        named = [entry for entry in listed if entry.get("model") == model]
        return named or [_entry_for(model)]
    if not listed:
        raise UsageError(
            "no model is named; add --model NAME (and --base-url URL for a server of your own), "
            f"or put a config list into {CONFIG_LIST}, a variable or a file in this folder."
        )
    return listed


def _entry_for(model: str) -> dict[str, Any]:
    """An entry for a bare name; where the address comes from the environment, that serves all."""
    entry: dict[str, Any] = {"model": model}
    api_type = next((t for start, t in _SERVED_BY.items() if model.lower().startswith(start)), None)
    if api_type is not None and not os.environ.get("OPENAI_BASE_URL"):
        entry["api_type"] = api_type
    return entry
