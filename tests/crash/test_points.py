"""Workers die at every place where two things are written one after the other."""

from __future__ import annotations

import pytest
from tests.crash.campaigns import die_at_every_point
from tests.crash.harness import Harness

pytestmark = [pytest.mark.timeout(900)]


def test_a_death_at_any_point_changes_nothing(harness: Harness, is_long: bool) -> None:
    """On the file; the server too where there is time."""
    if harness.url.startswith("postgres") and not is_long:
        from tests.crash.points import NAMES

        # What the database itself has a part in.
        few = tuple(name for name in NAMES if "commit" in name or "claim" in name)
        assert die_at_every_point(harness, few) == []
    else:
        assert die_at_every_point(harness) == []
