"""Chats in a row, or as their prerequisites allow, each hearing what earlier ones came to."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._kernel.faces import point
from .._kernel.ops import Gather
from ..errors import InvalidCarryOverType, UsageError
from ..human.stream import IOStream
from .state import ChatResult, is_silent
from .summary import check_summary

__all__ = ["initiate_chats", "initiate_chats_by_id", "sent_by"]

_NO_MESSAGE = (
    "the chat of {sender!r} with {recipient!r} has no 'message'; a person will be asked for it. "
    "Give message=None to say that this is meant."
)


def sent_by(agent: Any, queue: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies of the entries, those without a sender with `agent` as theirs."""
    return [
        {**entry, "sender": agent if entry.get("sender") is None else entry["sender"]}
        for entry in queue
    ]


async def initiate_chats(queue: Sequence[Mapping[str, Any]]) -> list[ChatResult]:
    """Run chats in order; each hears the summaries of all before it.

    Raises:
        AssertionError: An entry lacks `sender` or `recipient`, or its summary can't be made.
    """
    _check(queue)
    _warn_of_shared_recipients(queue)
    results: list[ChatResult] = []
    for entry in queue:
        left_out = entry.get("finished_chat_indexes_to_exclude_from_carryover") or ()
        summaries = [r.summary for i, r in enumerate(results) if i not in left_out]
        results.append(await _run(entry, summaries))
    return results


async def initiate_chats_by_id(queue: Sequence[Mapping[str, Any]]) -> dict[Any, ChatResult]:
    """Run chats side by side, each as soon as its prerequisites have ended; results by `chat_id`.

    A chat hears the summaries of its prerequisites only.

    Raises:
        AssertionError: An entry lacks `sender` or `recipient`, or its summary can't be made.
        UsageError: An id is missing or used twice, or the prerequisites name an unknown chat, are
            no whole numbers, or go round in a circle.
    """
    _check(queue)
    _warn_of_shared_recipients(queue)
    ids = _ids(queue)
    after = [_prerequisites(entry, ids) for entry in queue]
    _check_circle([entry["chat_id"] for entry in queue], after)
    done: dict[Any, ChatResult] = {}

    async def run(entry: Mapping[str, Any]) -> None:
        left_out = entry.get("finished_chat_indexes_to_exclude_from_carryover") or ()
        wanted = [i for i in entry.get("prerequisites") or () if i not in left_out]
        result = await _run(entry, [done[i].summary for i in wanted])
        result.chat_id = entry["chat_id"]
        done[entry["chat_id"]] = result

    await Gather([run(entry) for entry in queue], after)
    return {entry["chat_id"]: done[entry["chat_id"]] for entry in queue}


def _check(queue: Sequence[Mapping[str, Any]]) -> None:
    for i, entry in enumerate(queue):
        for key in ("sender", "recipient"):
            if entry.get(key) is None:
                raise AssertionError(f"chat {i} of the queue has no {key!r}; every chat needs one.")
    # Before the first of them has cost anything.
    for entry in queue:
        check_summary(entry.get("summary_method"), entry["sender"], entry["recipient"])


def _warn_of_shared_recipients(queue: Sequence[Mapping[str, Any]]) -> None:
    if len({id(entry["recipient"]) for entry in queue}) < len(queue):
        warnings.warn(
            "several chats of the queue have the same recipient; its history is cleared before "
            "each unless the entry says clear_history=False.",
            UserWarning,
            stacklevel=2,
        )


def _ids(queue: Sequence[Mapping[str, Any]]) -> dict[Any, int]:
    ids: dict[Any, int] = {}
    for i, entry in enumerate(queue):
        if entry.get("chat_id") is None:
            raise UsageError(f"chat {i} of the queue has no 'chat_id'; async chats need one each.")
        if entry["chat_id"] in ids:
            raise UsageError(
                f"the chat_id {entry['chat_id']!r} is used twice; each chat needs its own."
            )
        ids[entry["chat_id"]] = i
    return ids


def _prerequisites(entry: Mapping[str, Any], ids: Mapping[Any, int]) -> set[int]:
    wanted = entry.get("prerequisites") or ()
    if not isinstance(wanted, list | tuple | set | frozenset):
        raise UsageError(f"the prerequisites {wanted!r} are no list of chat ids.")
    for one in wanted:
        if not isinstance(one, int) or isinstance(one, bool):
            raise UsageError(
                f"the prerequisite {one!r} is no chat id; prerequisites are whole numbers."
            )
        if one not in ids:
            raise UsageError(
                f"chat {entry['chat_id']!r} waits for chat {one!r}, which is not in the queue; its "
                f"ids are {sorted(ids, key=str)}."
            )
    return {ids[one] for one in wanted}


def _check_circle(names: Sequence[Any], after: Sequence[set[int]]) -> None:
    left = {i: set(ones) for i, ones in enumerate(after)}
    while ready := [i for i, ones in left.items() if not ones]:
        for i in ready:
            del left[i]
        for ones in left.values():
            ones.difference_update(ready)
    if left:
        circle, at = [], next(iter(left))
        while at not in circle:
            circle.append(at)
            at = next(k for k in left[at] if k in left)
        circle = [*circle[circle.index(at) :], at]
        path = " -> ".join(repr(names[i]) for i in circle)
        raise UsageError(
            f"the prerequisites go round in a circle: {path}; no chat of it can start."
        )


async def _run(entry: Mapping[str, Any], summaries: Iterable[Any]) -> ChatResult:
    chat = dict(entry)
    own = chat.get("carryover") or []
    if not isinstance(own, str | list | tuple):
        raise InvalidCarryOverType()
    chat["carryover"] = [*([own] if isinstance(own, str) else own), *summaries]
    sender = chat["sender"]
    if "message" not in chat:
        warnings.warn(
            _NO_MESSAGE.format(sender=sender.name, recipient=chat["recipient"].name),
            UserWarning,
            stacklevel=2,
        )
    if not is_silent(sender, chat.get("silent")):
        _announce(chat)
    result: ChatResult = await point(sender, "initiate_chat")(**chat)
    return result


def _announce(chat: Mapping[str, Any]) -> None:
    stream = IOStream.get_default()
    rule = "*" * 80
    stream.print(f"\n{rule}\n{chat['sender'].name} starts a chat with {chat['recipient'].name}.")
    if chat.get("verbose"):
        message = chat.get("message")
        stream.print(f"Message:\n{getattr(message, '__name__', message)}")
        carryover = "\n".join(str(item) for item in chat["carryover"])
        stream.print(f"Carryover:\n{carryover}")
    stream.print(rule, flush=True)
