"""An append-only file of what really happened, written by every process of the harness.

One line is one `write` on a descriptor opened with O_APPEND, so that a process which is killed
leaves whole lines.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["ENVIRONMENT", "mark", "marks"]

#: Names the file.
ENVIRONMENT = "CRASH_AUDIT"


def mark(what: str, **facts: Any) -> None:
    """Write a line: that `what` happened in this process."""
    line = json.dumps({"what": what, "pid": os.getpid(), "at": time.time(), **facts}) + "\n"
    place = os.open(os.environ[ENVIRONMENT], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(place, line.encode())
    finally:
        os.close(place)


def marks(path: Path, what: str | None = None) -> list[dict[str, Any]]:
    """The lines of the file, those of `what` only."""
    if not path.exists():
        return []
    lines = map(json.loads, path.read_text().splitlines())
    return [line for line in lines if what is None or line["what"] == what]
