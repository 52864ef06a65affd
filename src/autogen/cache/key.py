"""The key of a request: same question, same provider, same model, same key; no secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["NOT_IN_KEY", "request_key"]

#: What does not change the answer, or may not be stored.
NOT_IN_KEY = frozenset(
    {
        "agent",
        "api_key",
        "api_type",
        "api_version",
        "azure_ad_token",
        "azure_ad_token_provider",
        "base_url",
        "cache",
        "cache_seed",
        "credentials",
        "default_headers",
        "extra_headers",
        "http_client",
        "max_retries",
        "organization",
        "stream",
        "stream_options",
        "timeout",
        "tool_config",
    }
)


def request_key(params: Mapping[str, Any], *, provider: str) -> str | None:
    """64 hex digits that stand for a request, or None for one that cannot be told from others.

    Args:
        params: Messages, model and options. Not changed.
        provider: The base URL, or the name of a client class.
    """
    import hashlib

    kept = {k: v for k, v in params.items() if k not in NOT_IN_KEY and v is not None}
    try:
        text = json.dumps([provider, kept], sort_keys=True, default=_as_json)
    except (TypeError, ValueError, RecursionError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(value: Any) -> Any:
    """What stands for a value that JSON does not know."""
    schema = getattr(value, "model_json_schema", None)
    if schema is not None:
        return schema()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    # Its repr may hold an address in memory, which would never match again.
    raise TypeError(f"{type(value).__name__} has no place in a cache key")
