"""Reading the objects of a chat completion, whole or in pieces, into our own.

Lenient where servers differ harmlessly (counts missing, arguments as an object, content in parts)
and strict where guessing would invent an answer: that raises `NotACompletion`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...errors import ContentFiltered
from ..base import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    CompletionUsage,
    Endpoint,
    FunctionCall,
    ToolCall,
)
from .faults import host

__all__ = [
    "NotACompletion",
    "read_arguments",
    "read_completion",
    "read_content",
    "read_count",
    "read_function",
    "read_reasoning",
    "read_usage",
    "refuse_filtered",
    "text_or_none",
]


class NotACompletion(Exception):
    """What part of an answer has the wrong shape."""


def read_completion(data: dict[str, Any], choices: Any, endpoint: Endpoint) -> ChatCompletion:
    """The completion that `data` is; `choices` is what it has under that name."""
    if not isinstance(choices, list):
        raise NotACompletion("a completion whose 'choices' is not a list")
    made = [read_choice(choice, index) for index, choice in enumerate(choices)]
    refuse_filtered(made, endpoint)
    model, given_id = data.get("model"), data.get("id")
    return ChatCompletion(
        choices=made,
        model=model if isinstance(model, str) and model else endpoint.model,
        usage=read_usage(data.get("usage")),
        id=given_id if isinstance(given_id, str) else "",
        created=read_count(data, "created"),
        system_fingerprint=text_or_none(data.get("system_fingerprint")),
    )


def refuse_filtered(choices: list[Choice], endpoint: Endpoint) -> None:
    """An answer that a policy emptied is a refusal, not a reply."""
    for choice in choices:
        message = choice.message
        if (
            choice.finish_reason != "content_filter"
            or message.content
            or message.tool_calls
            or message.refusal
        ):
            return
    raise ContentFiltered(
        f"{host(endpoint)} withheld the answer of {endpoint.model!r} because of its content "
        "policy; change the messages.",
        provider=host(endpoint),
        status=200,
        code="content_filter",
    )


def read_choice(choice: Any, index: int) -> Choice:
    if not isinstance(choice, dict):
        raise NotACompletion("a completion with a choice that is not an object")
    message = choice.get("message")
    if message is None and isinstance(choice.get("text"), str):
        message = {"content": choice["text"]}
    if not isinstance(message, dict):
        raise NotACompletion("a completion without a message")
    text, thoughts = read_content(message.get("content"))
    calls, call = message.get("tool_calls"), message.get("function_call")
    role, given = message.get("role"), choice.get("index")
    return Choice(
        ChatCompletionMessage(
            content=text,
            role=role if isinstance(role, str) else "assistant",
            function_call=None if call is None else read_function(call),
            tool_calls=read_tool_calls(calls) if calls else None,
            refusal=text_or_none(message.get("refusal")),
            reasoning_content=read_reasoning(message) or thoughts,
        ),
        text_or_none(choice.get("finish_reason")),
        given if isinstance(given, int) else index,
        choice.get("logprobs"),
    )


def read_content(content: Any) -> tuple[str | None, str | None]:
    """Text and reasoning of a message's content, which some services give in parts."""
    if content is None or isinstance(content, str):
        return content, None
    if not isinstance(content, list) or not all(isinstance(p, dict) for p in content):
        raise NotACompletion("a message whose 'content' is not text")
    texts = [p["text"] for p in content if isinstance(p.get("text"), str)]
    thoughts = [
        part["text"]
        for p in content
        if isinstance(p.get("thinking"), list)
        for part in p["thinking"]
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return "".join(texts), "".join(thoughts) or None


def read_reasoning(message: Mapping[str, Any]) -> str | None:
    """What the model thought aloud, under either name that services give it."""
    return text_or_none(message.get("reasoning_content") or message.get("reasoning"))


def read_tool_calls(calls: Any) -> list[ToolCall]:
    if not isinstance(calls, list) or not all(isinstance(c, dict) for c in calls):
        raise NotACompletion("a message whose 'tool_calls' is not a list of objects")
    return [
        ToolCall(
            text_or_none(call.get("id")),
            read_function(call.get("function")),
            text_or_none(call.get("type")) or "function",
        )
        for call in calls
    ]


def read_function(call: Any) -> FunctionCall:
    """The function of a call."""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise NotACompletion("a call without a function name")
    return FunctionCall(call["name"], read_arguments(call.get("arguments")))


def read_arguments(arguments: Any) -> str:
    """The arguments of a call as JSON text."""
    # Some servers give the object itself where its JSON text belongs.
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def text_or_none(value: Any) -> str | None:
    """`value` if it is text, and not empty."""
    return value if isinstance(value, str) and value else None


def read_usage(usage: Any) -> CompletionUsage | None:
    """The token counts, None where there are none."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = read_count(usage, "prompt_tokens"), read_count(usage, "completion_tokens")
    return CompletionUsage(
        prompt,
        completion,
        read_count(usage, "total_tokens") or prompt + completion,
        read_count(usage.get("prompt_tokens_details"), "cached_tokens")
        or read_count(usage, "prompt_cache_hit_tokens"),
        read_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def read_count(counts: Any, name: str) -> int:
    """The whole number that `counts` has under `name`, 0 where it has none."""
    value = counts.get(name) if isinstance(counts, dict) else None
    return int(value) if isinstance(value, int | float) and 0 < value < 2**63 else 0
