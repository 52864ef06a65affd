"""Wall 1: bubblewrap namespaces and a seccomp filter around the runner; no daemon, no set-up.

Builds the command line of the wall, in the variants that different machines allow, and decides by a
canary which of them stands: a program that runs inside and looks for the ways out. Only
`sandbox.py` and `walls.py` use this.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import NoWallError
from .canary import PRELUDE
from .gate import Gate
from .host_wall import (
    BIN_FOLDERS,
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
from .interpreter import is_inside
from .link import Link, RunnerLost, passed_socket
from .plan import Mount, Plan
from .program import compiled, memory_file
from .runner_setup import INSIDE
from .spawn import spawn
from .waker import Waker

__all__ = ["start_wall"]

ETC_WITH_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "gai.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to hold the wall up.

    Attributes:
        mapped: As root: no user namespace, an id of its own, id-mapped mounts for the caller's
            folders.
        seal: Ask bubblewrap to forbid user namespaces inside; the seccomp filter does so in any
            case.
    """

    mapped: bool
    seal: bool

    def __str__(self) -> str:
        return (
            "id-mapped" if self.mapped else ("user namespace" if self.seal else "user namespace*")
        )


_proven: dict[bool, Variant] = {}
_failed: dict[bool, str] = {}
_lock = threading.Lock()


def start_wall(plan: Plan, *, waker: Waker | None = None) -> Link:
    """A runner inside a wall that was seen to hold.

    Raises:
        NoWallError: No variant stands here; the message says what stood in the way and what to do.
        RunnerLost: The wall stands in principle, but this runner did not come up.
    """
    if platform.system() != "Linux":
        raise NoWallError(
            f"bubblewrap works on Linux only, and this is {platform.system()}. "
            "Use Docker, or LocalCommandLineCodeExecutor to run code without a wall."
        )
    bwrap = find_bwrap()
    if bwrap is None:
        raise NoWallError(
            "bubblewrap is not installed: the program 'bwrap' is not on PATH. "
            "Install it with: apt-get install bubblewrap (or your system's package manager)."
        )
    known = _proven.get(plan.host_network)
    if known:
        return _raise_wall(bwrap, plan, known, waker)[0]
    with _lock:
        return _first_wall(bwrap, plan, waker)


def find_bwrap() -> str | None:
    """The program bwrap, on PATH or where systems install it."""
    return shutil.which("bwrap") or shutil.which("bwrap", path=BIN_FOLDERS)


def forget() -> None:
    """Make the next wall prove itself again."""
    _proven.clear()


def _first_wall(bwrap: str, plan: Plan, waker: Waker | None) -> Link:
    """Try the variants, strongest first, until one passes the canary."""
    known = _proven.get(plan.host_network)
    if known:
        return _raise_wall(bwrap, plan, known, waker)[0]
    troubles: list[str] = []
    refusals: list[str] = []
    is_root = os.geteuid() == 0
    variants = [Variant(mapped=True, seal=False)] if is_root else []
    variants += [Variant(mapped=False, seal=True), Variant(mapped=False, seal=False)]
    for variant in variants:
        link = None
        try:
            link, owner = _raise_wall(bwrap, plan, variant, waker)
            trouble = _canary(link, plan, owner)
        except RunnerLost as error:
            if waker and waker.fired:
                raise
            trouble = str(error).removeprefix("it is gone: ")
            refusals.append(trouble)
        except OSError as error:
            trouble = str(error)
            refusals.append(trouble)
        if trouble is None:
            assert link is not None
            _proven[plan.host_network] = variant
            return link
        if link:
            link.kill()
        troubles.append(f"{variant}: {trouble}")
    raise NoWallError(f"bubblewrap cannot build a wall here. {_advice(troubles, refusals)}")


def _advice(troubles: list[str], refusals: list[str]) -> str:
    """What to do; `refusals` are the troubles that came before the canary could run."""
    text = "; ".join(troubles)
    lowered = " ".join(refusals).lower()
    if "unknown option" in lowered:
        hint = "This bubblewrap is too old: version 0.8 or later is needed."
    elif any(word in lowered for word in ("namespace", "uid map", "not permitted", "denied")):
        hint = (
            "User namespaces are probably forbidden here. On a machine of your own: "
            "sysctl user.max_user_namespaces=10000 and kernel.unprivileged_userns_clone=1 and, on "
            "Ubuntu, kernel.apparmor_restrict_unprivileged_userns=0 (or an AppArmor profile). "
            "In a container: start it with --security-opt seccomp=unconfined --cap-add SYS_ADMIN."
        )
    else:
        hint = "`autogen doctor` says more."
    return f"{hint} What it said: {text}"


# -- the command line -----------------------------------------------------------------------------


