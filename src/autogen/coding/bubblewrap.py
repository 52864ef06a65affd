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
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import NoWallError
from .egress import Egress
from .gate import PORT, Gate
from .group import Group, make_group
from .interpreter import Interpreter, is_inside, running_interpreter
from .link import Link, RunnerLost, Waker
from .program import compiled, memory_file
from .spawn import spawn

__all__ = ["Mount", "Plan", "start_wall"]

INSIDE = "/run/autogen"
START_S = 30.0
BIN_FOLDERS = "/usr/local/bin:/usr/bin:/bin"

#: First id of the ranges that walls started by root run under: above what systemd hands out (its
#: table of ids calls 0x70000000 and up unused). Each wall takes a range of its own, so limits count
#: per wall.
FIRST_ID = 0x70000000
ID_RANGE = 65536
ID_RANGES = 4096

# What programs in /usr expect of /etc and what tells nothing about the machine's owner.
ETC = (
    "alternatives",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "protocols",
    "services",
    "ssl/certs",
    "terminfo",
    "timezone",
)
ETC_WITH_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "gai.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder or file of the host shown inside, at `inside`."""

    host: str
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a wall is built from.

    Attributes:
        work_dir: Absolute and real; writable, at its own place inside.
        layers_dir: Where packages are installed, read-only inside; it exists.
        layer: The layer to begin with.
        preload: Modules that are imported before the first block.
        egress: What may be reached through the proxy of the host; None for nothing.
        at_once: A block waits for the wall, so what helps later ones is done after it.
        folder: Device and inode of the work_dir as it was looked at; None where nobody did.
    """

    work_dir: str
    layers_dir: str
    layer: str | None
    host_network: bool
    memory_mb: int
    processes: int
    disk_mb: int
    env: dict[str, str]
    mounts: tuple[Mount, ...] = ()
    preload: tuple[str, ...] = ()
    egress: Egress | None = None
    at_once: bool = False
    folder: tuple[int, int] | None = None
    interpreter: Interpreter = field(default_factory=running_interpreter)


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
            link.gate = Gate(_take_listener(door), plan.egress)
    except BaseException:
        link.kill()
        raise
    finally:
        os.close(info)
        door.close()
    return link, owner


def _take_listener(door: socket.socket) -> socket.socket:
    """The listening socket that the runner passed out before it said that it is ready."""
    door.setblocking(False)
    try:
        _, fds, _, _ = socket.recv_fds(door, 16, 1)
    except OSError as error:
        raise RunnerLost(f"it passed no socket out: {error}") from None
    if len(fds) != 1:
        raise RunnerLost("it passed no socket out")
    return socket.socket(fileno=fds[0])


def group_for(plan: Plan) -> Group | None:
    """A control group for a wall, where one can be made."""
    return make_group(memory_mb=plan.memory_mb, disk_mb=plan.disk_mb, processes=plan.processes)


def first_inside(info: int, waker: Waker | None) -> int | None:
    """The id of the first process inside, which whoever holds the wall up writes to `info`.

    None if it never came that far, or if `waker` fired meanwhile.
    """
    data, deadline_s = b"", time.monotonic() + START_S
    poll = select.poll()
    poll.register(info, select.POLLIN)
    if waker:
        poll.register(waker.fd, select.POLLIN)
    while b"}" not in data and (left_s := deadline_s - time.monotonic()) > 0:
        ready = {fd for fd, _ in poll.poll(left_s * 1000)}
        if waker and waker.fired:
            return None
        if waker and waker.fd in ready:
            waker.drain()
        if info in ready:
            part = os.read(info, 4096)
            if not part:
                break
            data += part
    try:
        return int(json.loads(data)["child-pid"])
    except (ValueError, KeyError):
        return None


def outer_environment() -> dict[str, str]:
    """What bubblewrap itself needs; whoever may read its process learns nothing from it."""
    return {"PATH": BIN_FOLDERS, "LANG": "C.UTF-8", "AUTOGEN_CANARY": "seen"}


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


# -- what the runner is told
# ------------------------------------------------------------------------


def setup_of(plan: Plan, *, inside: str = INSIDE, door: int = -1) -> dict[str, Any]:
    """What the runner is told.

    Args:
        plan: The wall.
        inside: The folder for its own things.
        door: The descriptor by which it passes the listening socket out.
    """
    layer = f"{inside}/layer"
    source = Path(__file__).with_name("pip_shim.py").read_text(encoding="utf-8")
    source = source.replace(INSIDE, inside)
    program = plan.interpreter.executable
    command = '#!/bin/sh\nexec {} -m {} "$@"\n'
    files: dict[str, tuple[str, int]] = {
        f"{inside}/lib/pip/__init__.py": (source, 0o644),
        f"{inside}/lib/pip/__main__.py": ("from . import main\nraise SystemExit(main())\n", 0o644),
        f"{inside}/lib/uv.py": ("from pip import uv\nraise SystemExit(uv())\n", 0o644),
        f"{inside}/bin/uv": (command.format(program, "uv"), 0o755),
    }
    for name in ("pip", "pip3"):
        files[f"{inside}/bin/{name}"] = (command.format(program, "pip"), 0o755)
    venv_bin = [os.path.join(plan.interpreter.venv, "bin")] if plan.interpreter.venv else []
    path = [*venv_bin, f"{inside}/bin", f"{layer}/bin", os.path.dirname(program)]
    path += ["/usr/local/bin", "/usr/bin", "/bin"]
    env = {
        "HOME": f"{inside}/home",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PATH": ":".join(dict.fromkeys(path)),
        "PWD": plan.work_dir,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONPATH": f"{inside}/lib:{layer}",
        "PYTHONUNBUFFERED": "1",
        "USER": "sandbox",
        **(proxy_variables(plan.egress) if plan.egress else {}),
        **plan.env,
    }
    return {
        "limits": {
            "memory_bytes": plan.memory_mb << 20,
            "disk_bytes": plan.disk_mb << 20,
            "processes": plan.processes,
        },
        "files": files,
        "links": {f"{inside}/bin/{name}": program for name in ("python", "python3")},
        "home": f"{inside}/home",
        "folder": plan.work_dir,
        "gate": {"fd": door, "port": PORT} if plan.egress else None,
        "socket": f"{inside}/ask",
        "path_first": [f"{inside}/lib", layer],
        "path_last": list(plan.interpreter.site_folders),
        "env": env,
        "preload": plan.preload,
        "at_once": plan.at_once,
        "layer": plan.layer,
        "layer_link": layer,
    }


def proxy_variables(egress: Egress) -> dict[str, str]:
    """What makes programs inside take the way out, in both cases of letters."""
    here = f"http://127.0.0.1:{PORT}"
    named = {"http_proxy": here, "https_proxy": here, "all_proxy": here}
    named["no_proxy"] = egress.bypass()
    both = {spelling: value for name, value in named.items() for spelling in (name, name.upper())}
    return {**both, "NODE_USE_ENV_PROXY": "1"}


# -- the canary -----------------------------------------------------------------------------------

CANARY = r"""
import ctypes, json, os, socket, sys
bait, mark = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def can(act):
    try:
        act()
    except OSError:
        return False
    return True
