"""What OpenAI's clients send, as far as a team can do something with it; the rest is ignored."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ..problems import Problem

__all__ = ["ChatIn", "Conversation", "ResponseIn", "conversation_of", "marked", "run_of_mark"]

_MARK = re.compile(r"\[waiting: run ([^\s\]]{1,200})\]\s*$")

_Text = Annotated[str, Field(min_length=1, max_length=200)]


class _In(BaseModel):
    # Clients send dozens of settings that mean nothing to a team.
    model_config = ConfigDict(extra="ignore")

    model: _Text
    stream: bool | None = None
    metadata: dict[str, Any] | None = None

    @property
    def run_id(self) -> str | None:
        """The run that the client names, or None."""
        found = (self.metadata or {}).get("run_id")
        return found if isinstance(found, str) and found else None


class MessageIn(BaseModel):
    """A message, or another item of a conversation, which has no role."""

    model_config = ConfigDict(extra="ignore")

    role: str = ""
    type: str = "message"
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(BaseModel):
    """How to stream."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class ChatIn(_In):
    """The body of `POST /v1/chat/completions`."""

    messages: list[MessageIn] = Field(min_length=1)
    n: int | None = None
    stream_options: StreamOptions | None = None


class ResponseIn(_In):
    """The body of `POST /v1/responses`."""

    input: str | list[MessageIn]
    instructions: str | None = None
    previous_response_id: str | None = None
    background: bool | None = None


class Conversation(NamedTuple):
    """What was said, as a team takes it.

    Attributes:
        message: The last thing that the client's user said: text, or a message with pictures.
        text: Its text.
        earlier: Role and text of what was said before.
        waiting: The run whose question it answers, as the answer before tells; or None.
    """

    message: str | dict[str, Any]
    text: str
    earlier: list[tuple[str, str]]
    waiting: str | None


def conversation_of(messages: list[MessageIn]) -> Conversation:
    """The conversation of a request.

    Raises:
        Problem: 400; no user says anything, or with parts that no team takes.
    """
    said = [one for one in messages if one.type == "message" and one.role]
    last = next((n for n in reversed(range(len(said))) if said[n].role == "user"), None)
    if last is None:
        raise Problem(400, "there is no message with the role 'user'; it is what the team is told.")
    parts = _parts(said[last].content)
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    earlier = [(one.role, _text(one.content)) for one in said[:last]]
    waiting = run_of_mark(earlier[-1][1]) if earlier and earlier[-1][0] == "assistant" else None
    is_plain = all(part["type"] == "text" for part in parts)
    return Conversation(text if is_plain else {"content": parts}, text, earlier, waiting)


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if isinstance(content, list):
        texts = [part.get("text") for part in content]
        return "\n".join(text for text in texts if isinstance(text, str))
    return content or ""


def _parts(content: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        return [{"type": "text", "text": content or ""}]
    found: list[dict[str, Any]] = []
    for part in content:
        kind, text, url = part.get("type"), part.get("text"), part.get("image_url")
        if kind in ("text", "input_text") and isinstance(text, str):
            found.append({"type": "text", "text": text})
        elif kind == "image_url" and isinstance(url, dict):
            found.append({"type": "image_url", "image_url": url})
        elif kind == "input_image" and isinstance(url, str):
            found.append({"type": "image_url", "image_url": {"url": url}})
        else:
            raise Problem(400, f"teams take texts and pictures, and no part of type {kind!a}.")
    return found


def marked(text: str, run_id: str) -> str:
    """A question, with the mark by which the next request is known to answer it."""
    return f"{text}\n\n[waiting: run {run_id}]"


def run_of_mark(text: str) -> str | None:
    """The run that the end of an answer says is waiting, or None."""
    found = _MARK.search(text)
    return None if found is None else found.group(1)
