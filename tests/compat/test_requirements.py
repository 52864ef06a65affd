"""The table of behaviours and the tests belong together, in both directions."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.compat.requirements import AREAS, REQUIREMENTS, held_by, requirement

ROOT = Path(__file__).resolve().parents[2]


def test_every_requirement_has_a_test() -> None:
    named = held_by()
    assert [one for one in REQUIREMENTS if one not in named] == []


def test_every_named_requirement_exists() -> None:
    unknown = {one: tests for one, tests in held_by().items() if one not in REQUIREMENTS}
    assert unknown == {}


def test_no_requirement_stands_twice() -> None:
    counts = Counter(row.id for rows in AREAS.values() for row in rows)
    assert [one for one, n in counts.items() if n > 1] == []


def test_each_row_has_an_id_a_sentence_and_a_verdict() -> None:
    for row in REQUIREMENTS.values():
        assert re.fullmatch(r"[a-z0-9]+(:[a-z0-9-]+){1,3}", row.id), row.id
        assert row.says.endswith("."), row.says
        assert re.fullmatch(r"same|better: .+[^.]", row.verdict), row.verdict


def test_a_test_cannot_name_an_unknown_row() -> None:
    with pytest.raises(LookupError, match="no:such:row"):
        requirement("no:such:row")


def test_the_published_table_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build_compatibility.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
