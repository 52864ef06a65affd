"""Chats in a row and the results of chats, under their 0.2 module path."""

from __future__ import annotations

from typing import Any

from .._chat.sequence import initiate_chats as _in_order
from .._chat.sequence import initiate_chats_by_id
from .._chat.state import ChatResult
from .._kernel import late
from .._kernel.drive import drive_sync

__all__ = ["ChatResult", "Prerequisite", "a_initiate_chats", "initiate_chats"]

#: (the id of a chat, the id of one that it waits for).
Prerequisite = tuple[int, int]


def initiate_chats(chat_queue: list[dict[str, Any]]) -> list[ChatResult]:
    """Run chats one after the other, each hearing what the earlier ones came to.

    Args:
        chat_queue: The arguments of `initiate_chat` each, with `sender` and `recipient`;
            `finished_chat_indexes_to_exclude_from_carryover` leaves results out. Not changed.

    Raises:
        AssertionError: An entry has no sender or no recipient.
    """
    return drive_sync(_in_order(chat_queue))


async def a_initiate_chats(chat_queue: list[dict[str, Any]]) -> dict[int, ChatResult]:
    """Run chats side by side, each as soon as its prerequisites have ended; results by `chat_id`.

    Args:
        chat_queue: As for `initiate_chats`, with a `chat_id` each and `prerequisites`, a list of
            the ids to wait for, whose summaries alone a chat hears.

    Raises:
        AssertionError: An entry has no sender or no recipient.
        UsageError: An id is missing or used twice, or the prerequisites can't work.
    """
    return await late.drive_async(initiate_chats_by_id(chat_queue))
