"""Routes of keys: add, list, revoke."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from ..store.base import KeyRecord
from .callers import SCOPES, CallerOf, needs
from .common import PartsOf, router
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
def list_keys(parts: PartsOf, caller: CallerOf) -> Response:
    """The caller's keys, the oldest first, revoked ones included; `admin` sees everybody's."""
    found = [one for one in parts.runtime.keys.all() if caller.owns(one.owner)]
    return as_json({"items": [_told(record) for record in found]})


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
    owner = asked.owner if caller.sees is None else caller.id
    key, record = parts.runtime.keys.add(
        asked.name,
        scopes=asked.scopes,
        owner=owner,
        per_minute=asked.per_minute,
        budget=asked.budget,
        days=asked.days,
    )
    return as_json({**_told(record), "key": key}, 201)


@keys.delete("/keys/{name}", status_code=204, dependencies=[needs("keys:admin")])
def revoke_key(parts: PartsOf, caller: CallerOf, name: Name) -> Response:
    """Have a key hold no longer, within two seconds on every server."""
    its = [one for one in parts.runtime.keys.all() if one.name == name and caller.owns(one.owner)]
    if not its:
        raise Problem(404, f"there is no key {name!a}.")
    parts.runtime.keys.revoke(name)
    return Response(status_code=204)
