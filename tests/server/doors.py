"""What the tests of doors share."""

from __future__ import annotations

from pathlib import Path

TEAMS = Path(__file__).parent / "door_teams"

#: No answer takes longer.
WAIT_S = 15.0
