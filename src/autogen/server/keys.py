"""Routes of keys: add, list, revoke."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from ..store.base import KeyRecord
from .budgets import may_name
from .callers import SCOPES, Caller, CallerOf, needs
from .common import Cursor, Limit, PartsOf, cursor_of, id_of_cursor, router
from .problems import Problem
from .schemas import KeyIn, KeyMade, KeyPage
from .telling import as_json

__all__ = ["keys"]

keys = router(tag="keys")

_OF_KEY = "id name owner per_minute budget created_at expires_at revoked_at used_at".split()

Name = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]


def _told(record: KeyRecord) -> dict[str, object]:
    told = {name: getattr(record, name) for name in _OF_KEY}
    return {**told, "scopes": sorted(record.scopes)}


@keys.get("/keys", response_model=KeyPage, dependencies=[needs("keys:admin")])
def list_keys(
    parts: PartsOf, caller: CallerOf, cursor: Cursor = None, limit: Limit = 1000
) -> Response:
    """The caller's keys, the oldest first, revoked ones included; `admin` sees everybody's."""
    after = None if cursor is None else id_of_cursor(cursor)
    found = parts.runtime.keys.all(owner=caller.sees, after=after, limit=limit)
    more = cursor_of(found[-1].id) if len(found) == limit else None
    return as_json({"items": [_told(record) for record in found], "next": more})


@keys.post("/keys", status_code=201, response_model=KeyMade, dependencies=[needs("keys:admin")])
def add_key(parts: PartsOf, caller: CallerOf, asked: KeyIn) -> Response:
    """Make a key; it is told in this answer and never again."""
    unknown = sorted(set(asked.scopes) - set(SCOPES))
    if unknown:
        known = ", ".join(SCOPES)
        raise Problem(422, f"there is no scope {unknown[0]!a}; there are: {known}.")
    beyond = sorted(scope for scope in asked.scopes if not caller.may(scope))
    if beyond:
        raise Problem(403, f"nobody gives away a scope that they lack, such as {beyond[0]}.")
    budget = asked.budget
    if budget is not None and not (may_name(caller, budget) and parts.runtime.budgets([budget])):
        raise Problem(422, f"there is no budget {budget!a}; make it with PUT /api/v1/budgets/NAME.")
    owner, per_minute = asked.owner, asked.per_minute
    if caller.sees is not None:
        owner, (budget, per_minute) = caller.id, _limits(caller, asked)
    key, record = parts.runtime.keys.add(
        asked.name,
        scopes=asked.scopes,
        owner=owner,
        per_minute=per_minute,
        budget=budget,
        days=asked.days,
    )
    return as_json({**_told(record), "key": key}, 201)


def _limits(caller: Caller, asked: KeyIn) -> tuple[str | None, int | None]:
    """The budget and the rate of a key that somebody with limits of their own makes: no more.

    Raises:
        Problem: 403; more was asked for.
    """
    budget, per_minute = asked.budget or caller.budget, asked.per_minute or caller.per_minute
    if caller.budget is not None and budget != caller.budget:
        raise Problem(403, f"keys of {caller.name!a} draw from the budget {caller.budget!a}.")
    if caller.per_minute is not None and (per_minute or 0) > caller.per_minute:
        raise Problem(
            403, f"keys of {caller.name!a} may make {caller.per_minute} requests a minute at most."
        )
    return budget, per_minute


@keys.delete("/keys/{name}", status_code=204, dependencies=[needs("keys:admin")])
def revoke_key(parts: PartsOf, caller: CallerOf, name: Name) -> Response:
    """Have a key hold no longer, within two seconds on every server."""
    its = [one for one in parts.runtime.keys.all(owner=caller.sees) if one.name == name]
    if not its:
        raise Problem(404, f"there is no key {name!a}.")
    parts.runtime.keys.revoke(name)
    return Response(status_code=204)
