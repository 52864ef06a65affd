"""Nested chats: an agent answers by talking with others first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._kernel.ops import Call
from .._kernel.record import recorded
from ..errors import UsageError
from ..messages import content_str
from .sequence import initiate_chats, initiate_chats_by_id, sent_by

__all__ = ["chats_to_run", "check_queue", "nested_reply", "summary_from_nested_chats"]


def check_queue(chat_queue: Sequence[dict[str, Any]], *, use_async: bool | None) -> None:
    """Raise if chats that are to run side by side have no ids, or one carries no known history."""
    for entry in chat_queue:
        n: Any = entry.get("carry_history")
        if isinstance(n, bool) or (n < 1 if isinstance(n, int) else n not in (None, "all")):
            raise UsageError(
                f"carry_history is {n!r}; it must be 'all' or a whole number of messages >= 1."
            )
    if use_async and any(entry.get("chat_id") is None for entry in chat_queue):
        raise UsageError("chat_id is required for async nested chats")


async def chats_to_run(
    chat_queue: Sequence[dict[str, Any]],
    recipient: Any,
    messages: Sequence[dict[str, Any]] | None,
    sender: Any,
    config: Any,
) -> list[dict[str, Any]]:
    """The entries that have something to say, each with its message and sender; all are copies."""
    heard = recipient.chat_messages[sender] if messages is None and sender is not None else messages
    chats = [
        await _prepared(entry, recipient, heard or [], sender, config, is_first=i == 0)
        for i, entry in enumerate(chat_queue)
    ]
    return [chat for chat in chats if chat["message"]]


async def summary_from_nested_chats(
    chat_queue: Sequence[dict[str, Any]],
    recipient: Any,
    messages: Sequence[dict[str, Any]] | None,
    sender: Any,
    config: Any,
    *,
    use_async: bool = False,
) -> tuple[bool, Any]:
    """The summary of the last chat of the queue, as the reply."""
    entries = await chats_to_run(chat_queue, recipient, messages, sender, config)
    if not entries:
        return True, None
    if use_async:
        results = await initiate_chats_by_id(entries)
        return True, results[entries[-1]["chat_id"]].summary
    return True, (await initiate_chats(entries))[-1].summary


async def _prepared(
    entry: dict[str, Any],
    recipient: Any,
    messages: Sequence[dict[str, Any]],
    sender: Any,
    config: Any,
    *,
    is_first: bool,
) -> dict[str, Any]:
    (chat,) = sent_by(recipient, [entry])
    message = chat.get("message")
    if message is None and is_first and messages:
        message = messages[-1].get("content")
    if callable(message):
        make = message
        message = await recorded(
            "message", lambda: Call(make, None, (recipient, messages, sender, config))
        )
    if isinstance(message, list):
        message = {"content": message}
    n_history = chat.pop("carry_history", None)
    if message and n_history is not None:
        message = _with_history(message, messages, n_history)
    chat["message"] = message
    return chat


def _with_history(message: Any, messages: Sequence[dict[str, Any]], n: int | str) -> Any:
    """`message` after the conversation that led to it."""
    earlier = messages[:-1] if isinstance(n, str) else messages[:-1][-n:]
    lines = [f"{m.get('name') or m.get('role')}: {content_str(m.get('content'))}" for m in earlier]
    if not lines:
        return message
    text = "The conversation so far:\n" + "\n".join(lines) + "\n\n"
    if isinstance(message, str):
        return text + message
    if not isinstance(message, dict):
        return [{"type": "text", "text": text}, *message]
    content = message.get("content")
    return {**message, "content": _with_history(content, messages, n) if content else text}


def nested_reply(
    chat_queue: Sequence[dict[str, Any]], reply_func: Callable[..., Any] | None, *, use_async: bool
) -> Callable[..., Any]:
    """A core coroutine that answers from nested chats, or through the user's own function."""

    async def core(
        recipient: Any, messages: Any = None, sender: Any = None, config: Any = None
    ) -> Any:
        if reply_func is not None:
            args = (chat_queue, recipient, messages, sender, config)
            if use_async:
                return await Call(None, reply_func, args)
            return await Call(reply_func, None, args)
        return await summary_from_nested_chats(
            chat_queue, recipient, messages, sender, config, use_async=use_async
        )

    core.__name__ = "_nested_chats_reply"
    return core
