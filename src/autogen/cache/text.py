"""Values of a cache as text: JSON, never pickled."""

from __future__ import annotations

import json
from typing import Any

from ..errors import UsageError

__all__ = ["from_text", "to_text"]


def to_text(value: Any) -> str:
    """`value` as JSON.

    Raises:
        UsageError: JSON cannot hold it.
    """
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"a value of type {type(value).__name__} can't be cached: {error}. Cache plain dicts, "
            "lists, texts and numbers."
        ) from error


def from_text(text: str | bytes | None, default: Any) -> Any:
    """The value, or `default` where there is no text, or none that `to_text` wrote."""
    if text is None:
        return default
    try:
        return json.loads(text)
    except ValueError:
        return default
