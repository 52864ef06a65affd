"""Tool arguments as models write them: JSON, nearly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ..errors import AutogenError

__all__ = ["BadArguments", "parsed_arguments"]

_FENCE = re.compile(r"^\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class BadArguments(AutogenError):
    """The arguments of a call can't be read; the text tells the model what is wrong."""


def parsed_arguments(text: Any, function: Callable[..., Any] | None = None) -> dict[str, Any]:
    """The arguments of a call as keyword arguments.

    Takes JSON, and what models send for it: nothing at all, a code fence around it, raw newlines
    and tabs inside strings, a comma before a closing bracket.

    Raises:
        BadArguments: It can't be read as a JSON object.
    """
    if isinstance(text, dict):
        return dict(text)
    if text is None or not str(text).strip():
        return {}
    source, problem = str(text), ""
    for attempt in (str, _without_fence, _repaired):
        try:
            value = json.loads(attempt(source), strict=False)
        except json.JSONDecodeError as error:
            problem = str(error)
            continue
        if isinstance(value, dict):
            return value
        raise BadArguments(
            f"the arguments are a JSON {type(value).__name__}; they must be an object of named "
            "arguments."
        )
    raise BadArguments(problem)


def _without_fence(text: str) -> str:
    match = _FENCE.match(text)
    return match[1] if match else text


def _repaired(text: str) -> str:
    """Without trailing commas; what stands inside strings is left alone."""
    text = _without_fence(text)
    out, at = [], 0
    for string in _STRING.finditer(text):
        out += [_TRAILING_COMMA.sub(r"\1", text[at : string.start()]), string[0]]
        at = string.end()
    out.append(text[at:])
    return _TRAILING_COMMA.sub(r"\1", "".join(out))
