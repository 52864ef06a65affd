"""A session of logging that ends while agents of other threads are at work."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from autogen.logger import FileLogger, SqliteLogger


class TakenBefore:
    """A lock that, the first time somebody wants it, goes to whoever ends the session."""

    def __init__(self, logger: Any):
        self._logger = logger
        self._lock = threading.Lock()
        self._was_taken = False

    def __enter__(self) -> None:
        if not self._was_taken:
            self._was_taken = True
            self._logger.stop()
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()


@pytest.mark.parametrize("kind", [FileLogger, SqliteLogger])
def test_an_entry_that_comes_too_late_ends_nothing(kind, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    logger = kind({"filename": "late.log", "dbname": "late.db"})
    logger.start()
    logger.log_event("agent", "in time")
    monkeypatch.setattr(logger, "_lock", TakenBefore(logger))
    logger.log_event("agent", "too late")
    logger.start()
    logger.log_event("agent", "in time again")
    logger.stop()
    kept = "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("late.*") if path.is_file()
    )
    assert kept.count("in time again") == 1
    assert kept.count("too late") == 0
    assert caplog.text == ""
