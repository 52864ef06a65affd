from __future__ import annotations

import pytest

from autogen.testing import FACES, Face


@pytest.fixture(params=FACES, ids=str)
def face(request: pytest.FixtureRequest) -> Face:
    found: Face = request.param
    return found
