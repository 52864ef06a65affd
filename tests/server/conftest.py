"""One server for the tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.server.doors import TEAMS
from tests.server.serving import Serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("server")
    serving = Serving(f"sqlite:///{folder / 'runs.db'}")
    yield serving
    assert serving.stop() == 0
    assert serving.token not in "".join(serving.said[2:])
    assert "Traceback" not in "".join(serving.said)


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of teams for the doors of other protocols."""
    folder = tmp_path_factory.mktemp("doors")
    serving = Serving(f"sqlite:///{folder / 'runs.db'}", teams=TEAMS)
    yield serving
    assert serving.stop() == 0
    assert serving.token not in "".join(serving.said[2:])
    assert "Traceback" not in "".join(serving.said)
