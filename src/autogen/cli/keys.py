"""`autogen keys`: who may ask a server. A key is printed when it is made, and never again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from ..errors import UsageError
from ..runtime.runtime import Runtime
from ..store.base import KeyRecord
from .outcome import ExitCode, exit_with_words, say
from .pen import harmless

__all__ = ["add_key", "list_keys", "revoke_key"]


def add_key(
    name: str,
    *,
    scopes: Sequence[str],
    owner: str | None,
    per_minute: int | None,
    budget: str | None,
    budget_usd: float | None,
    days: float | None,
    database: str | None,
    debug: bool,
) -> int:
    """Make a key; only the key itself goes to stdout."""
    with exit_with_words(debug=debug), Runtime(database) as runtime:
        known = _scopes()
        for scope in scopes:
            if scope not in known:
                raise UsageError(f"there is no scope {scope!r}; there are: {', '.join(known)}.")
        if budget is not None and not runtime.budgets([budget]):
            raise UsageError(
                f"there is no budget {budget!r}; make it with PUT /api/v1/budgets/NAME, or give "
                "the key one of its own with --budget-usd."
            )
        own = f"key {name}" if budget_usd is not None else None
        if own is not None and budget is not None:
            raise UsageError("a key has one budget: give --budget or --budget-usd.")
        budget = budget or own
        key, record = runtime.keys.add(
            name, scopes=scopes, owner=owner, per_minute=per_minute, budget=budget, days=days
        )
        if own is not None:
            runtime.budget(own, usd=budget_usd)
        say(f"key {record.name!r} of {record.owner!r}; keep it, it is not shown again:")
        print(key)
    return int(ExitCode.DONE)


def _scopes() -> Sequence[str]:
    try:
        from ..server.callers import SCOPES
    except ModuleNotFoundError as error:
        raise UsageError(
            'autogen keys needs the extras "server" and "durable": '
            'pip install -e ".[server,durable]" in a clone of autogen-next.'
        ) from error
    return tuple(SCOPES)


def list_keys(*, as_json: bool, database: str | None, debug: bool) -> int:
    """Print what is known of every key."""
    with exit_with_words(debug=debug), Runtime(database) as runtime:
        for record in runtime.keys.all():
            if as_json:
                told = {**asdict(record), "scopes": sorted(record.scopes)}
                print(json.dumps(told, default=_plain))
            else:
                print(_line(record))
    return int(ExitCode.DONE)


def _plain(value: datetime) -> str:
    return value.isoformat()


def _line(record: KeyRecord) -> str:
    parts = [record.name, f"of {record.owner}", ",".join(sorted(record.scopes))]
    if record.per_minute is not None:
        parts.append(f"{record.per_minute} a minute")
    if record.budget is not None:
        parts.append(f"budget {record.budget}")
    for words, at in (
        ("until", record.expires_at),
        ("revoked", record.revoked_at),
        ("used", record.used_at),
    ):
        if at is not None:
            parts.append(f"{words} {at:%Y-%m-%d %H:%M}")
    return harmless("  ".join(parts))


def revoke_key(name: str, *, database: str | None, debug: bool) -> int:
    """Have a key hold no longer."""
    with exit_with_words(debug=debug), Runtime(database) as runtime:
        record = runtime.keys.revoke(name)
        say(f"revoked; servers know within two seconds, and list it as {record.name!r}.")
    return int(ExitCode.DONE)
