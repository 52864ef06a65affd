"""`import autogen` loads the standard library and this package, nothing else.

Third-party packages come when something needs them. How long the import takes is measured in
`benchmarks/`; what it loads is the cause, and that is exact.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# Compares with what was loaded before, because site-packages may load modules of its own at the
# start (.pth files).
PROBE = """
import sys
before = set(sys.modules)
import {module}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
import json
print(json.dumps(sorted(loaded - set(sys.stdlib_module_names) - {{"{module}"}})))
"""


def third_party_modules_loaded_by(module: str, folder: Path | None = None) -> list[str]:
    """The top-level names outside the standard library that importing a module brings in."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if folder is not None:
        env["PYTHONPATH"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout)
    return names


def test_import_autogen_loads_no_third_party_module():
    assert third_party_modules_loaded_by("autogen") == []


def test_probe_sees_a_third_party_module(tmp_path):
    (tmp_path / "heavy.py").write_text("import yaml\n", encoding="utf-8")
    assert "yaml" in third_party_modules_loaded_by("heavy", tmp_path)
