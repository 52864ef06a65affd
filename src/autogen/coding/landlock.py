"""Wall 2: Landlock, two seccomp filters and limits, for machines that forbid namespaces.

Most containers are such machines. The code runs on the host's own file system, process table and
network, each narrowed by the kernel: it opens nothing but what the rules name, has no sockets at
all, and signals nobody outside. It promises less than bubblewrap; `docs/security.md` says what.
Only `sandbox.py` and `walls.py` use this.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import platform
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import NoWallError
from .canary import PRELUDE
from .host_wall import (
    ETC,
    FIRST_ID,
    ID_RANGE,
    ID_RANGES,
    START_S,
    first_inside,
    group_for,
    outer_environment,
    setup_of,
)
from .landlock_entry import (
    EXECUTE,
    IOCTL_DEV,
    MAKE_BLOCK,
    MAKE_CHAR,
    READ_DIR,
    READ_FILE,
    TRUNCATE,
    WRITE_FILE,
    abi,
    file_rights,
    hand_over,
)
from .link import Link, Outcome, RunnerLost
from .plan import Plan
from .spawn import spawn
from .waker import Waker

__all__ = ["start_wall"]

#: What the supervisor needs to clean up, at the very most.
END_S = 5.0
#: Signals are kept inside, and abstract sockets outside, from this version on (Linux 6.12).
ABI_SIGNALS = 6
#: Truncating is a right of its own from this version on (Linux 6.2); an id of its own covers for
#: what comes later.
ABI_LEAST = 3
#: Ids for a container that has only 65,536 of them: above what systems use, below nobody.
FIRST_SMALL_ID, SMALL_IDS = 60_000, 5_000

READ = EXECUTE | READ_FILE | READ_DIR
USE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
DEVICES = ("full", "null", "random", "urandom", "zero")

# System calls that the second filter answers itself, by architecture. Landlock does not mediate
# them, and without namespaces they would reach the host. Source: the kernel's system call tables.
NO_SOCKETS = {"x86_64": (41,), "aarch64": (198,)}
# Shared memory, semaphores and queues of System V and POSIX, which have no files.
NO_IPC = {
    "x86_64": (29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 220, 240, 241),
    "aarch64": (180, 181, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196),
}
# Modes and times of any file of the same owner, priorities of all its processes: these calls say
# that they are done and do nothing, since most programs that make them can do without.
NO_CHANGE = {
    "x86_64": (90, 91, 132, 141, 235, 251, 261, 268, 280, 452),
    "aarch64": (30, 52, 53, 88, 140, 452),
}
# Owners and attributes.
NO_OWNERS = {
    "x86_64": (92, 93, 94, 188, 189, 190, 197, 198, 199, 260, 463, 466, 469),
    "aarch64": (5, 6, 7, 14, 15, 16, 54, 55, 463, 466, 469),
}
# Limits and scheduling of other processes: the first argument must be 0, the caller itself.
SELF_ONLY = {"x86_64": (142, 144, 203, 302, 314), "aarch64": (118, 119, 122, 261, 274)}
EACCES, EPERM, ENOSYS = 13, 1, 38
#: Where a filter finds it. Source: struct seccomp_data in linux/seccomp.h
FIRST_ARGUMENT = 16

RUNNER = Path(__file__).with_name("runner.py")

_proven = threading.Event()
_lock = threading.Lock()


class LandlockLink(Link):
    """A link whose process outlives the runner for a moment, to clean up after it."""

    def __init__(self, process: subprocess.Popen[bytes], lend: Callable[[bool], None], folder: str):
        super().__init__(process)
        self._lend = lend
        self._folder = folder

    def run(self, job: dict[str, Any], **options: Any) -> Outcome:
        """As in `Link`; the work_dir belongs to the id of the wall meanwhile."""
        self._lend(True)
        try:
            return super().run(job, **options)
        except RunnerLost:
            self.kill()
            raise
        finally:
            self._lend(False)

    def kill(self) -> None:
        """Close the pipes, upon which the supervisor ends everything inside and then itself."""
        self._close()
        try:
            self.process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=END_S)
        self._dissolve(-1)
        shutil.rmtree(self._folder, ignore_errors=True)


def start_wall(plan: Plan, *, waker: Waker | None = None) -> Link:
    """A runner behind Landlock, which was seen to hold.

    Raises:
        NoWallError: It does not stand here, or cannot do what the plan asks for; the message says
            why.
        RunnerLost: It stands in principle, but this runner did not come up.
    """
    version = _version()
    if plan.host_network:
        raise NoWallError("Landlock cannot share the network: code behind it has no sockets.")
    if plan.egress and plan.egress.patterns != ("*",):
        raise NoWallError(
            "Landlock cannot let code reach a list of hosts: code behind it has no sockets. "
            "Use network='public' (packages only) or 'none'."
        )
    for mount in plan.mounts:
        if mount.host != mount.inside:
            raise NoWallError(
                f"Landlock cannot show {mount.host!r} at another path; mount it at its own."
            )
    if _proven.is_set():
        return _raise_wall(plan, version, waker)[0]
    with _lock:
        link, uid = _raise_wall(plan, version, waker)
        if _proven.is_set():
            return link
        trouble = _canary(link, plan, uid)
        if trouble is not None:
            link.kill()
            raise NoWallError(f"Landlock does not hold here: {trouble}.")
        _proven.set()
        return link


def forget() -> None:
    """Make the next wall prove itself again."""
    _proven.clear()


def _version() -> int:
    if platform.system() != "Linux" or platform.machine() not in NO_SOCKETS:
        raise NoWallError(
            f"Landlock walls stand on Linux on x86_64 and aarch64, and this is "
            f"{platform.system()} on {platform.machine()}."
        )
    version = abi()
    least = ABI_LEAST if own_id() is not None else ABI_SIGNALS
    if version < least:
        found = f"version {version}" if version > 0 else "no Landlock, or it is switched off"
        raise NoWallError(
            f"This kernel has {found}; the wall needs version {least} "
            f"({'Linux 6.2' if least == ABI_LEAST else 'Linux 6.12, or to be started by root'})."
        )
    return version


def own_id() -> int | None:
    """An id that nobody else has, where this program may take one; None where it may not."""
    if os.geteuid() != 0:
        return None
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="ascii").split("\n")
        ranges = [tuple(map(int, line.split())) for line in lines if line]
    except (OSError, ValueError):
        return None

    def is_mapped(number: int) -> bool:
        return any(first <= number < first + count for first, _, count in ranges)

    if is_mapped(FIRST_ID) and is_mapped(FIRST_ID + ID_RANGE * ID_RANGES - 1):
        return FIRST_ID + secrets.randbelow(ID_RANGE * ID_RANGES)
    if is_mapped(FIRST_SMALL_ID) and is_mapped(FIRST_SMALL_ID + SMALL_IDS - 1):
        return FIRST_SMALL_ID + secrets.randbelow(SMALL_IDS)
    return None


# -- raising it ------------------------------------------------------------------------------------


def _raise_wall(plan: Plan, version: int, waker: Waker | None) -> tuple[Link, int | None]:
    """The link, and the id that the code runs under if it has one of its own."""
    uid = own_id()
    state = os.stat(plan.work_dir)
    owner, group = state.st_uid, state.st_gid
    identity = plan.folder or (state.st_dev, state.st_ino)
    if uid is not None:
        _refuse_closed(plan)
    folder = tempfile.mkdtemp(prefix="autogen-wall-")
    if uid is not None:
        os.chown(folder, uid, uid)

    def lend(there: bool) -> None:
        if uid is not None:
            old, new = (owner, (uid, uid)) if there else (uid, (owner, group))
            try:
                hand_over(plan.work_dir, old, *new, identity=identity)
            except OSError as error:
                raise RunnerLost(f"its folder cannot be used: {error.strerror}") from None

    info, info_writer = os.pipe()
    spec = {
        "abi": version,
        "info": info_writer,
        "uid": uid,
        "owner": owner,
        "group": group,
        "work_dir": plan.work_dir,
        "identity": identity,
        "folder": folder,
        "rules": list(_rules(plan, folder, version).items()),
        "filters": [str(_filter_path())],
        "filter": second_filter(platform.machine(), own_id=uid is not None).hex(),
    }
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("landlock_entry.py"))]
    argv += [json.dumps(spec), plan.interpreter.executable, "-I", str(RUNNER)]
    try:
        process = spawn(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(info_writer,),
            env=outer_environment(),
            cwd="/",
            bufsize=0,
            # A Ctrl-C at the terminal is this program's to handle, not the wall's.
            start_new_session=True,
        )
    except BaseException:
        os.close(info)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(info_writer)
    link = LandlockLink(process, lend, folder)
    try:
        link.group = group_for(plan)
        setup = _setup(plan, folder, uid)
        link.enclose(first_inside(info, waker))
        link.start(setup, timeout_s=START_S, waker=waker)
    except BaseException:
        link.kill()
        raise
    finally:
        os.close(info)
    return link, uid


def _refuse_closed(plan: Plan) -> None:
    """The code runs as nobody in particular, who has to be able to get to its folders.

    Raises:
        NoWallError: A folder on the way is closed to others.
    """
    paths = [plan.work_dir, plan.layers_dir, os.path.realpath(plan.interpreter.executable)]
    paths.append(os.path.join(tempfile.gettempdir(), "any"))
    for path in [*paths, *plan.interpreter.folders, str(RUNNER)]:
        for folder in Path(path).parents:
            if not folder.stat().st_mode & 0o001:
                raise NoWallError(
                    f"Landlock runs code as an id of its own, which cannot get to {path!r}: "
                    f"{str(folder)!r} is closed to others (chmod o+x, or use another place)."
                )


def _rules(plan: Plan, folder: str, version: int) -> dict[str, int]:
    """What may be opened, and how."""
    everything = file_rights(version) & ~(MAKE_CHAR | MAKE_BLOCK)
    rules = {f"/dev/{name}": USE for name in DEVICES}
    rules |= dict.fromkeys(("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"), READ)
    rules["/proc"] = READ_FILE | READ_DIR
    rules |= {f"/etc/{name}": READ for name in ETC}
    rules |= dict.fromkeys((*plan.interpreter.folders, plan.layers_dir), READ)
    rules[str(RUNNER)] = READ
    for mount in plan.mounts:
        rules[mount.host] = everything if mount.writable else READ
    return {**rules, plan.work_dir: everything, folder: everything}


def _filter_path() -> Path:
    data = importlib.resources.files(__package__) / "data"
    return Path(str(data / f"seccomp-{platform.machine()}.bpf"))


def second_filter(machine: str, *, own_id: bool) -> bytes:
    """A seccomp program for what Landlock leaves open.

    It looks at no architecture: the first filter has refused others. With an id of its own the code
    may set the modes and times of what is its own anyway.
    """
    load, equal, answer = 0x20, 0x15, 0x06
    allowed, refused = 0x7FFF0000, 0x00050000
    program: list[tuple[int, int, int, int]] = [(load, 0, 0, 0)]

    def refuse(calls: tuple[int, ...], error: int) -> None:
        for call in calls:
            program.extend([(equal, 0, 1, call), (answer, 0, 0, refused | error)])

    refuse(NO_SOCKETS[machine], EACCES)
    refuse(NO_IPC[machine], ENOSYS)
    refuse(NO_OWNERS[machine], EPERM)
    if not own_id:
        refuse(NO_CHANGE[machine], 0)
    for call in SELF_ONLY[machine]:
        program += [(equal, 0, 4, call), (load, 0, 0, FIRST_ARGUMENT), (equal, 0, 1, 0)]
        program += [(answer, 0, 0, allowed), (answer, 0, 0, refused | EPERM)]
    program.append((answer, 0, 0, allowed))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _setup(plan: Plan, folder: str, uid: int | None) -> dict[str, Any]:
    """What the runner is told: as in the other wall, in a folder instead of /run/autogen."""
    setup = setup_of(replace(plan, egress=None), inside=folder)
    setup["socket"] = None
    setup["fifo"] = f"{folder}/ask"
    setup["shared"] = {"folder": folder, "abi": abi()}
    setup["env"] = {"TMPDIR": str(Path(folder, "tmp")), **setup["env"]}
    if uid is None:
        setup["limits"]["user_processes"] = _tasks_of(os.getuid()) + plan.processes
    return setup


def _tasks_of(uid: int) -> int:
    """Processes and threads of a user: the limit that the kernel keeps counts them all."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue
    return count


