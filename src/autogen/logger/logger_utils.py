"""What goes into logs: values as JSON without secrets, and the time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from ..config.secrets import is_secret_name, redact

__all__ = ["get_current_ts", "name_of", "source_of", "to_dict", "to_json"]

_MAX_DEPTH = 12
#: 0.2 leaves them out as well: who reads a log need not learn where a service runs.
_LEFT_OUT = frozenset(
    {"self", "__class__", "base_url", "azure_endpoint", "azure_ad_token_provider"}
)


def get_current_ts() -> str:
    """The time in UTC: "2024-05-06 07:08:09.123456"."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def name_of(source: Any) -> str:
    """The name of an agent; a name is its own."""
    return source if isinstance(source, str) else str(getattr(source, "name", source))


def source_of(source: Any) -> dict[str, Any]:
    """Who did something, an agent or the name of one, as the fields of an entry."""
    return {
        "source_id": None if isinstance(source, str) else id(source),
        "source_name": name_of(source),
    }


def to_dict(value: Any, *, depth: int = 0) -> Any:
    """`value` as JSON can say it, without keys, passwords and endpoints.

    Agents are named, functions too; objects that don't say what they hold become `<their class>`.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value)
    if depth >= _MAX_DEPTH:
        return f"<{type(value).__qualname__}>"
    if hasattr(value, "name") and hasattr(value, "generate_reply"):
        return f"{type(value).__qualname__}({value.name})"
    fields = _fields(value)
    if fields is not None:
        return {
            str(key): to_dict(one, depth=depth + 1)
            for key, one in fields.items()
            if str(key) not in _LEFT_OUT and not is_secret_name(str(key))
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [to_dict(one, depth=depth + 1) for one in value]
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    return f"<{type(value).__qualname__}>"


def _fields(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if callable(getattr(value, "model_dump", None)):
        dumped: Mapping[Any, Any] = value.model_dump()
        return dumped
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name, None) for one in dataclasses.fields(value)}
    return vars(value) if isinstance(value, SimpleNamespace) else None


def to_json(value: Any) -> str:
    """`to_dict` as text."""
    return json.dumps(to_dict(value), ensure_ascii=False)
