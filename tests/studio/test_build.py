"""The committed page is what its sources give, and the tests of its parts pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

NO_PACKAGES = 69

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("studio-build")]


@pytest.mark.parametrize("what", ["--check", "--test"])
def test_page(what, require_part):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "studio.py", what],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    if done.returncode == NO_PACKAGES:
        require_part(
            "the packages that the studio is built with",
            because="no registry of npm could be reached",
            do="connect to the network, or configure a mirror for npm",
        )
    assert done.returncode == 0, done.stdout + done.stderr
