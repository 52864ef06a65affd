"""Hooks: functions of the user that see and may change messages on their way."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from typing import Any

from .._kernel.faces import is_face, point
from .._kernel.ops import Call, Flavour
from ..errors import UsageTypeError
from ..messages import Message
from .state import is_silent

__all__ = [
    "HOOK_NAMES",
    "all_before_reply",
    "before_reply",
    "before_send",
    "is_misplaced",
    "last_received",
    "reshapes",
]

_NAMES = (
    "process_last_received_message",
    "process_all_messages_before_reply",
    "process_message_before_send",
)
#: Every point a hook can be registered at; `a_` names are for coroutine functions.
HOOK_NAMES = tuple(prefix + name for name in _NAMES for prefix in ("", "a_"))


def is_misplaced(name: str, hook: Callable[..., Any]) -> bool:
    """Whether a coroutine function stands at a sync name or the other way round."""
    return inspect.iscoroutinefunction(hook) != name.startswith("a_")


async def _registered(agent: Any, name: str) -> list[tuple[str, Callable[..., Any]]]:
    """The hooks at `name`, whichever flavour they were registered in.

    A hook that stands there in both flavours, as `x` and `a_x`, was meant once for each face.
    """
    lists: Mapping[str, list[Callable[..., Any]]] = agent.hook_lists
    sync = [h for h in lists.get(name, ()) if not is_misplaced(name, h)]
    async_ = [h for h in lists.get(f"a_{name}", ()) if not is_misplaced(f"a_{name}", h)]
    twins = {_spelt(h) for h in sync} & {_spelt(h) for h in async_}
    if twins:
        one_of = sync if await Flavour() == "async" else async_
        left_out = [h for h in one_of if _spelt(h) in twins]
        sync = [h for h in sync if h not in left_out]
        async_ = [h for h in async_ if h not in left_out]
    return [("sync", h) for h in sync] + [("async", h) for h in async_]


def _spelt(hook: Callable[..., Any]) -> tuple[Any, str]:
    """What a hook and its twin have in common: whose it is, and its name without `a_`."""
    name = getattr(hook, "__name__", repr(hook)).removeprefix("a_")
    return id(getattr(hook, "__self__", None)), name


def _name(hook: Callable[..., Any]) -> str:
    name: str = getattr(hook, "__qualname__", repr(hook))
    return name


def _called(flavour: str, hook: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]:
    core = getattr(hook, "__core__", None)
    if core is not None and hasattr(hook, "__self__"):
        # A face of ours: its core needs no driver of its own.
        awaited: Awaitable[Any] = core(hook.__self__, *args, **kwargs)
        return awaited
    if flavour == "sync":
        return Call(hook, None, args, kwargs, "inline")
    return Call(None, hook, args, kwargs)


async def before_send(agent: Any, message: Any, recipient: Any, silent: bool) -> Any:
    """`message` as the hooks want it sent."""
    name = "process_message_before_send"
    silent = is_silent(agent, silent)
    for flavour, hook in await _registered(agent, name):
        message = await _called(
            flavour, hook, sender=agent, message=message, recipient=recipient, silent=silent
        )
        _check_given(message, agent, name, hook, "the message to send")
    return message


def _check_given(made: Any, agent: Any, name: str, hook: Callable[..., Any], wanted: str) -> None:
    """Refuse the None of a hook that changes what it was given and forgets to return it."""
    if made is None:
        raise UsageTypeError(
            f"the hook {_name(hook)} of {agent.name!r} at {name} gave None; it must return "
            f"{wanted}."
        )


def reshapes(agent: Any) -> bool:
    """Whether a method of the user's takes the place of the hooks before a reply."""
    return not (
        is_face(agent.process_last_received_message)
        and is_face(agent.process_all_messages_before_reply)
        and is_face(agent.a_process_last_received_message)
        and is_face(agent.a_process_all_messages_before_reply)
    )


async def before_reply(agent: Any, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`messages` as hooks and overrides want them answered. The stored history is not changed."""
    if reshapes(agent):
        # Theirs to change: what is stored stays as it was said.
        messages = [copy(message) for message in messages]
    for name in ("process_last_received_message", "process_all_messages_before_reply"):
        messages = await point(agent, name)(messages)
    return messages


async def all_before_reply(agent: Any, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`messages` as the hooks at `process_all_messages_before_reply` want them."""
    name = "process_all_messages_before_reply"
    hooks = await _registered(agent, name)
    if hooks:
        # Theirs to change: what is stored stays as it was said.
        messages = [copy(message) for message in messages]
    for flavour, hook in hooks:
        messages = await _called(flavour, hook, messages)
        _check_given(messages, agent, name, hook, "the messages to answer")
    return messages


async def last_received(agent: Any, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`messages` with the last one as the hooks at `process_last_received_message` want it."""
    name = "process_last_received_message"
    hooks = await _registered(agent, name)
    if not hooks or not messages:
        return messages
    last = messages[-1]
    given = last.get("content")
    if "function_call" in last or "context" in last or not isinstance(given, str | list):
        return messages
    if not given or given == "exit":
        return messages
    content = given
    for flavour, hook in hooks:
        content = await _called(flavour, hook, content)
        _check_given(content, agent, name, hook, "the content to answer")
    if content == given:
        return messages
    changed = Message(last)
    changed["content"] = content
    return [*messages[:-1], changed]
