"""The public names and signatures are those written down in `api.txt`.

A change of the public API is wanted or it is an accident; the snapshot makes it visible in the same
change.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_public_api_is_the_one_written_down():
    # A process of its own: what other tests imported or patched must not show.
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "api.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}\n"
        "The public API differs from tests/house/api.txt. If the change is wanted, run `make api`, "
        "commit the file, and say it in CHANGELOG.md."
    )
