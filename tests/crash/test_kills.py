"""Workers die at random moments."""

from __future__ import annotations

import pytest
from tests.crash.campaigns import die_at_random
from tests.crash.harness import Harness

pytestmark = [pytest.mark.timeout(900)]


def test_deaths_at_random_moments_change_nothing(harness: Harness, is_long: bool) -> None:
    die_at_random(harness, 100 if is_long else 20)
    assert harness.n_busy_kills >= 20
