"""What the transforms know about messages: their texts, their tokens, and what belongs together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....cache.base import AbstractCache
from ....config.llm import filter_config
from ....errors import UsageTypeError
from ....token_count_utils import count_token

__all__ = [
    "Block",
    "blocks",
    "cache_content_get",
    "cache_content_set",
    "cache_key",
    "check_whole",
    "count_message_tokens",
    "count_text_tokens",
    "cut_to_tokens",
    "is_content_right_type",
    "is_content_text_empty",
    "min_tokens_reached",
    "should_transform_message",
    "with_texts",
]

_DEFAULT_MODEL = "gpt-3.5-turbo-0613"

#: Messages that stay or go together: one message, or a call and all its results.
Block = list[dict[str, Any]]


def check_whole(name: str, limit: Any) -> None:
    """Refuse a limit that is neither None nor a whole number.

    Raises:
        UsageTypeError: It is something else.
    """
    if limit is not None and not hasattr(limit, "__index__"):
        raise UsageTypeError(f"{name} is {limit!r}; it must be None or a whole number.")


# ------------------------------------------------------------------------------------------- pairs


def blocks(messages: Sequence[dict[str, Any]]) -> list[Block]:
    """`messages` in order, a call together with the results that follow it.

    Results without a call are left out: no model accepts them.
    """
    made: list[Block] = []
    is_open = False
    for message in messages:
        if _is_result(message):
            if is_open:
                made[-1].append(message)
            continue
        made.append([message])
        is_open = bool(message.get("tool_calls") or message.get("function_call"))
    return made


def _is_result(message: Mapping[str, Any]) -> bool:
    return message.get("role") in ("tool", "function") or bool(message.get("tool_responses"))


# ------------------------------------------------------------------------------------------- texts


def with_texts(message: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A copy of `message` whose texts, those of tool results included, went through `change`.

    A joint result of several calls is changed result by result, which is what a model sees of it.
    """
    made = dict(message)
    responses = message.get("tool_responses")
    is_joint = bool(responses) and message.get("role") == "tool"
    # A person who spoke instead of the tools comes first: where room is short, theirs is kept.
    if message.get("content") and not is_joint:
        made["content"] = _changed(message["content"], change)
    if responses:
        made["tool_responses"] = [
            {**r, "content": _changed(r.get("content"), change)} for r in responses
        ]
    if is_joint:
        made["content"] = "\n\n".join(str(r["content"]) for r in made["tool_responses"])
    return made


def _changed(content: Any, change: Callable[[str], str]) -> Any:
    if isinstance(content, str):
        return change(content)
    if not isinstance(content, list):
        return content
    return [
        {**part, "text": change(part["text"])}
        if isinstance(part, dict) and isinstance(part.get("text"), str)
        else part
        for part in content
    ]


def is_content_right_type(content: Any) -> bool:
    """Whether `content` is text or a list of parts."""
    return isinstance(content, str | list)


def is_content_text_empty(content: str | list[Any]) -> bool:
    """Whether `content` has no text."""
    if isinstance(content, str):
        return content == ""
    return not any(part.get("text") for part in content if isinstance(part, dict))


def should_transform_message(
    message: dict[str, Any], filter_dict: Mapping[str, Any] | None, exclude: bool
) -> bool:
    """Whether a transform with this filter may change `message`."""
    return not filter_dict or bool(filter_config([message], dict(filter_dict), exclude))


# ------------------------------------------------------------------------------------------ tokens


def count_text_tokens(content: Any, model: str = _DEFAULT_MODEL) -> int:
    """Tokens of the texts in `content`; pictures count nothing here."""
    if isinstance(content, str):
        return count_token(content, model)
    if not isinstance(content, list):
        return 0
    return sum(
        count_text_tokens(part if isinstance(part, str) else part.get("text"), model)
        for part in content
    )


def count_message_tokens(message: Mapping[str, Any], model: str = _DEFAULT_MODEL) -> int:
    """Tokens of a message's texts, its calls and its tool results."""
    return count_fixed_tokens(message, model) + count_own_text_tokens(message, model)


def count_fixed_tokens(message: Mapping[str, Any], model: str) -> int:
    """Tokens of a message's calls, which can't be cut."""
    calls = [message.get("function_call"), *(message.get("tool_calls") or ())]
    return sum(
        count_token(json.dumps(call, ensure_ascii=False, default=str), model)
        for call in calls
        if call
    )


def count_own_text_tokens(message: Mapping[str, Any], model: str) -> int:
    """Tokens of the texts that `with_texts` changes."""
    responses = message.get("tool_responses")
    n_tokens = sum(count_text_tokens(r.get("content"), model) for r in responses or ())
    if not responses or message.get("role") != "tool":
        n_tokens += count_text_tokens(message.get("content"), model)
    return n_tokens


def min_tokens_reached(
    messages: Sequence[Mapping[str, Any]], min_tokens: int | None, model: str = _DEFAULT_MODEL
) -> bool:
    """Whether all messages together have at least `min_tokens` tokens."""
    if not min_tokens:
        return True
    return sum(count_message_tokens(message, model) for message in messages) >= min_tokens


def cut_to_tokens(text: str, limit: int, model: str) -> str:
    """The longest beginning of `text` found to have at most `limit` tokens."""
    if limit <= 0:
        return ""
    fits, above = 0, min(len(text), 4 * limit)
    # Tokens are mostly short, so a long text is not counted as a whole to cut a little from it.
    while count_token(text[:above], model) <= limit:
        if above == len(text):
            return text
        fits, above = above, min(len(text), 2 * above)
    while above - fits > 1:
        middle = (fits + above) // 2
        if count_token(text[:middle], model) <= limit:
            fits = middle
        else:
            above = middle
    return text[:fits]


# ------------------------------------------------------------------------------------------- cache


def cache_key(content: Any, *args: Any) -> str:
    """The key of `content` together with what else decides the result."""
    return json.dumps([content, *args], sort_keys=True, ensure_ascii=False, default=str)


def cache_content_get(cache: AbstractCache | None, key: str) -> tuple[Any, int] | None:
    """What was kept under `key`: the content and the tokens saved; None if nothing was."""
    kept = cache.get(key) if cache is not None else None
    return (kept[0], kept[1]) if kept else None


def cache_content_set(cache: AbstractCache | None, key: str, content: Any, *args: Any) -> None:
    """Keep `content`, and what belongs to it, under `key`."""
    if cache is not None:
        cache.set(key, [content, *args])
