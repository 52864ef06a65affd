"""The control group of a wall: made, held to, counted, removed; and what happens without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import pytest
from tests.coding.delegated import NotHere, delegated

from autogen.coding import bubblewrap, group, walls
from autogen.coding.group import Group, make_group

#: What is written of a group, by version.
LIMITS = {
    "v1": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "v2": ("memory.max", "memory.swap.max"),
}


@pytest.fixture(autouse=True)
def _fresh_places():
    group._places.cache_clear()
    yield
    group._places.cache_clear()


class Machine:
    """Trees of files as kernels lay them out, which let themselves be written to."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.top = root, root / "sys/fs/cgroup"
        # A real group comes with its files, and goes with them.
        real_mkdir, real_rmdir = os.mkdir, os.rmdir

        def mkdir(path, *args, **options):
            real_mkdir(path, *args, **options)
            if group.PREFIX in str(path):
                self.fill(Path(path))

        def rmdir(path, *args, **options):
            for one in Path(path).iterdir():
                one.unlink()
            real_rmdir(path, *args, **options)

        monkeypatch.setattr(group.os, "mkdir", mkdir)
        monkeypatch.setattr(group.os, "rmdir", rmdir)

    def write(self, files: dict[str, str | None]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                # A file that refuses to be written, as that of a group with processes does.
                path.mkdir()
            else:
                path.write_text(text)

    def fill(self, folder: Path) -> None:
        names = ["cgroup.procs"]
        version = "v2" if (self.top / "cgroup.controllers").exists() else "v1"
        if version == "v2" or "memory" in folder.parts:
            names += [*LIMITS[version], "memory.events", "memory.oom_control"]
        if version == "v2" or "pids" in folder.parts:
            names.append("pids.max")
        for name in names:
            (folder / name).write_text("oom_kill 0\n" if "mem" in name else "")

    def make(self) -> Group | None:
        return make_group(memory_mb=100, disk_mb=20, processes=30, root=str(self.root))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def v1(*, unified: bool = False) -> dict[str, str | None]:
    own = f"{os.getpid()}\n"
    tail = "0::/\n" if unified else ""
    return {
        "proc/self/cgroup": f"8:pids:/\n4:memory:/a/b\n{tail}",
        "sys/fs/cgroup/memory/a/b/cgroup.procs": own,
        "sys/fs/cgroup/pids/cgroup.procs": own,
    }


def v2(path: str, *, enabled_at: str = "", limited: str = "") -> dict[str, str | None]:
    """A program in the group `path`; one above can make others with limits, one is limited."""
    enabled = {path: None, enabled_at: "memory pids\n"}
    files = {"proc/self/cgroup": f"0::{path}\n"}
    folders = ["", *("/".join(path.split("/")[: n + 1]) for n in range(1, path.count("/") + 1))]
    for folder in folders if path != "/" else [""]:
        here = f"sys/fs/cgroup{folder}"
        files |= {
            f"{here}/cgroup.controllers": "cpu memory pids\n",
            f"{here}/cgroup.procs": f"{os.getpid()}\n" if folder in (path, "") else "",
            f"{here}/cgroup.subtree_control": enabled.get(folder, ""),
            f"{here}/memory.max": "1000000\n" if folder == limited else "max\n",
            f"{here}/pids.max": "4915\n",
        }
    return files


def read(folder: str, name: str) -> str:
    return Path(folder, name).read_text()


@pytest.mark.parametrize("kind", ["v1", "hybrid"])
def test_with_version_1_a_group_is_made_for_each_controller_below_its_own(machine, kind):
    machine.write(v1(unified=kind == "hybrid"))
    made = machine.make()
    assert (made.kind, made.controllers) == (kind, ("memory", "pids"))
    memory, pids = made.folders
    assert Path(memory).parent == machine.top / "memory/a/b"
    assert Path(pids).parent == machine.top / "pids"
    # Memory and what may be written to file systems in memory, and room for the runner.
    assert [read(memory, name) for name in LIMITS["v1"]] == [str((100 + 20 + 128) << 20)] * 2
    assert read(pids, "pids.max") == "33"
    made.take(4711)
    assert [read(one, "cgroup.procs") for one in made.folders] == ["4711"] * 2
    made.remove()
    assert not any(map(os.path.exists, made.folders))


def test_with_version_1_one_controller_alone_is_taken(machine):
    files = v1()
    files["proc/self/cgroup"] = "8:pids:/\n"
    machine.write(files)
    made = machine.make()
    assert made.controllers == ("pids",)
    assert str(made) == "a cgroup (v1) of each wall limits processes of all together"
    assert made.kills() == 0


def test_with_version_2_one_group_holds_everything(machine):
    machine.write(v2("/app.slice/x.scope", enabled_at="/app.slice"))
    made = machine.make()
    assert (made.kind, made.controllers) == ("v2", ("memory", "pids"))
    (folder,) = made.folders
    assert Path(folder).parent == machine.top / "app.slice"
    assert read(folder, "memory.max") == str(248 << 20)
    assert read(folder, "memory.swap.max") == "0"
    assert read(folder, "pids.max") == "33"


def test_limit_of_memory_is_never_left_behind(machine):
    machine.write(v2("/app.slice/x.scope", enabled_at="/app.slice", limited="/app.slice/x.scope"))
    assert machine.make() is None


def test_group_handed_to_the_program_is_opened_for_others(machine):
    machine.write(v2("/x.service/main"))
    made = machine.make()
    assert Path(made.folders[0]).parent == machine.top / "x.service"
    opened = (machine.top / "x.service/cgroup.subtree_control").read_text()
    assert set(opened.split()) == {"+memory", "+pids"}


@pytest.mark.parametrize("path", ["/../../elsewhere", "/"])
def test_group_that_is_another_s_is_left_alone(machine, path):
    """A container may be shown the groups of its host, or be called what it is called outside."""
    machine.write(v2("/"))
    machine.write({"proc/self/cgroup": f"0::{path}\n", "sys/fs/cgroup/cgroup.procs": "1\n2\n"})
    assert machine.make() is None


def test_no_groups_at_all_are_none(machine):
    machine.write({"proc/self/cgroup": ""})
    assert machine.make() is None


def test_groups_of_dead_programs_are_removed_and_no_others(machine):
    machine.write(v1())
    space, own = group._pid_space(), group._started(os.getpid())
    names = {
        "dead": f"{space}-4194999-17-1",
        "reused": f"{space}-{os.getpid()}-{own - 1}-1",
        "own": f"{space}-{os.getpid()}-{own}-1",
        "elsewhere": f"{space + 1}-4194999-17-1",
    }
    pids = machine.top / "pids"
    for name in (*names.values(), "not-one"):
        (pids / (name if name == "not-one" else group.PREFIX + name)).mkdir()
    made = machine.make()
    left = {path.name.removeprefix(group.PREFIX) for path in pids.iterdir() if path.is_dir()}
    mine = Path(made.folders[1]).name.removeprefix(group.PREFIX)
    assert left == {names["own"], names["elsewhere"], "not-one", mine}


# -- real ones -------------------------------------------------------------------------------------


@pytest.fixture
def grouped(sandbox, run, require_part):
    """A sandbox that is up, whose wall has a group."""

    def make(**options):
        box = sandbox(**options)
        run(box, "pass")
        if box._held.link.group is None:
            require_part(
                "cgroups that can be written",
                because="no group can be made below this program's",
                do="run as root, or where a service manager hands groups over",
            )
        return box

    return make


@pytest.mark.wall
def test_wall_is_in_a_group_and_the_program_is_not(grouped):
    box = grouped()
    for folder in box._held.link.group.folders:
        inside = set(map(int, read(folder, "cgroup.procs").split()))
        assert inside
        assert os.getpid() not in inside


@pytest.mark.wall
def test_group_goes_with_its_wall(grouped, run, eventually):
    box = grouped()
    folders = box._held.link.group.folders
    run(box, "import subprocess; subprocess.Popen(['sleep', '60'])")
    box.stop()
    assert not any(map(os.path.exists, folders))


@pytest.mark.wall
def test_group_of_a_wall_that_is_killed_goes_too(grouped, run):
    box = grouped()
    folders = box._held.link.group.folders
    box._held.link.process.kill()
    box._held.link.process.wait()
    assert run(box, "print('fine')").output == "fine\n"
    assert not any(map(os.path.exists, folders))


@pytest.mark.wall
def test_group_of_a_program_that_was_killed_is_removed_by_the_next(grouped, run, tmp_path):
    box = grouped()
    parents = [os.path.dirname(folder) for folder in box._held.link.group.folders]
    program = f"""
        import sys
        from autogen.coding import SandboxCommandLineCodeExecutor
        box = SandboxCommandLineCodeExecutor(work_dir={str(tmp_path / "w")!r})
        box.start()
        print(*box._held.link.group.folders, flush=True)
        sys.stdin.read()
    """
    argv = [sys.executable, "-c", textwrap.dedent(program)]
    killed = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    left = killed.stdout.readline().split()
    assert [os.path.dirname(one) for one in left] == parents
    killed.kill()
    killed.communicate()
    assert all(map(os.path.exists, left))
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not any(map(os.path.exists, left))


@pytest.mark.wall
def test_memory_that_the_kernel_ended_a_block_for_is_told(grouped, run):
    code = """
import os
kept = [os.memfd_create("x") for _ in range(20)]
for one in kept:
    for _ in range(30):
        os.write(one, bytes(1 << 20))
"""
    box = grouped(memory_mb=128, disk_mb=32)
    result = run(box, code)
    assert result.exit_code == 137
    assert "The block ran out of memory (limit 128 MB)." in result.output
    # It is told of that block only.
    assert run(box, "raise SystemExit(3)").output == ""


@pytest.mark.wall
def test_block_goes_before_its_runner_when_memory_is_short(sandbox, run):
    told = run(sandbox(), "print(open('/proc/self/oom_score_adj').read())")
    assert told.output.strip() == "1000"


@pytest.mark.wall
def test_wall_stands_without_a_group(sandbox, run, monkeypatch):
    monkeypatch.setattr(bubblewrap, "group_for", lambda plan: None)
    box = sandbox()
    assert run(box, "print('fine')").output == "fine\n"
    assert box._held.link.group is None


@pytest.mark.wall
def test_group_that_cannot_be_entered_is_removed_and_the_wall_stands(
    grouped, sandbox, run, monkeypatch
):
    grouped()
    seen = []

    def refuse(self, pid):
        seen.extend(self.folders)
        raise PermissionError("no")

    monkeypatch.setattr(Group, "take", refuse)
    box = sandbox()
    assert run(box, "print('fine')").output == "fine\n"
    assert box._held.link.group is None
    assert seen
    assert not any(map(os.path.exists, seen))


@pytest.mark.wall
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_program_leaves_the_group_to_its_parent(grouped, run):
    box = grouped()
    folders = box._held.link.group.folders
    pid = os.fork()
    if pid == 0:
        box.stop()
        os._exit(0 if all(map(os.path.exists, folders)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert run(box, "print('fine')").output == "fine\n"


@pytest.mark.wall
def test_doctor_says_whether_walls_have_groups(grouped, monkeypatch):
    box = grouped()
    reports = {report.name: report for report in walls.probe()}
    assert str(box._held.link.group) in reports["bubblewrap"].why
    monkeypatch.setattr(bubblewrap, "group_for", lambda plan: None)
    reports = {report.name: report for report in walls.probe()}
    assert "no cgroup of its own can be made for a wall" in reports["bubblewrap"].why


@pytest.mark.wall
def test_user_to_whom_groups_were_handed_makes_them(require_part, tmp_path):
    """What a service manager does for the sessions of users."""
    if os.geteuid() != 0:
        require_part("other users", because="only root can become them", do="run as root")
    try:
        with delegated(f"autogen-test-{os.getpid()}", 4321) as folders:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    for folder in folders:
                        Path(folder, "cgroup.procs").write_text("0")
                    os.setresgid(4321, 4321, 4321)
                    os.setresuid(4321, 4321, 4321)
                    made = make_group(memory_mb=100, disk_mb=20, processes=30)
                    sleeper = subprocess.Popen(["sleep", "60"])
                    made.take(sleeper.pid)
                    there = [str(sleeper.pid) in read(one, "cgroup.procs") for one in made.folders]
                    sleeper.send_signal(signal.SIGKILL)
                    sleeper.wait()
                    made.remove()
                    gone = not any(map(os.path.exists, made.folders))
                    code = 0 if all(there) and len(there) == len(folders) and gone else 2
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    except NotHere as missing:
        require_part("cgroups that can be written", because=str(missing), do="run as root")
