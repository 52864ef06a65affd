"""A journal in memory: for tests, and to run a chat again from what was recorded of it."""

from __future__ import annotations

import json

from .._kernel.recorder import Entry
from .base import from_record, record_of

__all__ = ["MemoryLog"]


class MemoryLog:
    """A log that lives as long as the process. Entries make the way through JSON all the same."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def append(self, entry: Entry) -> None:
        """Keep `entry`."""
        self._lines.append(json.dumps([entry.kind, entry.position, record_of(entry)]))

    def entries(self) -> list[Entry]:
        """What was kept, oldest first."""
        return [
            from_record(kind, position, record)
            for kind, position, record in map(json.loads, self._lines)
        ]

    def close(self, *, is_finished: bool) -> None:
        """Nothing to let go of."""
