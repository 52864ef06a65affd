"""Hostile code behind Landlock, the wall for machines that forbid namespaces."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pydantic
import pytest

from autogen._kernel.cancel import CancelToken
from autogen._kernel.run import Run, entered
from autogen.coding import SandboxCommandLineCodeExecutor, landlock
from autogen.coding.interpreter import Interpreter
from autogen.coding.landlock import second_filter
from autogen.coding.walls import probe
from autogen.errors import ExecutionError, NoWallError, RunCancelled
from autogen.testing.conformance.executor import conformance_tests

pytestmark = pytest.mark.wall

SYSTEM_PYTHON = Path("/usr/bin/python3")
#: What the probe says where the Python of this process lies in a folder that only root may enter.
CLOSED = "is closed to others"

test_conformance = conformance_tests("make", walled=True, limited=True)


@pytest.fixture
def place(monkeypatch):
    """A folder that others may pass through, as the wall's own id has to."""
    folder = Path(tempfile.mkdtemp(prefix="autogen-landlock-test-"))
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stands():
    report = probe()[1]
    is_closed = CLOSED in report.why and SYSTEM_PYTHON.exists()
    return report.ok or is_closed, is_closed, report


@pytest.fixture
def open_python(place, stands, monkeypatch):
    """Where root's Python lies in a folder that is closed to others: the system's, inside."""
    if not stands[1]:
        return sys.executable
    real, inner = landlock.start_wall, system_python()

    def start_wall(plan, *, waker=None):
        return real(replace(plan, interpreter=inner), waker=waker)

    copy = shutil.copytree(landlock.RUNNER.parents[1], place / "cache" / "source" / "autogen")
    monkeypatch.setattr(landlock, "RUNNER", copy / "coding" / "runner.py")
    monkeypatch.setattr(landlock, "start_wall", start_wall)
    # For programs that put up a wall of their own; root may read the packages where they are.
    site = Path(pydantic.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{copy.parent}:{site}")
    return str(SYSTEM_PYTHON)


@pytest.fixture
def make(place, open_python, stands, require_part):
    made = []

    def start(**options):
        options = {"work_dir": place / "work", "timeout": 20, "wall": "landlock", **options}
        made.append(SandboxCommandLineCodeExecutor(**options))
        return made[-1]

    ok, _, report = stands
    if not ok:
        require_part("landlock", because=report.why, do=report.remedy)
    yield start
    for executor in made:
        executor.stop()


def system_python():
    return Interpreter(
        executable=str(SYSTEM_PYTHON), folders=("/usr",), links=(), site_folders=(), venv=None
    )


@pytest.fixture
def box(make):
    return make(timeout=5, memory_mb=256, processes=50, disk_mb=32)


def supervisor(executor):
    return executor._held.link.process


def running(pids):
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_blocks_run_and_their_files_belong_to_the_owner_of_the_folder(box, run, place):
    (place / "work" / "given.txt").write_text("old")
    assert (
        run(box, "open('made.txt', 'w').write('x'); open('given.txt', 'w').write('new')").output
        == ""
    )
    assert run(box, "echo y >> made.txt; cat made.txt given.txt", "sh").output == "xy\nnew"
    assert {path.stat().st_uid for path in (place / "work").iterdir()} == {os.getuid()}
    code = (
        "import os; os.makedirs('a/b'); open('a/b/c', 'w').close(); os.symlink('/etc/shadow', 'l')"
    )
    run(box, code)
    assert (place / "work/a/b/c").stat().st_uid == os.getuid()
    assert Path("/etc/shadow").stat().st_uid == 0


def test_home_temporary_folder_and_processes_work(box, run):
    code = """
import pathlib, subprocess, sys, tempfile, multiprocessing, threading, asyncio
(pathlib.Path.home() / "x").write_text("x"); tempfile.mkstemp()
print(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True).stdout)
reader, writer = multiprocessing.Pipe()
child = multiprocessing.Process(target=writer.send, args=(2,)); child.start(); print(reader.recv())
child.join(); asyncio.run(asyncio.sleep(0)); print(pathlib.Path.cwd().name)
"""
    assert run(box, code).output == "1\n\n2\nwork\n"


def test_files_of_the_host_cannot_be_opened(survives, place):
    secret = place / "secret"
    secret.write_text("key")
    secret.chmod(0o644)
    for path in (secret, "/etc/passwd", "/etc/hostname", "/etc/shadow", "/sys/kernel", "/tmp", "/"):
        assert "denied" in survives(f"import os; os.open({str(path)!r}, os.O_RDONLY)").output


@pytest.mark.parametrize(
    "path", ["/tmp/x", "/usr/x", "/dev/shm/x", "/proc/sys/kernel/hostname", "../x", "/var/tmp/x"]
)
def test_nothing_outside_can_be_written(survives, path):
    assert survives(f"open({path!r}, 'w').write('x')").exit_code == 1


def test_files_outside_cannot_be_cut_moved_linked_or_changed(survives, place):
    outside = place / "outside"
    outside.write_text("precious")
    outside.chmod(0o666)
    os.utime(outside, (1, 1))
    code = f"""
import os
there = {str(outside)!r}
for act in (
    lambda: os.truncate(there, 0), lambda: os.rename(there, "here"), lambda: os.link(there, "hard"),
    lambda: os.unlink(there), lambda: os.chmod(there, 0), lambda: os.utime(there, (5, 5)),
    lambda: os.setxattr(there, "user.x", b"x"), lambda: os.symlink("x", there + "2"),
    lambda: os.chown(there, os.getuid(), os.getgid()),
):
    try: act()
    except OSError: pass
"""
    survives(code)
    state = outside.stat()
    assert (outside.read_text(), state.st_mode & 0o777, state.st_mtime) == ("precious", 0o666, 1)
    assert os.listxattr(outside) == []
    assert sorted(path.name for path in place.iterdir()) == ["cache", "outside", "work"]


def test_artifacts_are_not_read_through_links(survives):
    code = "import os\nos.symlink('/etc/passwd', 'a.txt'); os.symlink('/', 'root'); os.mkfifo('f')"
    assert survives(code).artifacts == ()


def test_there_are_no_sockets(survives):
    name = f"\0autogen-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server, socket.create_server(("127.0.0.1", 0)) as other:
        server.bind(name)
        server.listen()
        port = other.getsockname()[1]
        code = f"""
import socket
for family, kind in ((2, 1), (2, 2), (10, 1), (10, 2), (1, 1), (1, 2), (16, 3), (40, 1), (17, 3)):
    try: socket.socket(family, kind); print("OPEN", family, kind)
    except OSError: pass
try: socket.create_connection(("127.0.0.1", {port}), timeout=2); print("OUT")
except OSError: print("no")
one, other = socket.socketpair(); one.send(b"x"); print(other.recv(1))
"""
        assert survives(code).output == "no\nb'x'\n"


def test_processes_of_the_host_are_left_alone(survives):
    code = f"""
import ctypes, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)
host = {os.getpid()}
for name in ("environ", "mem", "maps", "fd/0", "cwd/x"):
    try: open(f"/proc/{{host}}/{{name}}", "rb").read(1); print("READ", name)
    except OSError: pass
for pid in (host, os.getppid(), 1):
    for number in (signal.SIGTERM, signal.SIGSTOP, 0):
        try: os.kill(pid, number); print("SIGNALLED", pid)
        except OSError: pass
    try: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)); print("LIMITED", pid)
    except OSError: pass
    if libc.ptrace(16, pid, 0, 0) != -1: print("TRACED", pid)
"""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert survives(code).output == ""
    assert os.getpriority(os.PRIO_PROCESS, 0) == nice


def test_shared_memory_of_the_host_is_out_of_reach(survives):
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(1, 4096, 0o1666), libc.semget(1, 1, 0o1666), libc.msgget(1, 0o1666))
"""
    assert survives(code).output == "-1 -1 -1\n"


def test_kernel_doors_and_privileges_are_shut(survives):
    code = """
