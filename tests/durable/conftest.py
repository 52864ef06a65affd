"""A database of its own for each test, and the faces of the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autogen._durable.database import Database
from autogen.testing.face import FACES, Face


@pytest.fixture(params=FACES, ids=str)
def face(request: pytest.FixtureRequest) -> Face:
    chosen: Face = request.param
    return chosen


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of a new SQLite database; whatever opened it is closed after the test."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    yield url
    Database.at(url).close()