def namespace():
    if libc.unshare(0x10000000):
        raise OSError
def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
sets = [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")]
spaces = ("pid", "ipc", "uts", "mnt", "net")
open(mark, "x").close()
print(json.dumps({
    "reads the host": can(lambda: open(bait).close()),
    "writes kernel settings": can(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
    "writes to the kernel": can(lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY)),
    "writes /": can(lambda: os.mkdir("/autogen-canary")),
    "makes namespaces": can(namespace),
    "opens raw sockets": can(raw),
    "has capabilities": any(sets),
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
    output = bytearray()
    with tempfile.NamedTemporaryFile(prefix="autogen-canary-") as bait:
        os.chmod(bait.name, 0o644)
        hidden = bait.name
        if any(is_inside(hidden, mount.inside) for mount in _mounts(plan)):
            hidden = "/etc/hostname"
        arguments = [hidden, str(mark)]
        code = CANARY.replace("sys.argv[1:]", repr(arguments))
        job = {
            "kind": "command",
            "argv": [plan.interpreter.executable, "-I", "-c", code],
            "cwd": plan.work_dir,
        }
        waker = Waker()
        try:
            outcome = link.run(
                job,
                timeout_s=20,
                on_output=output.extend,
                ask=lambda request, stop: {"exit": 1, "text": "not during the canary"},
                waker=waker,
            )
            made_by = os.lstat(mark).st_uid if mark.exists() else None
        finally:
            waker.close()
            mark.unlink(missing_ok=True)
    try:
        facts = json.loads(output)
    except ValueError:
        return f"the canary failed ({outcome.code}): {output[-500:].decode('utf-8', 'replace')}"
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