import ctypes, os, shutil
libc = ctypes.CDLL(None, use_errno=True)
calls = {"unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0), "bpf": (321, 0, 0, 0),
    "keyctl": (250, 0, 0), "perf": (298, 0, 0, 0, 0, 0), "io_uring": (425, 1, 0)}
for name, (number, *arguments) in calls.items():
    ctypes.set_errno(0)
    if libc.syscall(number, *arguments) != -1 or ctypes.get_errno() not in (1, 38):
        print("OPEN", name, ctypes.get_errno())
shutil.copy("/bin/sh", "sh")
try: os.chmod("sh", 0o4755)
except OSError: pass
print(os.stat("sh").st_mode & 0o6000)
status = open("/proc/self/status").read()
print([line.split()[1] for line in status.splitlines() if line[:6] in ("CapEff", "NoNewP")])
"""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    assert survives(code).output == "0\n['0000000000000000', '1']\n"


def test_forged_frames_do_not_reach_the_host(survives):
    code = """
import struct, os, glob
frame = struct.pack(">IB", 30, ord("x")) + b'{"code":0,"reason":null}       '
for fd in range(0, 300):
    try: os.write(fd, frame)
    except OSError: pass
for path in glob.glob(f"/proc/{os.getppid()}/fd/*") + glob.glob("/proc/self/fd/*"):
    try: os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), frame)
    except OSError: pass