def _raise_wall(bwrap: str, plan: Plan, variant: Variant, waker: Waker | None) -> tuple[Link, int]:
    """Start the runner; the link and the uid that files it makes must have on the host."""
    owner = os.geteuid()
    argv: list[str] = []
    drop: list[str] = []
    fds: list[int] = []
    if variant.mapped:
        state = os.stat(plan.work_dir)
        if max(state.st_uid, state.st_gid) >= ID_RANGE:
            raise RunnerLost("the owner of the work_dir has a number that is too high to be mapped")
        setpriv = shutil.which("setpriv", path="/usr/bin:/usr/sbin")
        if setpriv is None:
            raise RunnerLost("setpriv (of util-linux) is not in /usr/bin")
        base = FIRST_ID + secrets.randbelow(ID_RANGES) * ID_RANGE
        owner = state.st_uid
        mapped = [plan.work_dir, *(mount.host for mount in plan.mounts)]
        fds.append(memory_file("rootmount", compiled("rootmount.py")))
        argv = [sys.executable, "-I", "-S", f"/proc/self/fd/{fds[-1]}"]
        argv += [str(base), str(ID_RANGE), *dict.fromkeys(mapped), "--"]
        drop = [setpriv, f"--reuid={base + state.st_uid}", f"--regid={base + state.st_gid}"]
        drop += ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    fds += [filter_fd := _seccomp_fd()]
    fds += [program_fd := memory_file("runner", compiled("runner.py"))]
    info, info_writer = os.pipe()
    fds += [info_writer]
    door, inner_door = socket.socketpair()
    try:
        argv += [bwrap, *_isolation(variant, plan), "--seccomp", str(filter_fd)]
        argv += ["--info-fd", str(info_writer)]
        argv += _view(plan)
        argv += ["--perms", "0444", "--ro-bind-data", str(program_fd), f"{INSIDE}/runner.pyc"]
        argv += ["--remount-ro", "/", "--chdir", "/", *drop]
        argv += [plan.interpreter.executable, "-I", f"{INSIDE}/runner.pyc"]
        process = spawn(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(*fds, inner_door.fileno()),
            env=outer_environment(),
            cwd="/",
            bufsize=0,
            # A Ctrl-C at the terminal is this program's to handle, not the wall's.
            start_new_session=True,
        )
    except BaseException:
        os.close(info)
        door.close()
        raise
    finally:
        for fd in fds:
            os.close(fd)
        inner_number = inner_door.fileno()
        inner_door.close()
    link = Link(process)
    try:
        # All this while the processes of the wall come up.
        link.group = group_for(plan)
        setup = setup_of(plan, door=inner_number)
        pid = first_inside(info, waker)
        if pid is not None:
            link.hold(pid)
        link.enclose(pid)
        link.start(setup, timeout_s=START_S, waker=waker)
        if plan.egress:
            link.gate = Gate(passed_socket(door), plan.egress)
    except BaseException:
        if process.poll() is None:
            # Its child waits for it to be told that it may go on, and would do so for ever. Until
            # then both are of the group that was made for them.
            os.killpg(process.pid, signal.SIGKILL)
        link.kill()
        raise
    finally:
        os.close(info)
        door.close()
    return link, owner


def _seccomp_fd() -> int:
    """A descriptor from which bubblewrap reads the filter for this machine."""
    data = importlib.resources.files(__package__) / "data" / f"seccomp-{platform.machine()}.bpf"
    try:
        program = data.read_bytes()
    except OSError:
        raise NoWallError(
            f"There is no seccomp filter for {platform.machine()!r}; the sandbox runs on "
            "x86_64 and aarch64. Use Docker, or LocalCommandLineCodeExecutor for no wall."
        ) from None
    return memory_file("seccomp", program)


def _isolation(variant: Variant, plan: Plan) -> list[str]:
    """Namespaces and privileges."""
    # Process 1 of a process namespace cannot be killed or stopped from inside it: the runner is
    # that.
    options = ["--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts"]
    options += ["--unshare-cgroup-try", "--new-session", "--die-with-parent", "--clearenv"]
    options += ["--hostname", "sandbox", "--cap-drop", "ALL"]
    if not plan.host_network:
        options.append("--unshare-net")
    if variant.mapped:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            options += ["--cap-add", capability]
        return options
    options.append("--unshare-user")
    if variant.seal:
        options.append("--disable-userns")
    if os.geteuid() == 0:
        options += ["--uid", "1000", "--gid", "1000"]
    return options


