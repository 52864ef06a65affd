"""The three faces of the API, for tests that have one body for all."""

from __future__ import annotations

import pytest

from autogen.testing.face import FACES, Face


@pytest.fixture(params=FACES, ids=str)
def face(request: pytest.FixtureRequest) -> Face:
    chosen: Face = request.param
    return chosen
