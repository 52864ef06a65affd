"""Databases for the harness, and how long it goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.crash.harness import Harness
from tests.support.postgres import Postgres, serving

#: "long" for `make crash`.
FORM = "AUTOGEN_TEST_CRASH"


@pytest.fixture(scope="session")
def is_long() -> bool:
    return os.environ.get(FORM) == "long"


@pytest.fixture(scope="session")
def postgres(require_part: Callable[..., Any]) -> Iterator[Postgres]:
    with serving(require_part) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def harness(tmp_path: Path, url: str) -> Iterator[Harness]:
    with Harness(tmp_path / "harness", url) as made:
        yield made