def _view(plan: Plan) -> list[str]:
    """The file system as the code sees it."""
    shared_mb = max(16, plan.memory_mb // 2)
    options = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            options += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            options += ["--ro-bind", f"/{name}", f"/{name}"]
    # bubblewrap hides parts of /proc only where it finds them writable; /proc/sys is writable for
    # an owner that is root outside, whatever the id inside says, so it is bound over in every case.
    options += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    options += ["--dev", "/dev", *_tmpfs("/dev/shm", shared_mb), "--remount-ro", "/dev"]  # noqa: S108
    options += [*_tmpfs("/tmp", plan.disk_mb), "--perms", "0755", "--dir", "/run"]  # noqa: S108
    options += [*_tmpfs(INSIDE, plan.disk_mb), "--perms", "0755", "--dir", "/etc"]
    for name in (*ETC, *(ETC_WITH_NETWORK if plan.host_network else ())):
        path = f"/etc/{name}"
        if os.path.exists(path):
            options += [*_parents(path), "--ro-bind", os.path.realpath(path), path]
    for name in ("passwd", "group"):
        options += ["--symlink", f"{INSIDE}/{name}", f"/etc/{name}"]
    for path, target in plan.interpreter.links:
        if not is_inside(path, "/usr"):
            options += [*_parents(path), "--symlink", target, path]
    # Shorter paths first, so that a folder inside another one comes to lie on top of it.
    for mount in sorted(_mounts(plan), key=lambda mount: mount.inside.count("/")):
        option = "--bind" if mount.writable else "--ro-bind"
        options += [*_parents(mount.inside), option, mount.host, mount.inside]
    return options


def _tmpfs(path: str, size_mb: int) -> list[str]:
    return ["--size", str(size_mb << 20), "--perms", "1777", "--tmpfs", path]


def _parents(path: str) -> list[str]:
    """Options that create the folders above `path`, open to every id."""
    options: list[str] = []
    for folder in reversed(Path(path).parents[:-1]):
        options += ["--perms", "0755", "--dir", str(folder)]
    return options


def _mounts(plan: Plan) -> Iterable[Mount]:
    yield Mount(host=plan.work_dir, inside=plan.work_dir, writable=True)
    yield Mount(host=plan.layers_dir, inside=plan.layers_dir)
    for folder in plan.interpreter.folders:
        if not is_inside(folder, "/usr"):
            yield Mount(host=folder, inside=folder)
    yield from plan.mounts


# -- the canary -----------------------------------------------------------------------------------

CANARY = r"""
import ctypes
bait, mark = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def namespace():
    if libc.unshare(0x10000000):
        raise OSError
def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
spaces = ("pid", "ipc", "uts", "mnt", "net")
open(mark, "x").close()
print(json.dumps({
    "reads the host": can(lambda: open(bait).close()),
    "writes kernel settings": can(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
    "writes to the kernel": can(lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY)),
    "writes /": can(lambda: os.mkdir("/autogen-canary")),
    "makes namespaces": can(namespace),
    "opens raw sockets": can(raw),
    "has capabilities": capabilities("Prm", "Eff", "Bnd", "Amb"),
    "can gain privileges": status["NoNewPrivs"] != "1",
    "has no system call filter": status["Seccomp"] != "2",
    "is root": os.getuid() == 0,
    "sees the environment of the host": "AUTOGEN_CANARY" in os.environ,
    "sees other processes": len([name for name in os.listdir("/proc") if name.isdigit()]) > 2,
    "shares namespaces": [os.readlink(f"/proc/self/ns/{name}") for name in spaces],
}))
"""


def _canary(link: Link, plan: Plan, owner: int) -> str | None:
    """Look for ways out from inside; None if there are none, else what was found."""
    mark = Path(plan.work_dir, f".autogen-{secrets.token_hex(8)}")
    with tempfile.NamedTemporaryFile(prefix="autogen-canary-") as bait:
        os.chmod(bait.name, 0o644)
        hidden = bait.name
        if any(is_inside(hidden, mount.inside) for mount in _mounts(plan)):
            hidden = "/etc/hostname"
        arguments = [hidden, str(mark)]
        code = PRELUDE + CANARY.replace("sys.argv[1:]", repr(arguments))
        argv = [plan.interpreter.executable, "-I", "-c", code]
        try:
            told = link.run_quietly(argv, cwd=plan.work_dir, timeout_s=20)
            made_by = os.lstat(mark).st_uid if mark.exists() else None
        finally:
            mark.unlink(missing_ok=True)
    try:
        facts = json.loads(told.output)
    except ValueError:
        return f"the canary failed ({told.code}): {told.output[-500:].decode('utf-8', 'replace')}"
    shared = set(facts.pop("shares namespaces")) & {
        os.readlink(f"/proc/self/ns/{name}")
        for name in ("pid", "ipc", "uts", "mnt", *(() if plan.host_network else ("net",)))
    }
    if made_by != owner:
        return "files made inside do not belong to the owner of the work_dir"
    if shared:
        return f"the code shares namespaces with the host: {', '.join(sorted(shared))}"
    found = [name for name, bad in facts.items() if bad]
    return f"the code {', '.join(found)}" if found else None
