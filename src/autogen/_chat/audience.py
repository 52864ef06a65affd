"""Who hears a message of a group, and how it reaches their histories.

What was said is stored twice, once as its speaker and once as the others see it, and the lists of
the members point to one of the two. So a message costs next to nothing per member. A member through
which the user's own code takes part (an override, a hook, a reply function) gets a real delivery
and its own copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .._kernel.faces import is_face
from ..messages import History, Message
from .reply import BUILT_IN
from .state import Histories, record

__all__ = ["Audience", "ManagerHistories"]

_append = list.append
#: What a member may do its own way with the messages it heard.
_POINTS = ("receive", "generate_reply", *BUILT_IN)


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
        """Have everything passed on from here reach the lists of these agents, and of no others."""
        self._write_all()
        self._log.clear()
        self._seen = {}
        for agent in agents:
            self[agent]  # every member has a list
            self._seen[agent] = 0

    def pass_on(self, message: Message, speaker: Any, delivered: Iterable[Any] = ()) -> None:
        """Every list gets `message` but those of its speaker and of who gets a real delivery."""
        at = len(self._log)
        own = self._own.get(speaker)
        if own and own[-1][0] == at:
            # What it said stands in its list in place of what was passed on to the others.
            own[-1] = (~at, own[-1][1])
        else:
            delivered = (*delivered, speaker)
        left_out = [agent for agent in delivered if agent in self._seen]
        for agent in left_out:
            self[agent]  # written up to here
        self._log.append(message)
        for agent in left_out:
            self._seen[agent] = at + 1

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
            history = History()
            super().__setitem__(partner, history)
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

    def __setitem__(self, partner: Any, history: list[dict[str, Any]]) -> None:
        self._forget(partner)
        super().__setitem__(partner, history)

    def __delitem__(self, partner: Any) -> None:
        self._forget(partner)
        super().__delitem__(partner)

    def __contains__(self, partner: object) -> bool:
        return super().__contains__(partner) or self._is_behind(partner)

    def __iter__(self) -> Iterator[Any]:
        # Also what makes dict() and the like ask for the lists one by one.
        self._write_all()
        return super().__iter__()

    def __len__(self) -> int:
        self._write_all()
        return super().__len__()

    def get(self, partner: Any, default: Any = None) -> Any:
        """The list of `partner`, or `default`."""
        return self[partner] if partner in self else default  # noqa: SIM401 this is `get`

    def setdefault(self, partner: Any, default: Any = None) -> Any:
        """The list of `partner`, which is `default` if there was none."""
        if partner not in self:
            self[partner] = default
        return self[partner]

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
        if partner in self:
            self[partner]  # written up to here
        return super().pop(partner, *default)

    def clear(self) -> None:
        """Forget everything said; who is a member goes on to be one."""
        super().clear()
        self._log.clear()
        self._own.clear()
        self._seen = dict.fromkeys(self._seen, 0)

    def _forget(self, partner: Any) -> None:
        self._own.pop(partner, None)
        if partner in self._seen:
            self._seen[partner] = len(self._log)

    def _is_behind(self, partner: Any) -> bool:
        n = len(self._log)
        return partner in self._own or self._seen.get(partner, n) < n

    def _write_all(self) -> None:
        for partner in self._seen:
            if self._is_behind(partner):
                self[partner]


def _extend(history: list[dict[str, Any]], messages: list[Message]) -> None:
    for message in messages:
        record(history, message)


class Audience:
    """The members of a group during one run."""

    __slots__ = ("_is_plain_sender", "_known", "_manager", "_members", "_plain")

    def __init__(self, manager: Any, members: list[Any]):
        self._manager = manager
        self._members = members
        self._is_plain_sender = (
            _has_base_faces(manager, "send")
            and not manager._has_hooks
            and isinstance(manager._oai_messages, ManagerHistories)
        )
        self._meet()

    def _meet(self) -> None:
        """Take note of who is a member now."""
        self._known = list(self._members)
        self._plain = {agent for agent in self._known if _hears_plainly(agent)}
        if self._is_plain_sender:
            self._manager._oai_messages.follow(self._known)

    def hear(self, heard: Message, said: Message, speaker: Any) -> list[Any]:
        """Write what was said into the lists; the members that want a real delivery."""
        if self._known != self._members:
            self._meet()
        if not self._is_plain_sender:
            return [agent for agent in self._members if agent is not speaker]
        manager, plain = self._manager, self._plain
        is_text = "tool_responses" not in heard
        delivered = []
        for agent in self._members:
            if agent is speaker:
                continue
            if agent not in plain or agent._rows is not None or agent._hooks is not None:
                delivered.append(agent)
                continue
            history = agent._oai_messages[manager]
            if is_text and type(history) is History:
                _append(history, heard)
            else:
                record(history, heard)
        # The lists of the manager with these are written by the deliveries.
        manager._oai_messages.pass_on(said, speaker, delivered)
        return delivered


def _hears_plainly(agent: Any) -> bool:
    """Whether no method of the user's takes part when `agent` hears something or answers it."""
    return all(_has_base_faces(agent, name) for name in _POINTS) and all(
        getattr(getattr(agent, name, None), "__plain__", False)
        for name in ("_append_oai_message", "_process_received_message", "_print_received_message")
    )


def _has_base_faces(target: Any, name: str) -> bool:
    return is_face(getattr(target, name, None)) and is_face(getattr(target, f"a_{name}", None))