raise SystemExit(3)
"""
    assert survives(code).exit_code == 3


def test_fork_bomb_ends(survives):
    result = survives("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert result.exit_code in (124, 137)


def test_memory_bombs_end_and_say_why(survives):
    result = survives("x = []\nwhile True: x.append(bytearray(1 << 20))")
    assert "ran out of memory (limit 256 MB)" in result.output
    code = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        x = bytearray(os.urandom(1 << 20) * 100)
        time.sleep(60)
time.sleep(60)
"""
    assert "ran out of memory (limit 256 MB)" in survives(code).output


def test_large_file_ends_with_an_error(survives, place):
    result = survives("f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))")
    assert "disk limit" in result.output
    assert (place / "work" / "big").stat().st_size <= 32 << 20


def test_killing_everything_harms_only_itself(survives):
    survives("import os, signal\nos.kill(-1, signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGKILL)")
    survives("kill -9 -1; kill -9 $PPID; kill -STOP $PPID", "sh")


def test_daemon_is_killed_with_its_block(box, run, place, eventually):
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("pid", "w").write(str(os.getpid()))
        while True: time.sleep(60)
    os._exit(0)
while not (os.path.exists("pid") and open("pid").read()): time.sleep(0.005)
"""
    assert run(box, code).exit_code == 0
    eventually(lambda: not running([(place / "work" / "pid").read_text()]))


def test_stopped_block_ends_with_the_time(make, run):
    box = make(timeout=1)
    assert run(box, "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)").exit_code == 124
    assert run(box, "print('fine')").output == "fine\n"


def test_nothing_is_left_behind(make, run, place, monkeypatch, eventually):
    gc.collect()
    temporary = place / "temporary"
    temporary.mkdir(mode=0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    files = len(os.listdir("/proc/self/fd"))
    box = make()
    run(box, "sleep 60 & echo x", "sh")
    process = supervisor(box)
    assert len(list(temporary.iterdir())) == 1
    below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    box.stop()
    assert process.poll() is not None
    eventually(lambda: not running(below))
    assert list(temporary.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) <= files + 1


@pytest.mark.parametrize("busy", [False, True])
def test_wall_dies_with_the_program_however_that_ends(
    make, run, place, open_python, eventually, busy
):
    make()
    program = f"""
        import os, sys, time
        from autogen.coding import CodeBlock, SandboxCommandLineCodeExecutor
        box = SandboxCommandLineCodeExecutor(work_dir={str(place / "w")!r}, wall="landlock")
        box.execute_code_blocks([CodeBlock(code="print(1)", language="python")])
        print(box._held.link.process.pid, box._held.link._folder, flush=True)
        code = "import time; open('up', 'w').close(); time.sleep({60 if busy else 0})"
        box.execute_code_blocks([CodeBlock(code=code, language="python")])
        time.sleep(60)
    """
    process = subprocess.Popen(
        [open_python, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    pid, folder = process.stdout.readline().split()
    eventually(lambda: (place / "w" / "up").exists())
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    process.kill()
    process.communicate()
    eventually(lambda: not running([pid, *children]))
    eventually(lambda: not os.path.exists(folder))
    assert {path.stat().st_uid for path in (place / "w").iterdir()} == {os.getuid()}


def test_runner_killed_from_outside_takes_the_block_along_and_is_replaced(
    make, run, place, eventually
):
    box = make()
    run(box, "pass")
    runner = box._held.link.hello["pid"]

    def kill():
        while not (place / "work" / "up").exists():
            time.sleep(0.002)
        os.kill(runner, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    code = """
