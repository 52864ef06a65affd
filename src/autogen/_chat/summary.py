"""What a chat came to, in words."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from .._kernel.ops import Call
from .._kernel.record import recorded
from ..errors import BadRequest, UsageError
from .model import said_by

__all__ = [
    "DEFAULT_PROMPT",
    "by_method",
    "check_summary",
    "last_message_text",
    "reflect",
    "summarize",
]

DEFAULT_PROMPT = (
    "Say in a few sentences what this conversation came to: the result, the facts it rests on, "
    "and what is still open. Do not greet and do not comment on the conversation itself."
)

_METHODS_TEXT = (
    "summary_method must be a string chosen from 'reflection_with_llm' or 'last_msg' "
    "or a callable, or None."
)
_NO_CLIENT_TEXT = (
    "llm client must be set in either the recipient or sender when summary_method "
    "is reflection_with_llm."
)


def check_summary(method: Any, initiator: Any, recipient: Any) -> None:
    """Raise AssertionError unless a summary by `method` can be made."""
    if method is not None and not callable(method):
        if method not in ("last_msg", "reflection_with_llm"):
            raise AssertionError(_METHODS_TEXT)
        if method == "reflection_with_llm" and _client(initiator, recipient) is None:
            raise AssertionError(_NO_CLIENT_TEXT)


def _client(initiator: Any, recipient: Any) -> Any:
    return getattr(recipient, "client", None) or getattr(initiator, "client", None)


async def summarize(
    initiator: Any,
    recipient: Any,
    *,
    method: str | Callable[..., Any] | None,
    args: Mapping[str, Any],
    cache: Any,
) -> Any:
    """The summary of the chat between the two, by `method` or by the initiator's own way."""
    own = getattr(initiator, "_summarize_chat", None)
    if own is None or getattr(own, "__plain__", False):
        return await by_method(initiator, recipient, method=method, args=args, cache=cache)
    given = (method, {**args}, recipient, cache)
    return await recorded("summary", lambda: Call(own, None, given))


async def by_method(
    initiator: Any,
    recipient: Any,
    *,
    method: str | Callable[..., Any] | None,
    args: Mapping[str, Any],
    cache: Any,
) -> Any:
    """The summary of the chat between the two, by `method`."""
    if method is None:
        return ""
    if method == "last_msg":
        return last_message_text(initiator, recipient)
    if method == "reflection_with_llm":
        return await reflect(initiator, recipient, args, cache)
    assert callable(method)
    own = {**args} if cache is None else {"cache": cache, **args}
    make = method
    return await recorded("summary", lambda: Call(make, None, (initiator, recipient, own)))


def last_message_text(initiator: Any, recipient: Any) -> str:
    """The recipient's last message with the initiator, every TERMINATE taken out."""
    try:
        content = recipient.last_message(initiator)["content"]
        if isinstance(content, list):
            content = "\n".join(
                part["text"] for part in content if isinstance(part, dict) and "text" in part
            )
        return "" if content is None else content.replace("TERMINATE", "")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        warnings.warn(f"no last message to summarise the chat with: {error!r}.", stacklevel=2)
        return ""


def _own_prompt(agent: Any) -> Any:
    """The prompt that the class of `agent` asks with, if it is not everybody's."""
    prompt = getattr(agent, "DEFAULT_SUMMARY_PROMPT", DEFAULT_PROMPT)
    return None if prompt == DEFAULT_PROMPT else prompt


async def reflect(initiator: Any, recipient: Any, args: Mapping[str, Any], cache: Any) -> str:
    """A model's summary of what the recipient heard and said."""
    prompt = args.get("summary_prompt")
    if prompt is None:
        prompt = _own_prompt(recipient) or _own_prompt(initiator) or DEFAULT_PROMPT
    if not isinstance(prompt, str):
        raise UsageError(f"summary_prompt is {prompt!r}; it must be a string.")
    role = args.get("summary_role") or "system"
    if not isinstance(role, str):
        raise UsageError(f"summary_role is {role!r}; it must be a string.")
    transcript = recipient.chat_messages_for_summary(initiator)
    asked = [{"role": role, "content": prompt}]
    client = _client(initiator, recipient)
    try:
        text = await said_by(
            client,
            transcript,
            last=asked,
            agent=recipient,
            cache=args.get("cache", cache),
            asker=initiator,
        )
    except BadRequest as error:
        warnings.warn(f"the chat could not be summarised by the model: {error}", stacklevel=2)
        return ""
    return text if isinstance(text, str) else str((text or {}).get("content") or "")
