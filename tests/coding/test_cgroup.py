"""What control groups hold this program to, read from trees of files as kernels lay them out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autogen.coding import walls
from autogen.coding.cgroup import Groups, groups_of


@pytest.fixture
def machine(tmp_path):
    """Writes files below a folder that stands for /, and looks at them."""

    def look(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return groups_of(root=tmp_path)

    return look


def test_version_2_counts_the_tightest_of_a_group_and_those_above(machine):
    found = machine(
        {
            "proc/self/cgroup": "0::/user.slice/app.scope\n",
            "sys/fs/cgroup/cgroup.controllers": "memory pids\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{512 << 20}\n",
            "sys/fs/cgroup/user.slice/pids.max": "max\n",
            "sys/fs/cgroup/user.slice/app.scope/memory.max": "max\n",
            "sys/fs/cgroup/user.slice/app.scope/pids.max": "99\n",
        }
    )
    assert found == Groups(kind="v2", memory_bytes=512 << 20, processes=99)
    assert str(found) == "cgroup v2 holds this program to 512 MB of memory and 99 processes in all"


def test_version_1_and_hybrid(machine):
    files = {
        "proc/self/cgroup": "8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": f"{64 << 20}\n",
        "sys/fs/cgroup/pids/pids.max": "max\n",
    }
    assert machine(files) == Groups(kind="v1", memory_bytes=64 << 20)
    files["proc/self/cgroup"] += "0::/\n"
    assert machine(files) == Groups(kind="hybrid", memory_bytes=64 << 20)


def test_no_limits_are_said_to_be_none(machine):
    assert str(machine({})) == "no cgroup limits this program"
    found = machine(
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cgroup.controllers": "memory pids\n"}
    )
    assert str(found) == "no cgroup limits this program (cgroup v2)"


def test_group_that_is_not_shown_here_counts_as_its_parent(machine):
    found = machine(
        {
            "proc/self/cgroup": "0::/../../elsewhere\n",
            "sys/fs/cgroup/cgroup.controllers": "memory\n",
            "sys/fs/cgroup/memory.max": f"{32 << 20}\n",
        }
    )
    assert found.kind == "v2"


def test_real_group_of_this_process_can_be_read():
    assert groups_of(os.getpid()) == groups_of()


@pytest.mark.wall
def test_real_limit_of_a_group_is_seen(require_part):
    """A group of version 1 or 2 with a limit, made for this test and removed after it."""
    names = {"pids": "/sys/fs/cgroup/pids", "unified": "/sys/fs/cgroup"}
    group = None
    for top in names.values():
        group = Path(top, f"autogen-test-{os.getpid()}")
        try:
            group.mkdir()
            (group / "pids.max").write_text("77")
            break
        except OSError:
            if group.is_dir():
                group.rmdir()
            group = None
    if group is None:
        require_part(
            "cgroups that can be written", because="/sys/fs/cgroup is read-only", do="run as root"
        )
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            (group / "cgroup.procs").write_text(str(child.pid))
            assert groups_of(child.pid).processes == 77
        finally:
            child.kill()
            child.wait()
            group.rmdir()
    assert not group.exists()


@pytest.mark.wall
def test_doctor_says_what_holds_the_limits():
    reports = {report.name: report for report in walls.probe()}
    for name in ("bubblewrap", "landlock"):
        if reports[name].ok:
            assert "watch every 50 ms" in reports[name].why
            assert str(groups_of()) in reports[name].why
