"""`OpenSteps`: what the steps of a run that are under way have said so far.

A step that streams is known by its chat, its agent and its type; the next message of that agent, or
the end of its code, ends it. Followers are told what they have not seen yet, so a slow one gets
less often more, and nothing is kept for anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..events import TRANSIENT_TYPES, Event

__all__ = ["ENDS", "MOST_TEXT", "OpenSteps", "Told"]

#: So much text of one step is kept; of a longer one the end.
MOST_TEXT = 256 * 1024

#: Stored events that end what an agent says in a chat.
ENDS: dict[str, frozenset[str]] = {
    "message.sent": frozenset({"model.token"}),
    "code.finished": frozenset({"code.output", "progress"}),
}

#: Stored events that end every step of their chat, or of the run.
_ENDS_OF_CHATS = frozenset({"chat.finished"})
ENDS_OF_RUNS = frozenset({"error", "run.finished", "run.paused", "run.resumed"})

_Key = tuple[str, str | None, str | None, str]

#: What a follower was told: of each step which text, and how much of it.
Told = dict[_Key, tuple[int, int]]


@dataclass(slots=True)
class _Step:
    event: Event
    number: int
    text: str = ""
    is_last: bool = False


class OpenSteps:
    """The steps of one run. Used under the lock of its feed."""

    def __init__(self) -> None:
        self._steps: dict[_Key, _Step] = {}
        self._ended_at: dict[tuple[str | None, str | None], float] = {}
        self._n = 0

    def hear(self, event: Event) -> bool:
        """Take an event; whether there is something to tell."""
        if event.type in TRANSIENT_TYPES:
            return self._add(event)
        self.end(event)
        return False

    def end(self, event: Event) -> None:
        """Forget the steps that a stored event ends, and whatever of them still arrives."""
        if event.type in ENDS_OF_RUNS:
            self._steps.clear()
            return
        types = ENDS.get(event.type, frozenset())
        if types:
            self._ended_at[event.chat_id, event.agent] = event.at
        for key, step in list(self._steps.items()):
            kind, chat_id, agent, _ = key
            is_its = kind in types and (chat_id, agent) == (event.chat_id, event.agent)
            is_of_chat = event.type in _ENDS_OF_CHATS and chat_id == event.chat_id
            if (is_its or is_of_chat) and step.event.at <= event.at:
                del self._steps[key]

    def _add(self, event: Event) -> bool:
        name = "reasoning" if "reasoning" in event.data else "text"
        key = (event.type, event.chat_id, event.agent, name)
        if event.at < self._ended_at.get((event.chat_id, event.agent), 0.0):
            return False
        text = str(event.data.get(name) or "")
        step = self._steps.get(key)
        if step is None or step.is_last or event.type == "progress":
            step = self._steps[key] = self._new(event)
        step.text += text
        step.is_last = bool(event.data.get("is_last"))
        if len(step.text) > 2 * MOST_TEXT:
            kept, step = step.text[-MOST_TEXT:], self._new(step.event)
            step.text, self._steps[key] = kept, step
        return True

    def _new(self, event: Event) -> _Step:
        self._n += 1
        return _Step(event, self._n)

    def news(self, told: Told) -> list[Event]:
        """What a follower who was told `told` does not know yet; written down there."""
        found = []
        for key in [key for key in told if key not in self._steps]:
            del told[key]
        for key, step in self._steps.items():
            number, n = told.get(key, (0, 0))
            is_new = number != step.number
            if is_new:
                n = 0
            if len(step.text) > n or (is_new and not step.text):
                data = {**step.event.data, key[3]: step.text[n:], "is_snapshot": is_new}
                data.pop("is_last", None)
                found.append(replace(step.event, data=data))
                told[key] = (step.number, len(step.text))
        return found
