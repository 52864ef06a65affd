"""Whether a run of a command is recorded, and what it is called."""

from __future__ import annotations

import importlib.util
import secrets
from dataclasses import dataclass

from ..errors import UsageError
from .outcome import say

__all__ = ["INSTALL_DURABLE", "Recording", "recording"]

INSTALL_DURABLE = 'pip install -e ".[durable]" in a clone of autogen-next.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """How a run is recorded.

    Attributes:
        run_id: None where it is not recorded.
        database: Its URL; None for the usual one.
    """

    run_id: str | None
    database: str | None


def recording(stem: str, *, run_id: str | None, database: str | None) -> Recording:
    """How a run is recorded here; one line on stderr says so where it is not.

    Args:
        stem: What a name that is made up begins with.
        run_id: The name that was asked for.
        database: The URL that was asked for.

    Raises:
        UsageError: It was to be recorded, and what records is not installed.
    """
    if importlib.util.find_spec("dbos") is not None:
        return Recording(run_id=run_id or f"{stem}-{secrets.token_hex(3)}", database=database)
    if run_id is not None or database is not None:
        raise UsageError(
            '--id and --database are for recorded runs, which need the extra "durable": '
            + INSTALL_DURABLE
        )
    say(f'This run is not recorded; that needs the extra "durable": {INSTALL_DURABLE}')
    return Recording(run_id=None, database=None)
