"""Groups that most tests of group chats need."""

from __future__ import annotations

from typing import Any

from tests.chat.cast import mute, person, plain, speaker, texts

from autogen import GroupChat, GroupChatManager

__all__ = ["group_of", "lines", "mute", "person", "plain", "said_by", "speaker", "texts"]


def group_of(
    *members: Any, manager: dict[str, Any] | None = None, **fields: Any
) -> tuple[GroupChat, GroupChatManager]:
    """A silent group that speaks in order unless told otherwise, and its manager."""
    group = GroupChat(agents=list(members), **{"speaker_selection_method": "round_robin", **fields})
    return group, GroupChatManager(group, **{"silent": True, **(manager or {})})


def said_by(messages: list[dict[str, Any]]) -> list[Any]:
    """Who said each message."""
    return [message.get("name") for message in messages]


def lines(messages: list[dict[str, Any]]) -> list[tuple[Any, Any, Any]]:
    """(role, name, content) of each message."""
    return [(m.get("role"), m.get("name"), m.get("content")) for m in messages]
