"""Answers as plain JSON, so that a cache keeps them without pickling, and back again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..usage import Usage
from .base import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    CompletionUsage,
    FunctionCall,
    ToolCall,
)

__all__ = ["Answered", "from_record", "is_record", "record_of"]

logger = logging.getLogger("autogen")


class Answered(NamedTuple):
    """A response, and what it used.

    Attributes:
        response: A `ChatCompletion`, or what a user's client gave.
        usage: None where nothing is known of it.
        cost: US dollars; None where not known.
        is_cached: It was not asked for right now.
    """

    response: Any
    usage: Usage | None
    cost: float | None
    is_cached: bool = False


_RECORD_VERSION = 1
_CHOICE_KEYS = ("content", "role", "refusal", "reasoning_content")


def is_record(value: Any) -> bool:
    """Whether a cache gave back what `record_of` made."""
    return isinstance(value, dict) and value.get("v") == _RECORD_VERSION


def record_of(answered: Answered) -> dict[str, Any] | None:
    """What a cache keeps; None (and a warning) for a response without the shape of a completion."""
    response, usage, cost, _ = answered
    try:
        answer = {
            "id": getattr(response, "id", "") or "",
            "model": response.model,
            "created": getattr(response, "created", 0) or 0,
            "choices": [_plain_choice(i, choice) for i, choice in enumerate(response.choices)],
        }
    except (AttributeError, TypeError) as error:
        logger.warning(
            "An answer of type %r can't be cached (%s); "
            "it needs .model and .choices[i].message.content.",
            type(response).__name__,
            error,
        )
        return None
    used = None
    if usage is not None:
        used = [usage.model, usage.prompt_tokens, usage.completion_tokens, usage.cost_usd]
    return {"v": _RECORD_VERSION, "answer": answer, "cost": cost, "used": used}


def _plain_choice(index: int, choice: Any) -> dict[str, Any]:
    message = choice.message
    out: dict[str, Any] = {k: getattr(message, k, None) for k in _CHOICE_KEYS}
    out["content"] = message.content
    call = getattr(message, "function_call", None)
    if call is not None:
        out["function_call"] = [call.name, call.arguments]
    calls = getattr(message, "tool_calls", None)
    if calls is not None:
        out["tool_calls"] = [[c.id, c.type, c.function.name, c.function.arguments] for c in calls]
    out["finish_reason"] = getattr(choice, "finish_reason", None)
    out["index"] = getattr(choice, "index", index)
    return out


def from_record(record: Mapping[str, Any]) -> Answered:
    """The answer that `record_of` wrote down, marked as cached."""
    answer, used = record["answer"], record["used"]
    usage = None
    tokens = None
    if used is not None:
        model, prompt, completion, cost_usd_ = used
        usage = Usage(
            model=model,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_usd=cost_usd_,
            is_cached=True,
        )
        tokens = CompletionUsage(prompt, completion, prompt + completion)
    response = ChatCompletion(
        choices=[_choice(c) for c in answer["choices"]],
        model=answer["model"],
        usage=tokens,
        id=answer["id"],
        created=answer["created"],
    )
    return Answered(response, usage, record["cost"], is_cached=True)


def _choice(kept: Mapping[str, Any]) -> Choice:
    call, calls = kept.get("function_call"), kept.get("tool_calls")
    message = ChatCompletionMessage(
        content=kept["content"],
        role=kept["role"] or "assistant",
        function_call=None if call is None else FunctionCall(*call),
        tool_calls=None
        if calls is None
        else [ToolCall(id_, FunctionCall(name, text), kind) for id_, kind, name, text in calls],
        refusal=kept["refusal"],
        reasoning_content=kept["reasoning_content"],
    )
    return Choice(message, kept["finish_reason"], kept["index"])
