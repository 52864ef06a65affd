"""What processes tell each other on Postgres; what others hear is held in tests/durable."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from autogen.store import notices
from autogen.store.notices import Notices
from autogen.store.sql import SqlStore


class ClosedJustNow(threading.Event):
    """A wake-up after whose wait somebody else closes, before it is cleared."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__()
        self.over = over

    def clear(self) -> None:
        self.over.set()
        self.set()
        super().clear()


def test_close_ends_the_thread_that_was_just_woken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_GATHER_S", 0.0)
    store = SqlStore(f"sqlite:///{tmp_path}/runs.db")
    told = Notices("postgresql://nobody@127.0.0.1:1/none", store)
    told._there = ClosedJustNow(told._over)
    told.tell()
    told._there.set()
    thread = told._threads["tell"]
    thread.join(10)
    assert not thread.is_alive()
    told.close()
    store.close()
