"""The walls for an ordinary user, and Landlock for root, tried by becoming one of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

import autogen
from autogen.coding import landlock
from autogen.coding.landlock_entry import abi

pytestmark = pytest.mark.wall

PYTHON = "/usr/bin/python3"

PROGRAM = """
import json, os, sys
from autogen.coding import CodeBlock, SandboxCommandLineCodeExecutor
box = SandboxCommandLineCodeExecutor(
    work_dir=sys.argv[1], wall=sys.argv[2], timeout=5, processes=50, memory_mb=256)
def run(code, language="python"):
    result = box.execute_code_blocks([CodeBlock(code=code, language=language)])
    return [result.exit_code, result.output]
facts = {
    "id": run("import os; print(os.getuid() == %d or os.getuid() > 60000)" % os.getuid()),
    "file": run("open('made', 'w').write('x')"),
    "home": run("import os; os.listdir(%r)" % os.path.expanduser("~"))[0],
    "sysctl": run("open('/proc/sys/kernel/hostname', 'w').write('x')")[0],
    "forks": run("import os\\nwhile True: os.fork()")[0],
    "memory": run("x = []\\nwhile True: x.append(bytes(1 << 20))")[1][-60:],
    "userns": run("unshare -U true", "sh")[0],
    "after": run("print('fine')"),
}
box.stop()
print(json.dumps(facts))
"""


@pytest.mark.parametrize("wall, uid", [("bubblewrap", 4321), ("landlock", 4321), ("landlock", 0)])
def test_every_user_gets_a_wall(sandbox, require_part, wall, uid):
    if os.name != "posix" or os.geteuid() != 0:
        require_part("other users", because="only root can become them", do="run the tests as root")
    if wall == "bubblewrap":
        sandbox()
    elif abi() < landlock.ABI_SIGNALS:
        require_part(wall, because="the kernel has none or an old one", do="use Linux 6.12")
    setpriv = shutil.which("setpriv")
    version = subprocess.run([PYTHON, "-V"], capture_output=True, text=True, check=False)
    wanted = f"Python {sys.version_info[0]}.{sys.version_info[1]}."
    if setpriv is None or not version.stdout.startswith(wanted):
        require_part(
            "ordinary user",
            because=f"{PYTHON} is not {wanted}x or setpriv is missing",
            do="install python3 and util-linux",
        )
    # Below /tmp itself: the folders of pytest are closed to others.
    base = Path("/tmp", f"autogen-user-test-{os.getpid()}")
    libraries = Path(pydantic.__file__).parents[1]
    try:
        shutil.copytree(
            Path(autogen.__file__).parent,
            base / "autogen",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name in ("pydantic", "pydantic_core", "annotated_types", "typing_inspection"):
            shutil.copytree(libraries / name, base / name)
        shutil.copy(libraries / "typing_extensions.py", base)
        (base / "work").mkdir()
        (base / f"cache-{uid}").mkdir()
        os.chown(base / f"cache-{uid}", uid, uid)
        os.chown(base / "work", uid, uid)
        done = subprocess.run(
            [
                *(setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
                *(PYTHON, "-c", PROGRAM, str(base / "work"), wall),
            ],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": "/root",
                "XDG_CACHE_HOME": str(base / f"cache-{uid}"),
                "PYTHONPATH": str(base),
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert (base / "work" / "made").stat().st_uid == uid
    finally:
        shutil.rmtree(base, ignore_errors=True)
    assert facts["id"] == [0, "True\n"]
    assert facts["file"] == [0, ""]
    assert facts["home"] != 0
    assert facts["sysctl"] == 1
    assert facts["forks"] != 0
    assert "ran out of memory (limit 256 MB)" in facts["memory"]
    assert facts["userns"] != 0
    assert facts["after"] == [0, "fine\n"]
