"""`Keys`: the keys of a server's callers.

A key is `an_ID_SECRET`. Of it the SHA-256 is kept: the secret is 256 random bits, so there is
nothing to guess that a slow hash would make harder, and a key is checked at each request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ..errors import UsageError
from .base import KeyRecord
from .connect import check_name
from .paging import place_of
from .sql import SqlStore
from .tables import keys

__all__ = ["PREFIX", "Keys", "digest_of"]

#: What every key begins with, so that people and scanners of secrets know one.
PREFIX = "an_"

#: How exactly the last use of a key is kept.
_USED_S = 60.0


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class Keys:
    """The keys of a store."""

    def __init__(self, store: SqlStore):
        self._store = store

    def add(
        self,
        name: str,
        *,
        scopes: Iterable[str],
        owner: str | None = None,
        per_minute: int | None = None,
        budget: str | None = None,
        days: float | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new key and what is kept of it. The key is told here and never again.

        Args:
            name: What people call it.
            scopes: What it may do.
            owner: Whose runs are its; None for its own name.
            per_minute: How many requests it may make in a minute; None for any number.
            budget: Name of the budget that all its runs draw from.
            days: How long it holds; None for ever.

        Raises:
            UsageError: The name is taken, or cannot be kept.
        """
        for text in (name, owner or "", budget or ""):
            check_name(text)
        key_id = secrets.token_hex(6)
        key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
        now = self._store.now
        values = {
            "id": key_id,
            "name": name,
            "digest": digest_of(key),
            "scopes": " ".join(sorted(set(scopes))),
            "owner": owner or name,
            "per_minute": per_minute,
            "budget": budget,
            "created_at": now,
            "expires_at": None if days is None else now + days * 86400,
        }
        made = self._store.insert(keys).values(values).on_conflict_do_nothing()
        with self._store.writing(f"key {name!r}") as connection:
            if not self._store.is_inserted(connection, made):
                raise UsageError(
                    f"there is a key {name!r} already; revoke it first, or choose another name."
                )
            query = sa.select(keys).where(keys.c.id == key_id)
            return key, _record(connection.execute(query).mappings().one())

    def all(
        self, *, owner: str | None = None, after: str | None = None, limit: int | None = None
    ) -> list[KeyRecord]:
        """Keys, the oldest first, revoked ones included.

        Args:
            owner: Only those of this owner.
            after: The id of the last key of the page before.
            limit: The most to give; None for all there are.

        Raises:
            UsageError: There is no key `after`.
        """
        theirs = [] if owner is None else [keys.c.owner == owner]
        order = (keys.c.created_at, keys.c.id)
        query = sa.select(keys).where(*theirs).order_by(*order).limit(limit)
        with self._store.reading("the keys") as connection:
            if after is not None:
                place = place_of(connection, order, after, *theirs)
                if place is None:
                    raise UsageError(f"there is no key {after!r} to list those after.")
                query = query.where(sa.tuple_(*order) > place)
            return [_record(row) for row in connection.execute(query).mappings()]

    def is_any(self) -> bool:
        """Whether there is a key that holds."""
        query = sa.select(sa.exists().where(*self._holds))
        with self._store.reading("the keys") as connection:
            return bool(connection.execute(query).scalar())

    def revoke(self, name: str) -> KeyRecord:
        """Have a key hold no longer; its name may be used again.

        Raises:
            UsageError: There is no such key.
        """
        named = (keys.c.name == name, keys.c.revoked_at.is_(None))
        with self._store.writing(f"key {name!r}") as connection:
            key_id = connection.execute(sa.select(keys.c.id).where(*named)).scalar()
            if key_id is None:
                raise UsageError(f"there is no key {name!r}; `autogen keys list` shows them.")
            connection.execute(
                sa.update(keys)
                .where(keys.c.id == key_id)
                .values(revoked_at=self._store.now, name=f"{name} ({key_id})")
            )
            query = sa.select(keys).where(keys.c.id == key_id)
            return _record(connection.execute(query).mappings().one())

    def find(self, digest: str) -> KeyRecord | None:
        """What is kept of the key with this digest, if it holds.

        What the search takes tells about digests, and with that nothing about any key.
        """
        query = sa.select(keys).where(keys.c.digest == digest, *self._holds)
        with self._store.reading("a key") as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        self._note_use(row)
        return _record(row)

    @property
    def _holds(self) -> tuple[Any, Any]:
        is_in_time = sa.or_(keys.c.expires_at.is_(None), keys.c.expires_at > self._store.now)
        return keys.c.revoked_at.is_(None), is_in_time

    def _note_use(self, row: Any) -> None:
        if row["used_at"] is not None and datetime.now(UTC).timestamp() < row["used_at"] + _USED_S:
            return
        used = sa.update(keys).where(keys.c.id == row["id"]).values(used_at=self._store.now)
        with self._store.writing("the use of a key") as connection:
            connection.execute(used)


def _record(row: Any) -> KeyRecord:
    values = {k: v for k, v in row.items() if k != "digest"}
    values["scopes"] = frozenset(values["scopes"].split())
    for name in ("created_at", "expires_at", "revoked_at", "used_at"):
        at = values[name]
        values[name] = None if at is None else datetime.fromtimestamp(at, UTC)
    return KeyRecord(**values)
