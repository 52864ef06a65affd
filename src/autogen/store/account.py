"""`SqlAccount`: a budget that processes share, kept in the database of the runs.

What a process that died had set aside counts as spent, all of it: nobody knows how far its calls
got. If that process was only asleep, and settles after all, the difference is given back.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from ..errors import JournalError, UsageError
from ..limits.base import NOTHING, Amounts, Ceiling, Reservation, Shortage, shortage_of
from .connect import check_name
from .sql import SqlStore
from .tables import AMOUNTS, beats, budgets, is_alive, reservations

__all__ = ["BudgetRecord", "SqlAccount", "budget_records"]

logger = logging.getLogger("autogen")

#: How long a call that waits for room lets pass before it looks again.
POLL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRecord:
    """A budget as the database has it.

    Attributes:
        name: Its name.
        ceiling: The most that may be spent.
        spent: What was settled.
        held: What is set aside for calls under way.
    """

    name: str
    ceiling: Ceiling
    spent: Amounts
    held: Amounts

    @property
    def is_spent(self) -> bool:
        """Whether one of its limits is reached, so that no further call would fit."""
        return any(m is not None and s >= m for m, s in zip(self.ceiling, self.spent, strict=True))

    @property
    def left(self) -> Ceiling:
        """What is neither spent nor set aside; nothing where more was spent than allowed."""
        rows = zip(self.ceiling, self.spent, self.held, strict=True)
        return Ceiling(*(None if m is None else max(0, m - s - h) for m, s, h in rows))


class SqlAccount:
    """The `Account` of the budget called `name`, which is made where there is none.

    Args:
        store: Where it is kept.
        name: Which budget; whoever names the same one shares it.
        worker_id: This process, which shows signs of life under that name (`SqlStore.beat`).
        ceiling: The most that may be spent, from now on and for everybody; None for what it is,
            without limits in a new budget.
        lease_s: How long a process may show no sign of life before what it set aside is spent.
        later: Takes what is to be done when the database is there again, if it is away when
            something is settled; None has that raise.

    Raises:
        UsageError: The name is a text that databases do not keep.
        JournalError: The database cannot be used.
    """

    is_remote = True

    def __init__(
        self,
        store: SqlStore,
        name: str,
        *,
        worker_id: str,
        ceiling: Ceiling | None = None,
        lease_s: float = 10.0,
        later: Callable[[Callable[[], None]], None] | None = None,
    ):
        check_name(name)
        self.name = name
        self._store = store
        self._worker_id = worker_id
        self._lease_s = lease_s
        self._later = later
        limits = {f"most_{field}": most for field, most in (ceiling or Ceiling())._asdict().items()}
        nothing = {f"{kind}_{field}": 0 for kind in ("spent", "held") for field in AMOUNTS}
        made = store.insert(budgets).values(
            name=name, **limits, **nothing, created_at=store.now, updated_at=store.now
        )
        if ceiling is None:
            made = made.on_conflict_do_nothing()
        else:
            made = made.on_conflict_do_update(
                index_elements=[budgets.c.name], set_={**limits, "updated_at": store.now}
            )
        with store.writing(f"budget {name!r}") as connection:
            connection.execute(made)
            self._ceiling = self._locked(connection).ceiling

    @property
    def ceiling(self) -> Ceiling:
        """The most that may be spent, as of the last look at the database."""
        return self._ceiling

    @property
    def spent(self) -> Amounts:
        """What was settled, by everybody."""
        return self.record().spent

    @property
    def left(self) -> Ceiling:
        """What is neither spent nor set aside."""
        return self.record().left

    def record(self) -> BudgetRecord:
        """The budget as it stands."""
        with self._store.reading(f"budget {self.name!r}") as connection:
            return self._seen(connection, sa.select(budgets).where(budgets.c.name == self.name))

    def reserve(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> Reservation | Shortage:
        """Set `wanted` aside, or say what is in the way."""
        with self._store.writing(f"budget {self.name!r}") as connection:
            found = self._locked(connection)
            short = self._shortage(found, wanted, kept_back)
            if short is not None and not short.is_final:
                # What is set aside may never be settled.
                found = self._book_the_dead(connection, found)
                short = self._shortage(found, wanted, kept_back)
            if short is not None:
                return short
            made = Reservation(uuid.uuid4().hex, wanted)
            connection.execute(
                sa.insert(reservations).values(
                    id=made.id,
                    budget=self.name,
                    worker_id=self._worker_id,
                    **wanted._asdict(),
                    is_booked=False,
                    made_at=self._store.now,
                )
            )
            self._put(connection, found.spent, _sum(found.held, wanted))
            return made

    def settle(self, reservation: Reservation, actual: Amounts) -> None:
        """Book `actual` in place of what was set aside."""
        try:
            self._settle(reservation, actual)
        except JournalError as error:
            if self._later is None:
                raise
            logger.warning("What a call cost is booked later: %s", error)
            self._later(partial(self._settle, reservation, actual, is_late=True))

    def _settle(self, reservation: Reservation, actual: Amounts, *, is_late: bool = False) -> None:
        mine = (reservations.c.id == reservation.id, reservations.c.budget == self.name)
        with self._store.writing(f"budget {self.name!r}") as connection:
            found = self._locked(connection)
            row = connection.execute(sa.select(reservations).where(*mine)).mappings().first()
            if row is None:
                if is_late:
                    # The first attempt was heard, and its answer lost.
                    return
                raise UsageError(
                    f"reservation {reservation.id!r} is not open in budget {self.name!r}; each is "
                    "settled exactly once, by the account that made it."
                )
            connection.execute(sa.delete(reservations).where(*mine))
            spent, held = _sum(found.spent, actual), found.held
            if row["is_booked"]:
                spent = _difference(spent, _amounts(row, ""))
            else:
                held = _difference(held, _amounts(row, ""))
            self._put(connection, spent, held)

    async def room(self, wanted: Amounts, *, kept_back: Amounts = NOTHING) -> None:
        """Wait a moment, unless `reserve` would decide otherwise at once. Nobody has a turn."""
        found = await asyncio.to_thread(self.record)
        short = self._shortage(found, wanted, kept_back)
        if short is not None and not short.is_final:
            await asyncio.sleep(POLL_S)

    # -- inside a transaction

    def _locked(self, connection: sa.Connection) -> BudgetRecord:
        """The budget; nobody else changes it before the transaction ends."""
        query = sa.select(budgets).where(budgets.c.name == self.name).with_for_update()
        return self._seen(connection, query)

    def _seen(self, connection: sa.Connection, query: Any) -> BudgetRecord:
        row = connection.execute(query).mappings().first()
        if row is None:
            raise UsageError(f"budget {self.name!r} was deleted; make it again.")
        found = _record(row)
        self._ceiling = found.ceiling
        return found

    def _put(self, connection: sa.Connection, spent: Amounts, held: Amounts) -> None:
        values = {f"spent_{name}": n for name, n in spent._asdict().items()}
        values |= {f"held_{name}": n for name, n in held._asdict().items()}
        connection.execute(
            sa.update(budgets)
            .where(budgets.c.name == self.name)
            .values(**values, updated_at=self._store.now)
        )

    def _book_the_dead(self, connection: sa.Connection, found: BudgetRecord) -> BudgetRecord:
        """Count as spent what processes had set aside that show no sign of life any more."""
        lives = sa.exists().where(
            beats.c.worker_id == reservations.c.worker_id,
            is_alive(self._store.now, self._lease_s),
        )
        left = (
            reservations.c.budget == self.name,
            reservations.c.is_booked.is_(False),
            reservations.c.worker_id != self._worker_id,
            ~lives,
        )
        rows = connection.execute(sa.select(reservations).where(*left)).mappings().all()
        if not rows:
            return found
        spent, held = found.spent, found.held
        for row in rows:
            spent = _sum(spent, _amounts(row, ""))
            held = _difference(held, _amounts(row, ""))
        booked = [row["id"] for row in rows]
        connection.execute(
            sa.update(reservations).where(reservations.c.id.in_(booked)).values(is_booked=True)
        )
        self._put(connection, spent, held)
        return BudgetRecord(name=self.name, ceiling=found.ceiling, spent=spent, held=held)

    @staticmethod
    def _shortage(found: BudgetRecord, wanted: Amounts, kept_back: Amounts) -> Shortage | None:
        return shortage_of(wanted, found.ceiling, found.spent, found.held, kept_back=kept_back)


def budget_records(
    store: SqlStore,
    names: Collection[str] | None = None,
    *,
    besides: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[BudgetRecord]:
    """Budgets of a database, by name.

    Args:
        store: Where they are.
        names: Only those with these names; None for all.
        besides: Only those whose names begin otherwise.
        after: Only those whose names come after this one.
        limit: The most to give; None for all.
    """
    query = sa.select(budgets).order_by(budgets.c.name).limit(limit)
    if names is not None:
        query = query.where(budgets.c.name.in_(list(names)))
    if besides is not None:
        # SQLite's LIKE takes capitals for small letters.
        query = query.where(sa.func.substr(budgets.c.name, 1, len(besides)) != besides)
    if after is not None:
        query = query.where(budgets.c.name > after)
    with store.reading("the budgets") as connection:
        return [_record(row) for row in connection.execute(query).mappings()]


def _record(row: Any) -> BudgetRecord:
    return BudgetRecord(
        name=row["name"],
        ceiling=Ceiling(*(row[f"most_{name}"] for name in AMOUNTS)),
        spent=_amounts(row, "spent_"),
        held=_amounts(row, "held_"),
    )


def _amounts(row: Any, prefix: str) -> Amounts:
    return Amounts(*(row[prefix + name] for name in AMOUNTS))


def _sum(a: Amounts, b: Amounts) -> Amounts:
    return Amounts(*(x + y for x, y in zip(a, b, strict=True)))


def _difference(a: Amounts, b: Amounts) -> Amounts:
    return Amounts(*(x - y for x, y in zip(a, b, strict=True)))
