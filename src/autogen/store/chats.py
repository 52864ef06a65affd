"""Chats: the runs of one conversation of a caller, seen as one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..errors import UnknownRun
from ..events import Event
from .base import RunRecord
from .chain import event_of
from .paging import place_of
from .sql import SqlStore, record_of
from .tables import events, runs

__all__ = ["ChatMark", "ChatRecord", "Chats"]

_ORDER = (runs.c.created_at, runs.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRecord:
    """The runs of one conversation of a caller, taken together.

    Attributes:
        name: The conversation.
        team: Of the newest run.
        status: Of the newest run.
        n_runs: How many there are.
        nano_usd: What their own calls cost, in billionths of a US dollar.
        is_cost_known: Whether the price of each is known.
        updated_s: The newest change of any of them, in seconds since the epoch.
    """

    name: str
    team: str | None
    status: str
    n_runs: int
    nano_usd: int
    is_cost_known: bool
    updated_s: float

    @property
    def updated_at(self) -> datetime:
        """The newest change of any of them, aware UTC."""
        return datetime.fromtimestamp(self.updated_s, UTC)


class ChatMark(NamedTuple):
    """Where a page of chats ended."""

    updated_s: float
    name: str


class Chats:
    """The chats of a store. Of equal names those of other callers are other chats."""

    def __init__(self, store: SqlStore):
        self._store = store

    def chats(
        self,
        belongs_to: str | None,
        *,
        name: str | None = None,
        after: ChatMark | None = None,
        limit: int = 100,
    ) -> list[ChatRecord]:
        """Chats of one caller, those first in which something happened last.

        Args:
            belongs_to: The caller; None for whoever has the database.
            name: Only this one.
            after: The end of the page before.
            limit: The most to give.
        """
        per_chat: dict[str, Any] = {"partition_by": runs.c.conversation}
        newest_first = (runs.c.created_at.desc(), runs.c.id.desc())
        each = (
            sa.select(
                runs.c.conversation.label("name"),
                runs.c.team,
                runs.c.status,
                sa.func.count().over(**per_chat).label("n_runs"),
                sa.func.sum(runs.c.nano_usd).over(**per_chat).label("nano_usd"),
                sa.func.sum(sa.case((runs.c.is_cost_known, 0), else_=1))
                .over(**per_chat)
                .label("n_unknown"),
                sa.func.max(runs.c.updated_at).over(**per_chat).label("updated_s"),
                sa.func.row_number().over(**per_chat, order_by=newest_first).label("place"),
            )
            .where(_is_of(belongs_to, name))
            .subquery()
        )
        order = sa.tuple_(each.c.updated_s, each.c.name)
        query = (
            sa.select(each)
            .where(each.c.place == 1)
            .order_by(each.c.updated_s.desc(), each.c.name.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(order < sa.tuple_(*after))
        with self._store.reading("the chats") as connection:
            return [_chat(row) for row in connection.execute(query).mappings()]

    def runs(
        self, belongs_to: str | None, name: str, *, before: str | None = None, limit: int = 100
    ) -> list[RunRecord]:
        """Runs of a chat, the newest first; `before` is the id of one that comes after them.

        Raises:
            UnknownRun: There is no run `before`.
        """
        query = (
            sa.select(runs)
            .where(_is_of(belongs_to, name))
            .order_by(runs.c.created_at.desc(), runs.c.id.desc())
            .limit(limit)
        )
        with self._store.reading(f"the runs of chat {name!r}") as connection:
            if before is not None:
                query = query.where(sa.tuple_(*_ORDER) < _place_of(connection, before))
            return [record_of(row) for row in connection.execute(query).mappings()]

    def messages(
        self,
        belongs_to: str | None,
        name: str,
        *,
        after: tuple[str, int] | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """What was said in a chat, in its order; `after` is run and number of the last known.

        Raises:
            UnknownRun: There is no such run.
        """
        query = (
            sa.select(events.c.pos, events.c.body)
            .select_from(events.join(runs, runs.c.id == events.c.run_id))
            .where(_is_of(belongs_to, name), events.c.type == "message.sent")
            .order_by(runs.c.created_at, runs.c.id, events.c.pos)
            .limit(limit)
        )
        with self._store.reading(f"the messages of chat {name!r}") as connection:
            if after is not None:
                run_id, pos = after
                place = _place_of(connection, run_id)
                is_same = sa.and_(runs.c.id == run_id, events.c.pos > pos)
                query = query.where(sa.or_(sa.tuple_(*_ORDER) > place, is_same))
            return [event_of(pos, body) for pos, body in connection.execute(query)]


def _is_of(belongs_to: str | None, name: str | None) -> Any:
    is_named = runs.c.conversation.is_not(None) if name is None else runs.c.conversation == name
    return sa.and_(is_named, runs.c.belongs_to.is_not_distinct_from(belongs_to))


def _place_of(connection: sa.Connection, run_id: str) -> Any:
    place = place_of(connection, _ORDER, run_id)
    if place is None:
        raise UnknownRun(f"there is no run {run_id!r} to list those around.")
    return place


def _chat(row: Any) -> ChatRecord:
    return ChatRecord(
        name=row["name"],
        team=row["team"],
        status=row["status"],
        n_runs=int(row["n_runs"]),
        nano_usd=int(row["nano_usd"]),
        is_cost_known=not row["n_unknown"],
        updated_s=row["updated_s"],
    )