# -- the canary ------------------------------------------------------------------------------------

CANARY = r"""
bait, mark, outside, host = sys.argv[1:]
open(mark, "x").close()
print(json.dumps({
    "reads the host": can(lambda: open(bait).close()),
    "writes to the host": can(lambda: open(outside, "x").close()),
    "lists the host": can(lambda: os.listdir("/")),
    "writes kernel settings": can(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
    "reads other processes": can(lambda: open(f"/proc/{host}/environ", "rb").read(1)),
    "signals other processes": can(lambda: os.kill(int(host), 0)),
    "signals its runner": can(lambda: os.kill(os.getppid(), 0)),
    "opens sockets": can(socket.socket) or can(lambda: socket.socket(socket.AF_UNIX)),
    "has capabilities": capabilities("Prm", "Eff", "Amb", "Inh"),
    "can get capabilities": capabilities("Bnd"),
    "can gain privileges": status["NoNewPrivs"] != "1",
    "has no system call filter": status["Seccomp"] != "2",
    "sees the environment of the host": "AUTOGEN_CANARY" in os.environ,
    "id": os.getuid(),
}))
"""


def _canary(link: Link, plan: Plan, uid: int | None) -> str | None:
    """Look for ways out from inside; None if there are none, else what was found."""
    token = secrets.token_hex(8)
    mark = Path(plan.work_dir, f".autogen-{token}")
    outside = Path(tempfile.gettempdir(), f"autogen-canary-{token}")
    with tempfile.NamedTemporaryFile(prefix="autogen-canary-") as bait:
        os.chmod(bait.name, 0o644)
        code = PRELUDE + CANARY.replace(
            "sys.argv[1:]", repr([bait.name, str(mark), str(outside), str(os.getpid())])
        )
        argv = [plan.interpreter.executable, "-I", "-c", code]
        try:
            told = link.run_quietly(argv, cwd=plan.work_dir, timeout_s=20)
            made_by = os.lstat(mark).st_uid if mark.exists() else None
        finally:
            mark.unlink(missing_ok=True)
            outside.unlink(missing_ok=True)
    try:
        facts = json.loads(told.output)
    except ValueError:
        return f"the canary failed ({told.code}): {told.output[-500:].decode('utf-8', 'replace')}"
    if made_by != os.stat(plan.work_dir).st_uid:
        return "files made inside do not belong to the owner of the work_dir"
    if facts.pop("id") != (os.geteuid() if uid is None else uid):
        return "the code does not run under the id that it should"
    if os.geteuid() != 0:
        # Only root can bound them, and without new privileges only root could get them.
        facts.pop("can get capabilities")
    if abi() < ABI_SIGNALS:
        facts.pop("signals its runner")
    found = [name for name, bad in facts.items() if bad]
    return f"the code {', '.join(found)}" if found else None
