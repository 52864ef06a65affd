"""`Speech`: what agents say, out of the events of a run, one after the other.

Live text is told as it comes. A stored message ends it, and brings whatever of it did not come
live; messages of others wait until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from ...events import Event
from .answers import clean

__all__ = ["Said", "Speech", "text_of_content", "text_of_message"]

_Key: TypeAlias = tuple[str | None, str | None]


class Said(NamedTuple):
    """A piece of what an agent says.

    Attributes:
        kind: A message begins, goes on, or is over.
        agent: Who speaks.
        text: The piece, where it goes on; where it is over, the whole message.
        n: Number of the message in this speech, from 1.
    """

    kind: Literal["begin", "text", "end"]
    agent: str
    text: str
    n: int


def text_of_content(content: Any) -> str:
    """The text of a message's content; of a list of parts that of its text parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return clean(content) if isinstance(content, str) else ""


def text_of_message(message: Mapping[str, Any]) -> str:
    """What a message says; what a tool answered is not said."""
    is_said = message.get("role") not in ("function", "tool")
    return text_of_content(message.get("content")) if is_said else ""


class Speech:
    """Turns events into what is said.

    Args:
        has_opening: The first message is what the client said itself, and is not told.
        answer: What the client answered to a question; neither is that.
    """

    def __init__(self, *, has_opening: bool = False, answer: str | None = None):
        self._has_opening = has_opening
        self._answer = answer
        self._speaker: _Key | None = None
        self._told = ""
        self._waiting: list[Event] = []
        self._n = 0

    def hear(self, event: Event) -> list[Said]:
        """What an event adds."""
        if event.type == "model.token":
            return self._live(event)
        if event.type == "message.sent":
            return self._message(event)
        if event.type == "chat.finished" and self._speaker is not None:
            return self._over() if event.chat_id == self._speaker[0] else []
        return []

    def close(self) -> list[Said]:
        """What is left when nothing more comes."""
        return self._over() if self._speaker is not None else []

    def _live(self, event: Event) -> list[Said]:
        text, key = text_of_content(event.data.get("text")), (event.chat_id, event.agent)
        if event.parent is not None or not text or "reasoning" in event.data:
            return []
        said: list[Said] = []
        if self._speaker == key and event.data.get("is_snapshot") and self._told:
            # Another call of the same agent, which answers anew.
            said += self._over()
        if self._speaker is None:
            said += self._begin(key)
        if self._speaker == key:
            said.append(self._go_on(text))
        return said

    def _message(self, event: Event) -> list[Said]:
        if event.parent is not None:
            return []
        text = text_of_message(event.data.get("message") or {})
        agent = event.data.get("sender") or event.agent
        if self._has_opening:
            self._has_opening = False
            return []
        if self._answer is not None and text == self._answer:
            self._answer = None
            return []
        key = (event.chat_id, agent)
        if self._speaker is not None and self._speaker != key:
            if self._speaker[0] != event.chat_id:
                self._waiting.append(event)
                return []
            # Whoever spoke does not go on: in one chat only one speaks at a time.
            return self._over() + self._message(event)
        if self._speaker == key:
            more = text[len(self._told) :] if text.startswith(self._told) else ""
            return ([self._go_on(more)] if more else []) + self._over()
        if not text.strip():
            return []
        return [*self._begin(key), self._go_on(text), *self._over()]

    def _begin(self, key: _Key) -> list[Said]:
        self._speaker, self._told = key, ""
        self._n += 1
        return [Said("begin", key[1] or "", "", self._n)]

    def _go_on(self, text: str) -> Said:
        assert self._speaker is not None
        self._told += text
        return Said("text", self._speaker[1] or "", text, self._n)

    def _over(self) -> list[Said]:
        assert self._speaker is not None
        said = [Said("end", self._speaker[1] or "", self._told, self._n)]
        self._speaker, self._told = None, ""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            said += self._message(event)
        return said
