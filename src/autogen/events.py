"""Typed events: everything a conversation tells whoever watches.

Stored events have a `key` that is the same again when a run is replayed, and get a `pos` (1, 2, 3,
... in their run) from whatever stores them. Transient events (tokens, live output, progress) have
neither and are shown, not kept. Printing, JSON lines, traces and web pages are sinks of these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from .errors import UsageError

__all__ = ["EVENT_TYPES", "EVENT_VERSION", "TRANSIENT_TYPES", "Event"]

#: Version of the JSON form.
EVENT_VERSION: Final = 1

#: Shown, not kept.
TRANSIENT_TYPES: Final = frozenset({"code.output", "model.token", "progress"})

#: Every type there is.
EVENT_TYPES: Final = TRANSIENT_TYPES | frozenset(
    {
        "artifact.created",
        "budget.spent",
        "chat.finished",
        "chat.started",
        "code.finished",
        "code.started",
        "egress.allowed",
        "egress.refused",
        "error",
        "guard.tripped",
        "message.edited",
        "message.sent",
        "model.answered",
        "question.answered",
        "question.asked",
        "question.expired",
        "run.finished",
        "run.forked",
        "run.paused",
        "run.resumed",
        "run.started",
        "speaker.selected",
        "tool.answered",
        "tool.called",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run.

    Attributes:
        type: One of `EVENT_TYPES`.
        data: JSON-ready facts; which ones depends on `type`.
        run_id: The run.
        key: Unique in its run and the same again on replay; None for a transient event.
        pos: 1, 2, 3, ... in its run, given by whatever stores the event; None before that.
        at: Seconds since the epoch, when it was made.
        chat_id: The chat inside the run, or None.
        agent: Name of who acted, or None.
        parent: Chat id of the chat that this event's chat runs inside of, or None.
        v: Version of this form.
    """

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    run_id: str = ""
    key: str | None = None
    pos: int | None = None
    at: float = 0.0
    chat_id: str | None = None
    agent: str | None = None
    parent: str | None = None
    v: int = EVENT_VERSION

    #: Whether anybody sees it. Not part of its JSON form.
    is_seen: ClassVar[bool] = True

    @property
    def is_transient(self) -> bool:
        """Whether it is shown and not kept."""
        return self.type in TRANSIENT_TYPES

    def to_dict(self) -> dict[str, Any]:
        """The event in its JSON form, in field order."""
        return {
            "v": self.v,
            "run_id": self.run_id,
            "pos": self.pos,
            "key": self.key,
            "type": self.type,
            "at": self.at,
            "chat_id": self.chat_id,
            "agent": self.agent,
            "parent": self.parent,
            "data": self.data,
        }

    def to_json(self) -> str:
        """One line of JSON, ASCII only; a value that JSON does not know is given as its repr."""
        return json.dumps(self.to_dict(), default=repr)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Event:
        """The event of `to_dict`.

        Raises:
            UsageError: A version or type this code does not know, or a field is missing.
        """
        if record.get("v") != EVENT_VERSION:
            raise UsageError(
                f"event version {record.get('v')!r} is not known here; this code reads version "
                f"{EVENT_VERSION}. Use the version of autogen-next that wrote it, or a newer one."
            )
        if record.get("type") not in EVENT_TYPES:
            raise UsageError(f"event type {record.get('type')!r} is not known; see EVENT_TYPES.")
        try:
            return cls(**record)
        except TypeError as error:
            raise UsageError(
                f"the event record does not have the fields of an event: {error}."
            ) from error
