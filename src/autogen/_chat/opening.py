"""The first message of a chat: given, made by a function, or typed; with what is carried over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel.ops import Call
from .._kernel.record import recorded
from ..errors import InvalidCarryOverType, UsageTypeError
from ..limits.spending import waiting_for_people
from .state import current_chat
from .steps import asked

__all__ = ["generate_init_message", "opening_message", "with_carryover"]

_CONTEXT = "\nContext: \n"


async def opening_message(
    initiator: Any, recipient: Any, message: Any, context: Mapping[str, Any]
) -> Any:
    """What `initiator` says first. What a function makes is sent as it is, without carryover."""
    if callable(message):
        made = await recorded(
            "message", lambda: Call(message, None, (initiator, recipient, dict(context)))
        )
        if made is not None and not isinstance(made, str | dict):
            raise UsageTypeError(
                f"the message function gave {type(made).__name__}; it must return a str or a dict."
            )
        return made
    return await asked("message", initiator, "generate_init_message")(message, **context)


async def generate_init_message(agent: Any, message: Any, context: Mapping[str, Any]) -> Any:
    """`message` with the carryover; None asks a person."""
    if message is None:
        with waiting_for_people():
            message = await asked("human", agent, "get_human_input")(">")
        chat = current_chat()
        if chat is not None:
            chat.heard(message)
    return with_carryover(message, context.get("carryover"))


def with_carryover(message: Any, carryover: Any) -> Any:
    """`message` with earlier results as its context; the caller's objects are not changed.

    Raises:
        InvalidCarryOverType: `carryover` is neither text nor a list.
    """
    if not carryover:
        return message
    text = _CONTEXT + _text_of(carryover)
    if isinstance(message, str):
        return message + text
    if isinstance(message, dict):
        content = message.get("content")
        if isinstance(content, list):
            return {**message, "content": [{"type": "text", "text": text}, *content]}
        return {**message, "content": (content or "") + text}
    return message


def _text_of(carryover: Any) -> str:
    if isinstance(carryover, str):
        return carryover
    if isinstance(carryover, list):
        return "\n".join(map(_item_text, carryover))
    raise InvalidCarryOverType()


def _item_text(item: Any) -> str:
    if isinstance(item, dict) and "content" in item:
        return str(item["content"])
    return str(item)