import os, time
with open("new", "w") as file: file.write(str(os.getpid()))
os.rename("new", "up"); time.sleep(60)
"""
    result = run(box, code)
    thread.join()
    assert result.exit_code == 137
    assert "was replaced: it is gone" in result.output
    eventually(lambda: not running([(place / "work" / "up").read_text()]))
    assert run(box, "print('fine')").output == "fine\n"


def test_cancelled_run_kills_the_block_quickly(make, run, place):
    box = make()
    run(box, "pass")
    token, cancelled_s = CancelToken(), []

    def cancel():
        while not (place / "work" / "up").exists():
            time.sleep(0.002)
        cancelled_s.append(time.monotonic())
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with entered(Run(id="r", cancel=token)), pytest.raises(RunCancelled):
        run(box, "import os, time\nos.fork()\nopen('up', 'w').close()\ntime.sleep(60)")
    took_s = time.monotonic() - cancelled_s[0]
    thread.join()
    assert took_s < 1
    assert run(box, "print('fine')").output == "fine\n"


def test_packages_are_asked_of_the_host_without_a_socket(make, run):
    result = run(make(network="none"), "pip install somepackage", "sh")
    assert "network is switched off here" in result.output
    result = run(make(), "pip install ../x; pip install pip", "sh")
    assert "installs packages by name only" in result.output
    assert "already satisfied: pip" in result.output
    box = make()
    box._answer = lambda request, stop: {"exit": 0, "text": f"got {request['requirements']}"}
    code = "import pip; pip.main(['install', 'one', 'two'])"
    assert run(box, code).output == "got ['one', 'two']\n"
    many = " ".join(f"package{number}" * 10 for number in range(99))
    assert "in several steps" in run(box, f"pip install {many}", "sh").output


@pytest.mark.parametrize(
    "options",
    [{"network": "host"}, {"network": ["a.example"]}, {"mounts": {"/usr/share": "/elsewhere"}}],
)
def test_what_it_cannot_do_is_refused_by_name(make, run, options):
    with pytest.raises(NoWallError, match="Landlock cannot"):
        run(make(**options), "print(1)")


def test_mounts_at_their_own_place_are_there(make, run, place):
    data = place / "data"
    data.mkdir()
    (data / "in.txt").write_text("in")
    box = make(mounts={str(data): str(data)})
    assert run(box, f"print(open('{data}/in.txt').read())").output == "in\n"
    assert run(box, f"open('{data}/x', 'w')").exit_code == 1


def test_it_is_taken_where_bubblewrap_does_not_stand(make, run, monkeypatch):
    monkeypatch.setattr("autogen.coding.bubblewrap.shutil.which", lambda *a, **k: None)
    box = make(wall="auto")
    assert run(box, "print(1)").output == "1\n"
    assert isinstance(box._held.link, landlock.LandlockLink)
    with pytest.raises(NoWallError, match="bubblewrap is not installed"):
        run(make(wall="bubblewrap"), "print(1)")


def test_kernel_without_it_is_told(place, run, monkeypatch):
    monkeypatch.setattr(landlock, "abi", lambda: -1)
    box = SandboxCommandLineCodeExecutor(work_dir=place / "work", wall="landlock")
    with pytest.raises(NoWallError, match="no Landlock, or it is switched off"):
        run(box, "print(1)")


def test_layer_that_does_not_hold_is_noticed(make, run, monkeypatch):
    landlock.forget()
    monkeypatch.setattr(landlock, "second_filter", lambda machine, own_id: second_filter_off())
    with pytest.raises(NoWallError, match="the code opens sockets"):
        run(make(), "print(1)")


def second_filter_off():
    return bytes.fromhex("060000000000ff7f")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("own_id", [True, False])
def test_filters_are_whole_programs(machine, own_id):
    program = second_filter(machine, own_id=own_id)
    assert len(program) % 8 == 0
    assert program[-8:] == second_filter_off()


# -- bad days --------------------------------------------------------------------------------------


def test_ten_thousand_files_are_no_trouble(make, run, place):
    """Each of them changes its owner, there and back."""
    box = make(timeout=60)
    result = run(box, "for i in range(10_000): open(f'{i}.txt', 'w').close()")
    assert result.exit_code == 0
    assert len(result.artifacts) == 200
    owner = os.stat(place / "work").st_uid
    assert all(path.lstat().st_uid == owner for path in (place / "work").iterdir())
    assert run(box, "print('fine')").output == "fine\n"


def test_work_dir_that_is_removed_is_made_anew(make, run, place):
    box = make()
    run(box, "open('x', 'w')")
    shutil.rmtree(place / "work")
    assert run(box, "import os; open('new', 'w'); print(os.path.exists('x'))").output == "False\n"
    assert (place / "work" / "new").exists()


# -- a work_dir that becomes a link ----------------------------------------------------------------


def exchange(place, *, above):
    """Put a link in the place of the work_dir, or of the folder above it."""
    work, other = place / "above" / "work", place / "other" / "work"
    there, lure = (work.parent, other.parent) if above else (work, other)
    there.rename(there.with_name("was"))
    there.symlink_to(lure)


@pytest.fixture
def lured(place, make):
    """An executor, and a folder of the same owner that nothing is to happen in."""
    work, other = place / "above" / "work", place / "other" / "work"
    for folder in (work, other):
        folder.mkdir(parents=True)
    (other / "key").write_text("key")
    return make(work_dir=work), other


@pytest.mark.parametrize("above", [False, True], ids=["itself", "the folder above"])
def test_work_dir_that_becomes_a_link_while_a_wall_goes_up_is_refused(
    lured, run, place, monkeypatch, above
):
    box, other = lured
    run(box, "pass")
    box.stop()
    real = landlock.spawn

    def spawn(argv, **options):
        if not (place / "was").exists() and not (place / "above" / "was").exists():
            exchange(place, above=above)
        return real(argv, **options)

    monkeypatch.setattr(landlock, "spawn", spawn)
    with pytest.raises(ExecutionError, match="folder"):
        run(box, "print(open('key').read())")
    assert os.listdir(other) == ["key"]
    assert os.stat(other / "key").st_uid == os.stat(other).st_uid == os.geteuid()


@pytest.mark.parametrize("above", [False, True], ids=["itself", "the folder above"])
def test_files_that_a_link_leads_to_are_not_handed_over(lured, run, place, monkeypatch, above):
    """Before a block the folder is lent to the id of the wall: not what lies in its place then."""
    box, other = lured
    run(box, "pass")
    real = landlock.LandlockLink.run

    def exchanged(self, job, **options):
        exchange(place, above=above)
        return real(self, job, **options)

    monkeypatch.setattr(landlock.LandlockLink, "run", exchanged)
    with pytest.raises(ExecutionError, match="is not that folder any more"):
        run(box, "open('key', 'a').write('!'); open('new', 'w')")
    assert os.listdir(other) == ["key"]
    assert (other / "key").read_text() == "key"
    assert os.stat(other / "key").st_uid == os.stat(other).st_uid == os.geteuid()
