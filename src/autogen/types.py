"""Types of message content."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

__all__ = [
    "MessageContentType",
    "UserMessageImageContentPart",
    "UserMessageTextContentPart",
]

#: Text, content parts, or nothing beside a call.
MessageContentType: TypeAlias = str | list[dict[str, Any] | str] | None


class UserMessageTextContentPart(TypedDict):
    """A part of a message that is text."""

    type: Literal["text"]
    text: str


class UserMessageImageContentPart(TypedDict):
    """A part of a message that is a picture: `{"url": ...}`, where the URL may hold the data."""

    type: Literal["image_url"]
    image_url: dict[str, str]
