"""What a scripted model can say, and the message it stands for.

A reply is text, a message dict, one tool call, a list of tool calls, or None for an empty answer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UsageTypeError

__all__ = ["call", "calls", "message_of", "n_words", "text_of"]

_numbers = itertools.count(1)


def call(name: str, /, id: str | None = None, **arguments: Any) -> dict[str, Any]:
    """A tool call in the form models give it. As a reply it is a message with this one call.

    Args:
        name: Of the tool.
        id: Of the call; one is made if there is none.
        arguments: Anything that JSON can hold.
    """
    return {
        "id": id or f"call_{next(_numbers)}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def calls(*tool_calls: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    """A message with several tool calls, and text beside them if there is any."""
    return {"role": "assistant", "content": content, "tool_calls": list(tool_calls)}


def message_of(reply: Any) -> dict[str, Any]:
    """The message that `reply` stands for.

    Raises:
        UsageTypeError: It is nothing a model can say.
    """
    if reply is None or isinstance(reply, str):
        return {"role": "assistant", "content": reply}
    if isinstance(reply, Mapping):
        if "function" in reply and "content" not in reply:
            return calls(dict(reply))
        if not {"content", "tool_calls", "function_call", "refusal", "role"}.isdisjoint(reply):
            return {"role": "assistant", "content": None, **reply}
    if isinstance(reply, list) and all(isinstance(c, Mapping) and "function" in c for c in reply):
        return calls(*reply)
    raise UsageTypeError(
        f"a script says {reply!r}; a model can say text, a message dict with 'content' or "
        "'tool_calls', or what call() and calls() give."
    )


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, that of its parts joined; "" where it has none."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def n_words(messages: Iterable[Mapping[str, Any]]) -> int:
    """Words in the texts of `messages`, told by their spaces: what the fakes count as tokens."""
    total = 0
    for message in messages:
        content = message.get("content")
        text = content if isinstance(content, str) else text_of(message)
        if text:
            total += text.count(" ") + 1
    return total
