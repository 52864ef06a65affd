"""The chain of hashes over the events of a run: each holds the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from ..events import Event
from .base import Verdict

__all__ = ["START", "body_of", "event_of", "linked", "verified"]

#: What the first event of a run is linked to.
START = ""


def body_of(event: Event) -> str:
    """The event as one line of ASCII, without its number, which has a column of its own."""
    record = event.to_dict()
    del record["pos"]
    return json.dumps(record, default=repr, separators=(",", ":"))


def event_of(pos: int, body: str) -> Event:
    """The event again."""
    return Event.from_dict({**json.loads(body), "pos": pos})


def linked(before: str, pos: int, body: str) -> str:
    """The hash of an event after one with the hash `before`."""
    return sha256(f"{before}\n{pos}\n{body}".encode()).hexdigest()


def verified(rows: Iterable[tuple[int, str, str]], last_pos: int, last_hash: str) -> Verdict:
    """Whether (number, body, hash) of all events of a run fit together and to its end."""
    before, n = START, 0
    for pos, body, kept in rows:
        if pos != n + 1:
            return Verdict(False, n, n + 1, f"event {n + 1} is missing")
        if linked(before, pos, body) != kept:
            return Verdict(False, n, pos, f"event {pos} is not as it was written")
        before, n = kept, pos
    if n != last_pos:
        return Verdict(False, n, n + 1, f"event {n + 1} and those after it are missing")
    if before != last_hash:
        return Verdict(False, n, n, f"event {n} is not as it was written")
    return Verdict(True, n, None, f"all {n} events are as they were written")
