"""A database of its own for each test, the faces of the API, and workers in the test's process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import postgres_server, postgres_url  # noqa: F401 fixtures

from autogen import Runtime
from autogen._durable.database import Database
from autogen.runtime import teams
from autogen.runtime.worker import Worker

Until = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of a new SQLite database; whatever opened it is closed after the test."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    yield url
    Database.at(url).close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, database: str) -> str:
    chosen: str = database if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return chosen


@pytest.fixture
def until(wait_s: float) -> Until:
    """Waits until something is true, or fails."""

    def wait(condition: Callable[[], Any]) -> Any:
        deadline_s = time.monotonic() + wait_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, "waited too long"
            time.sleep(0.01)
        return found

    return wait


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`autogen.team`, for teams that are forgotten after the test."""
    monkeypatch.setattr(teams, "_teams", {})
    return teams.team


@pytest.fixture
def working(url: str, known: Any) -> Iterator[Callable[[], Runtime]]:
    """Starts a worker for the teams that the test registered; gives the runtime to watch it by."""
    started: list[tuple[Runtime, Worker]] = []

    def start() -> Runtime:
        runtime = Runtime(url)
        worker = runtime.worker()
        worker.start()
        started.append((runtime, worker))
        return runtime

    yield start
    for runtime, worker in started:
        worker.stop()
        runtime.close()
