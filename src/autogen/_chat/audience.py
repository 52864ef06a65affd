"""Who hears a message of a group, and how it reaches their histories.

What was said is stored twice, once as its speaker and once as the others see it, and the lists of
the members point to one of the two. So a message costs next to nothing per member. A member through
which the user's own code takes part (an override, a hook, a reply function) gets a real delivery
and its own copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._kernel.faces import is_face
from ..messages import History, Message
from .reply import BUILT_IN
from .state import Histories, Shape, record

__all__ = ["Audience", "ManagerHistories"]

_append = list.append
#: What a member may do its own way with the messages it heard.
_POINTS = ("receive", "generate_reply", *BUILT_IN)
_STEPS = ("_append_oai_message", "_process_received_message", "_print_received_message")
_OVERRIDABLE = {*_POINTS, *(f"a_{name}" for name in _POINTS), *_STEPS}


class ManagerHistories(Histories):
    """A manager's histories; what passed through it is written into a list when that is read."""

    __slots__ = ("_by", "_log", "_own", "_said", "_seen")

    def __init__(self) -> None:
        super().__init__()
        #: What the manager passed on, as it said it; who had said it, and as that one had said it.
        self._log: list[Message] = []
        self._by: list[Any] = []
        self._own: list[Message] = []
        #: Member to how much of the log its list has.
        self._seen: dict[Any, int] = {}
        #: Member to what it said that is not passed on yet.
        self._said: dict[Any, Message] = {}

    def follow(self, agents: list[Any]) -> None:
        """Have everything passed on from here reach the lists of these agents, and of no others."""
        self._write_all()
        for log in (self._log, self._by, self._own):
            log.clear()
        self._seen = dict.fromkeys(agents, 0)

    def pass_on(self, message: Message, speaker: Any, delivered: Iterable[Any] = ()) -> None:
        """Every list gets `message` but those of its speaker and of who gets a real delivery."""
        own = self._said.pop(speaker, None)
        left_out = [agent for agent in delivered if agent in self._seen]
        if own is None:
            own = message
            if speaker in self._seen:
                left_out.append(speaker)
        for agent in (*left_out, *self._said):
            self[agent]  # written up to here
        self._log.append(message)
        self._by.append(speaker)
        self._own.append(own)
        for agent in left_out:
            self._seen[agent] = len(self._log)

    def keep(self, partner: Any, message: Message) -> None:
        if partner in self._seen and partner not in self._said:
            self._said[partner] = message
        else:
            super().keep(partner, message)

    def newest(self, partner: Any) -> dict[str, Any]:
        said = self._said.get(partner)
        return self[partner][-1] if said is None else said

    def __getitem__(self, partner: Any) -> list[dict[str, Any]]:
        history = dict.get(self, partner)
        if history is None:
            history = History()
            super().__setitem__(partner, history)
        if self._is_behind(partner):
            for at in range(self._seen[partner], len(self._log)):
                is_own = self._by[at] is partner
                record(history, self._own[at] if is_own else self._log[at])
            self._seen[partner] = len(self._log)
            if partner in self._said:
                record(history, self._said.pop(partner))
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

    def keys(self) -> Any:
        """Everybody there is a list of."""
        self._write_all()
        return super().keys()

    def __eq__(self, other: object) -> bool:
        self._write_all()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        self._write_all()
        return super().__repr__()

    def copy(self) -> dict[Any, list[dict[str, Any]]]:
        """The lists as they are, in a plain dict."""
        return dict(self)

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
        for log in (self._log, self._by, self._own):
            log.clear()
        self._said.clear()
        self._seen = dict.fromkeys(self._seen, 0)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def _forget(self, partner: Any) -> None:
        self._said.pop(partner, None)
        if partner in self._seen:
            self._seen[partner] = len(self._log)

    def _is_behind(self, partner: Any) -> bool:
        n = len(self._log)
        return self._seen.get(partner, n) < n or partner in self._said

    def _write_all(self) -> None:
        for partner in self._seen:
            if self._is_behind(partner):
                self[partner]


class Audience:
    """The members of a group during one run."""

    __slots__ = (
        "_is_plain_sender",
        "_known",
        "_lines",
        "_manager",
        "_members",
        "_others",
        "_plain",
        "_shape",
        "_slow",
    )

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
        self._plain: list[Any] = []
        self._others: list[Any] = []
        kinds: dict[type, bool] = {}
        for agent in self._known:
            kind = type(agent)
            if not _OVERRIDABLE.isdisjoint(getattr(agent, "__dict__", ())):
                is_plain = _hears_plainly(agent)
            elif kind in kinds:
                is_plain = kinds[kind]
            else:
                is_plain = kinds[kind] = _hears_plainly(agent)
            (self._plain if is_plain else self._others).append(agent)
        if self._is_plain_sender:
            self._manager._oai_messages.follow(self._known)
        self._shape: object = None

    def _look(self) -> None:
        """Take note of the lists that messages can be written into without looking further."""
        manager = self._manager
        #: Member, its histories, and what appends to the one with the manager.
        self._lines: list[tuple[Any, Any, Callable[[Message], None]]] = []
        self._slow: list[Any] = []
        for agent in self._plain:
            histories = agent._oai_messages
            is_quiet = agent._rows is None and agent._hooks is None
            if is_quiet and type(histories) is Histories and type(histories[manager]) is History:
                append = _append.__get__(histories[manager])
                self._lines.append((agent, histories, append))
            else:
                self._slow.append(agent)
        self._shape = Shape.now

    def hear(self, heard: Message, said: Message, speaker: Any) -> list[Any]:
        """Write what was said into the lists; the members that want a real delivery."""
        if self._known != self._members:
            self._meet()
        if not self._is_plain_sender:
            return [agent for agent in self._members if agent is not speaker]
        if self._shape is not Shape.now:
            self._look()
        manager = self._manager
        delivered = [agent for agent in self._others if agent is not speaker]
        # A history takes note of what a model cannot be sent as it is.
        is_text = "tool_responses" not in heard
        lines, slow = (self._lines, self._slow) if is_text else ((), self._plain)
        strays = []
        for agent, histories, append in lines:
            if agent is speaker:
                continue
            if agent._oai_messages is histories:
                append(heard)
            else:
                strays.append(agent)
        for agent in (*slow, *strays):
            if agent is speaker:
                continue
            if agent._rows is not None or agent._hooks is not None:
                delivered.append(agent)
            else:
                record(agent._oai_messages[manager], heard)
        # The lists of the manager with these are written by the deliveries.
        manager._oai_messages.pass_on(said, speaker, delivered)
        return delivered


def _hears_plainly(agent: Any) -> bool:
    """Whether no method of the user's takes part when `agent` hears something or answers it."""
    return all(_has_base_faces(agent, name) for name in _POINTS) and all(
        getattr(getattr(agent, name, None), "__plain__", False) for name in _STEPS
    )


def _has_base_faces(target: Any, name: str) -> bool:
    return is_face(getattr(target, name, None)) and is_face(getattr(target, f"a_{name}", None))
