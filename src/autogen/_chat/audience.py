"""Who hears a message of a group, and how it reaches their histories.

What was said is stored twice, once as its speaker and once as the others see it, and the lists of
the members point to one of the two. So a message costs next to nothing per member. A member through
which the user's own code takes part (an override, a hook, a reply function) gets a real delivery
and its own copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._kernel.faces import is_face
from ..messages import History, Message
from .state import Histories, record

__all__ = ["Audience", "ManagerHistories"]

_append = list.append


class ManagerHistories(Histories):
    """A manager's histories; what passed through it is written into a list when that is read."""

    __slots__ = ("_log", "_own", "_seen")

    def __init__(self) -> None:
        super().__init__()
        #: What the manager passed on, as it said it.
        self._log: list[Message] = []
        #: Partner to how much of the log its list has.
        self._seen: dict[Any, int] = {}
        #: Partner to what it said itself and is not written yet, with its place in the log.
        self._own: dict[Any, list[tuple[int, Message]]] = {}

    def follow(self, agents: list[Any]) -> None:
        """Have everything passed on from here reach these agents' lists."""
        for agent in agents:
            self[agent]  # written up to here
            self._seen[agent] = len(self._log)

    def pass_on(self, message: Message, speaker: Any) -> None:
        """Every list but the speaker's gets `message`."""
        self._log.append(message)
        own = self._own.get(speaker)
        if own:
            # What it said stands in its list in place of what was passed on to the others.
            at, said = own[-1]
            own[-1] = (~at, said)
        elif speaker in self._seen:
            self[speaker].pop()

    def keep(self, partner: Any, message: Message) -> None:
        if partner in self._seen:
            self._own.setdefault(partner, []).append((len(self._log), message))
        else:
            super().keep(partner, message)

    def newest(self, partner: Any) -> dict[str, Any]:
        own = self._own.get(partner)
        return own[-1][1] if own else self[partner][-1]

    def __getitem__(self, partner: Any) -> list[dict[str, Any]]:
        history = dict.get(self, partner)
        if history is None:
            history = self.__missing__(partner)
        seen = self._seen.get(partner)
        if seen is not None:
            for at, said in self._own.pop(partner, ()):
                replaces = at < 0
                at = ~at if replaces else at
                _extend(history, self._log[seen:at])
                record(history, said)
                seen = at + replaces
            _extend(history, self._log[seen:])
            self._seen[partner] = len(self._log)
        return history

    def get(self, partner: Any, default: Any = None) -> Any:
        """The list of `partner`, or `default`."""
        return self[partner] if partner in self else default  # noqa: SIM401 this is `get`

    def items(self) -> Any:
        """All lists, written to the end."""
        self._write_all()
        return super().items()

    def values(self) -> Any:
        """All lists, written to the end."""
        self._write_all()
        return super().values()

    def pop(self, partner: Any, *default: Any) -> Any:
        """Forget the list of `partner`."""
        self._seen.pop(partner, None)
        self._own.pop(partner, None)
        return super().pop(partner, *default)

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._log.clear()
        self._own.clear()
        self._seen.clear()

    def _write_all(self) -> None:
        for partner in self._seen:
            self[partner]


def _extend(history: list[dict[str, Any]], messages: list[Message]) -> None:
    for message in messages:
        record(history, message)


class Audience:
    """The members of a group during one run."""

    __slots__ = ("_is_plain_sender", "_manager", "_members", "_plain")

    def __init__(self, manager: Any, members: list[Any]):
        self._manager = manager
        self._members = members
        self._plain = {agent for agent in members if _hears_plainly(agent)}
        self._is_plain_sender = _has_base_faces(manager, "send") and not manager._has_hooks
        histories = manager._oai_messages
        if isinstance(histories, ManagerHistories):
            histories.follow(members)
        else:
            self._is_plain_sender = False

    def hear(self, heard: Message, said: Message, speaker: Any) -> Iterator[Any]:
        """Write what was said into the lists; yields the members that want a real delivery."""
        if not self._is_plain_sender:
            yield from (agent for agent in self._members if agent is not speaker)
            return
        manager, plain = self._manager, self._plain
        is_text = "tool_responses" not in heard
        manager._oai_messages.pass_on(said, speaker)
        for agent in self._members:
            if agent is speaker:
                continue
            if agent not in plain or agent._rows is not None or agent._hooks is not None:
                # Its own list with the manager is written by the delivery.
                manager._oai_messages[agent].pop()
                yield agent
                continue
            history = agent._oai_messages[manager]
            if is_text and type(history) is History:
                _append(history, heard)
            else:
                record(history, heard)


def _hears_plainly(agent: Any) -> bool:
    """Whether no method of the user's takes part when `agent` hears something."""
    return _has_base_faces(agent, "receive") and all(
        getattr(getattr(agent, name, None), "__plain__", False)
        for name in ("_append_oai_message", "_process_received_message", "_print_received_message")
    )


def _has_base_faces(target: Any, name: str) -> bool:
    return is_face(getattr(target, name, None)) and is_face(getattr(target, f"a_{name}", None))
