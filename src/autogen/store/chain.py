"""The chain of hashes over the events of a run: each holds the one before it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from ..errors import AutogenError, JournalError
from ..events import Event
from .base import Verdict

__all__ = ["START", "Row", "body_of", "event_of", "json_of", "linked", "verified"]

#: What the first event of a run is linked to.
START = ""

#: How many lists and dicts may stand inside of each other where one of them wants care.
_DEEPEST = 100


class Row(NamedTuple):
    """An event as it lies in the table.

    Attributes:
        pos: Its number in its run.
        key: As in `body`, for looking it up.
        type: As in `body`, for looking it up.
        body: The event as `body_of` gives it.
        n_steps: How many steps had been taken when it happened.
        hash: As `linked` gives it.
    """

    pos: int
    key: str
    type: str
    body: str
    n_steps: int
    hash: str


def body_of(event: Event) -> str:
    """The event as one line of ASCII, without its number, which has a column of its own."""
    record = event.to_dict()
    del record["pos"]
    return json_of(record)


def json_of(value: Any) -> str:
    """`value` as strict JSON in ASCII; what JSON does not know is given as its repr.

    Any text comes back as it was, lone surrogates and NUL characters too, from either database.
    """
    try:
        return json.dumps(value, default=repr, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_made_fit(value, ()), separators=(",", ":"))


def _made_fit(value: Any, around: tuple[int, ...]) -> Any:
    """`value` without what makes `json.dumps` fail: NaN, odd keys, circles, depth."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if id(value) in around or len(around) > _DEEPEST:
        return "..."
    inside = (*around, id(value))
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else repr(key): _made_fit(item, inside)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_made_fit(item, inside) for item in value]
    return repr(value)


def event_of(pos: int, body: str) -> Event:
    """The event again.

    Raises:
        JournalError: It is not as it was written, or a newer version of this package wrote it.
    """
    try:
        return Event.from_dict({**json.loads(body), "pos": pos})
    except (ValueError, TypeError) as error:
        why = str(error) if isinstance(error, AutogenError) else "it was changed"
        raise JournalError(
            f"event {pos} cannot be read: {why}. `autogen verify` says where a run was changed."
        ) from error


def linked(before: str, pos: int, body: str, n_steps: int | None) -> str:
    """The hash of an event after one with the hash `before`.

    Without `n_steps` it is the one that was written before version 0005 of the tables.
    """
    steps = "" if n_steps is None else f"{n_steps}\n"
    # A body is one line: nobody can take the number of steps for a part of it.
    return sha256(f"{before}\n{pos}\n{steps}{body}".encode()).hexdigest()


def _is_linked(before: str, row: Row) -> bool:
    return row.hash in (linked(before, row.pos, row.body, n) for n in (row.n_steps, None))


def _is_found_by(run_id: str, row: Row) -> bool:
    """Whether what an event is looked up by is what it says; its body is as it was written."""
    said = json.loads(row.body)
    return (said["run_id"], said["key"], said["type"]) == (run_id, row.key, row.type)


def verified(run_id: str, rows: Iterable[Row], last_pos: int, last_hash: str) -> Verdict:
    """Whether all events of a run fit together and to its end."""
    before, n = START, 0
    for row in rows:
        pos = row.pos
        if pos <= n:
            return Verdict(False, n, pos, f"event {pos} was put in")
        if pos != n + 1:
            return Verdict(False, n, n + 1, f"event {n + 1} is missing")
        if not _is_linked(before, row) or not _is_found_by(run_id, row):
            return Verdict(False, n, pos, f"event {pos} is not as it was written")
        before, n = row.hash, pos
    if n > last_pos:
        text = f"event {last_pos + 1} and those after it were put in"
        return Verdict(False, n, last_pos + 1, text)
    if n < last_pos:
        return Verdict(False, n, n + 1, f"event {n + 1} and those after it are missing")
    if before != last_hash:
        return Verdict(False, n, n, f"event {n} is not as it was written")
    return Verdict(True, n, None, f"all {n} events are as they were written")
