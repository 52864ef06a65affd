"""Transforms for `TransformMessages`: fewer messages, fewer tokens, shorter texts, names in texts.

No transform takes a tool call from its results or a result from its call.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, Protocol, runtime_checkable

from ....cache.base import AbstractCache
from ....cache.in_memory_cache import InMemoryCache
from ....errors import UsageError
from ....human.stream import IOStream
from ....token_count_utils import get_max_token_limit
from . import transforms_util
from .text_compressors import LLMLingua, TextCompressor
from .transforms_util import Block, blocks, cut_to_tokens, with_texts

__all__ = [
    "MessageHistoryLimiter",
    "MessageTokenLimiter",
    "MessageTransform",
    "TextMessageCompressor",
    "TextMessageContentName",
]


@runtime_checkable
class MessageTransform(Protocol):
    """One step between what was said and what a model sees."""

    def apply_transform(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages to see instead of `messages`, which are a copy."""
        ...

    def get_logs(
        self,
        pre_transform_messages: list[dict[str, Any]],
        post_transform_messages: list[dict[str, Any]],
    ) -> tuple[str, bool]:
        """What the step did, in words, and whether it did anything."""
        ...


# ---------------------------------------------------------------------------------------- messages


class MessageHistoryLimiter:
    """Show the newest messages only.

    A call counts with its results and is shown with all of them, or not at all; the newest message
    is shown with its call even where the two are more than `max_messages`.

    Args:
        max_messages: How many at most; None for all.
        keep_first_message: The first message is one of them.

    Raises:
        UsageError: `max_messages` is less than 1.
    """

    def __init__(self, max_messages: int | None = None, keep_first_message: bool = False):
        transforms_util.check_whole("max_messages", max_messages)
        if max_messages is not None and max_messages < 1:
            raise UsageError(f"max_messages is {max_messages!r}; it must be None or at least 1.")
        self._max_messages = max_messages
        self._keep_first_message = keep_first_message

    def apply_transform(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The newest of `messages`, in order."""
        if self._max_messages is None or len(messages) <= self._max_messages:
            return messages
        rest = blocks(messages)
        first: Block = rest.pop(0) if self._keep_first_message and rest else []
        n_left = self._max_messages - len(first)
        kept: list[Block] = []
        while rest and n_left > 0 and (len(rest[-1]) <= n_left or not kept):
            kept.append(rest.pop())
            n_left -= len(kept[-1])
        return [*first, *(message for block in reversed(kept) for message in block)]

    def get_logs(
        self,
        pre_transform_messages: list[dict[str, Any]],
        post_transform_messages: list[dict[str, Any]],
    ) -> tuple[str, bool]:
        """How many messages are not shown."""
        before, after = len(pre_transform_messages), len(post_transform_messages)
        if after < before:
            return f"{before - after} of {before} messages left out; {after} remain.", True
        return "No messages were left out.", False


# ------------------------------------------------------------------------------------------ tokens


class MessageTokenLimiter:
    """Show at most so many tokens: of each message first, then of all, the newest first.

    The oldest message that still has room is cut to what is left; those before it are left out.
    Texts are cut at their end, in tool results too; pictures stay and do not count. A call counts
    and is never cut: it is shown with all its results, or not at all.

    Args:
        max_tokens_per_message: Tokens of one message's texts; None for no limit.
        max_tokens: Tokens of all messages; None for no limit.
        min_tokens: Below so many tokens of all messages nothing is changed.
        model: Whose tokens are counted.
        filter_dict: Key of a message to the values that are meant.
        exclude_filter: The messages meant are left as they are; False: only they are limited. What
            is left as it is counts towards `max_tokens`.

    Raises:
        UsageError: A negative number, or `min_tokens` above `max_tokens`.
    """

    def __init__(
        self,
        max_tokens_per_message: int | None = None,
        max_tokens: int | None = None,
        min_tokens: int | None = None,
        model: str = "gpt-3.5-turbo-0613",
        filter_dict: Mapping[str, Any] | None = None,
        exclude_filter: bool = True,
    ):
        for name, limit in (
            ("max_tokens_per_message", max_tokens_per_message),
            ("max_tokens", max_tokens),
            ("min_tokens", min_tokens),
        ):
            transforms_util.check_whole(name, limit)
            if limit is not None and limit < 0:
                raise UsageError(f"{name} is {limit!r}; it must be None or at least 0.")
        if min_tokens is not None and max_tokens is not None and min_tokens > max_tokens:
            raise UsageError(
                f"min_tokens is {min_tokens!r} and max_tokens {max_tokens!r}; min_tokens must not "
                "be more than max_tokens."
            )
        self._model = model
        self._max_tokens_per_message = _limit(max_tokens_per_message)
        self._max_tokens = _limit(max_tokens)
        self._min_tokens = min_tokens or 0
        self._filter_dict = filter_dict
        self._exclude_filter = exclude_filter
        self._tell_if_useless(max_tokens_per_message, max_tokens)

    def _tell_if_useless(self, *limits: int | None) -> None:
        try:
            window = get_max_token_limit(self._model)
        except KeyError:
            return
        for limit in limits:
            if limit is not None and limit > window:
                IOStream.get_default().print(
                    f"The limit of {limit} tokens is more than {self._model} takes ({window})."
                )

    def apply_transform(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages, cut and left out as the limits want."""
        if not transforms_util.min_tokens_reached(messages, self._min_tokens, self._model):
            return messages
        if not self._is_above(messages):
            return messages
        whole = blocks(messages)
        protected = [any(not self._is_limited(m) for m in block) for block in whole]
        n_left = self._max_tokens - sum(
            self._count(m)
            for block, is_kept in zip(whole, protected, strict=True)
            if is_kept
            for m in block
        )
        kept: list[Block] = []
        is_full = False
        for i in reversed(range(len(whole))):
            if protected[i]:
                kept.append(whole[i])
            elif not is_full:
                block = [self._cut(m, self._max_tokens_per_message) for m in whole[i]]
                size = sum(map(self._count, block))
                is_full = size > n_left
                if is_full:
                    is_newest = i == len(whole) - 1 and self._max_tokens > 0
                    block = self._squeezed(block, n_left, is_needed=is_newest)
                n_left -= size
                kept.append(block)
        return [message for block in reversed(kept) for message in block]

    def _is_above(self, messages: list[dict[str, Any]]) -> bool:
        counts = [self._count(message) for message in messages]
        return sum(counts) > self._max_tokens or any(
            count > self._max_tokens_per_message for count in counts
        )

    def _is_limited(self, message: dict[str, Any]) -> bool:
        return transforms_util.should_transform_message(
            message, self._filter_dict, self._exclude_filter
        )

    def _count(self, message: Mapping[str, Any]) -> int:
        return transforms_util.count_message_tokens(message, self._model)

    def _squeezed(self, block: Block, n_left: int, *, is_needed: bool) -> Block:
        """`block` with its texts cut to what is left; empty where that leaves no text at all.

        Where it `is_needed` its messages are there even without text: a request without the newest
        message has no question.
        """
        room = n_left - sum(transforms_util.count_fixed_tokens(m, self._model) for m in block)
        whole_room = room
        made = []
        for message in block:
            made.append(self._cut(message, room))
            room -= transforms_util.count_own_text_tokens(made[-1], self._model)
        return made if room < whole_room or is_needed else []

    def _cut(self, message: dict[str, Any], n_tokens: int) -> dict[str, Any]:
        left = n_tokens

        def cut(text: str) -> str:
            nonlocal left
            short = cut_to_tokens(text, left, self._model)
            left -= transforms_util.count_text_tokens(short, self._model)
            return short

        return with_texts(message, cut)

    def get_logs(
        self,
        pre_transform_messages: list[dict[str, Any]],
        post_transform_messages: list[dict[str, Any]],
    ) -> tuple[str, bool]:
        """How many tokens are not shown."""
        before = sum(map(self._count, pre_transform_messages))
        after = sum(map(self._count, post_transform_messages))
        if after < before:
            return f"{before - after} of {before} tokens cut; {after} remain.", True
        return "No tokens were cut.", False


def _limit(tokens: int | None) -> int:
    return sys.maxsize if tokens is None else tokens


# ----------------------------------------------------------------------------------------- texts


class TextMessageCompressor:
    """Show shorter texts, made by a `TextCompressor`.

    Args:
        text_compressor: Makes them; by default `LLMLingua`, which needs the package of that name.
        min_tokens: Below so many tokens of all messages nothing is changed.
        compression_params: Handed to each `compress_text`.
        cache: Keeps what was made of each text; by default as long as this object lives.
        filter_dict: Key of a message to the values that are meant.
        exclude_filter: The messages meant are left as they are; False: only they are compressed.

    Raises:
        UsageError: `min_tokens` is negative, or there is no compressor.
    """

    def __init__(
        self,
        text_compressor: TextCompressor | None = None,
        min_tokens: int | None = None,
        compression_params: Mapping[str, Any] | None = None,
        cache: AbstractCache | None = None,
        filter_dict: Mapping[str, Any] | None = None,
        exclude_filter: bool = True,
    ):
        if min_tokens is not None and min_tokens < 0:
            raise UsageError(f"min_tokens is {min_tokens!r}; it must be None or at least 0.")
        self._text_compressor = LLMLingua() if text_compressor is None else text_compressor
        self._min_tokens = min_tokens
        self._compression_params = dict(compression_params or {})
        self._cache: AbstractCache = InMemoryCache() if cache is None else cache
        self._filter_dict = filter_dict
        self._exclude_filter = exclude_filter
        self._n_saved = 0

    def apply_transform(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages with their texts compressed."""
        self._n_saved = 0
        if not transforms_util.min_tokens_reached(messages, self._min_tokens):
            return messages
        return [
            with_texts(message, self._compressed)
            if transforms_util.should_transform_message(
                message, self._filter_dict, self._exclude_filter
            )
            else message
            for message in messages
        ]

    def _compressed(self, text: str) -> str:
        if not text:
            return text
        key = transforms_util.cache_key(text, self._compression_params)
        made = transforms_util.cache_content_get(self._cache, key)
        if made is None:
            answer = self._text_compressor.compress_text(text, **self._compression_params)
            saved = answer.get("origin_tokens", 0) - answer.get("compressed_tokens", 0)
            made = answer["compressed_prompt"], saved
            transforms_util.cache_content_set(self._cache, key, *made)
        self._n_saved += made[1]
        return str(made[0])

    def get_logs(
        self,
        pre_transform_messages: list[dict[str, Any]],
        post_transform_messages: list[dict[str, Any]],
    ) -> tuple[str, bool]:
        """How many tokens the last compression saved, by the compressor's own count."""
        if self._n_saved > 0:
            return f"{self._n_saved} tokens saved by compressing texts.", True
        return "No tokens were saved by compressing texts.", False


class TextMessageContentName:
    """Put the speaker's name into the text, for models that do not see the `name` of a message.

    Results of tools stay as the tools gave them.

    Args:
        position: "start" or "end" of the text.
        format_string: What is put there; has `{name}`.
        deduplicate: Leave texts alone that have it there already.
        filter_dict: Key of a message to the values that are meant.
        exclude_filter: The messages meant are left as they are; False: only they are changed.

    Raises:
        UsageError: Another position, or a format without `{name}`.
    """

    def __init__(
        self,
        position: Literal["start", "end"] = "start",
        format_string: str = "{name}:\n",
        deduplicate: bool = True,
        filter_dict: Mapping[str, Any] | None = None,
        exclude_filter: bool = True,
    ):
        given: Any = position, format_string
        if given[0] not in ("start", "end"):
            raise UsageError(f"position is {position!r}; it must be 'start' or 'end'.")
        if not isinstance(given[1], str) or "{name}" not in format_string:
            raise UsageError(
                f"format_string is {format_string!r}; it must be text with '{{name}}'."
            )
        self._position = position
        self._format_string = format_string
        self._deduplicate = deduplicate
        self._filter_dict = filter_dict
        self._exclude_filter = exclude_filter
        self._n_changed = 0

    def apply_transform(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages, each text with the name of who said it."""
        made = [self._named(message) for message in messages]
        self._n_changed = sum(a is not b for a, b in zip(made, messages, strict=True))
        return made

    def _named(self, message: dict[str, Any]) -> dict[str, Any]:
        content, name = message.get("content"), message.get("name")
        if (
            not isinstance(name, str)
            or not name
            or message.get("role") in ("tool", "function")
            or not transforms_util.is_content_right_type(content)
            or transforms_util.is_content_text_empty(content or "")
            or not transforms_util.should_transform_message(
                message, self._filter_dict, self._exclude_filter
            )
        ):
            return message
        mark = self._format_string.format(name=name)
        changed = self._marked(content, mark)
        return message if changed is content else {**message, "content": changed}

    def _marked(self, content: Any, mark: str) -> Any:
        is_start = self._position == "start"
        if isinstance(content, str):
            has_it = content.startswith(mark) if is_start else content.endswith(mark)
            if has_it and self._deduplicate:
                return content
            return mark + content if is_start else content + mark
        texts = [i for i, part in enumerate(content) if isinstance(part, dict) and part.get("text")]
        at = texts[0 if is_start else -1]
        text = content[at]["text"]
        marked = self._marked(text, mark)
        if marked is text:
            return content
        return [*content[:at], {**content[at], "text": marked}, *content[at + 1 :]]

    def get_logs(
        self,
        pre_transform_messages: list[dict[str, Any]],
        post_transform_messages: list[dict[str, Any]],
    ) -> tuple[str, bool]:
        """How many texts the last transform put a name into."""
        if self._n_changed:
            return f"{self._n_changed} message(s) got the name of their speaker.", True
        return "No message got the name of its speaker.", False
