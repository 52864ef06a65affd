"""The host as attacks find it: something to steal, services to reach, and a stage to play on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pydantic
from tests.coding.abuse.attacks import PRELUDE, Attack
from tests.coding.delegated import NotHere, delegated

import autogen

HERE = Path(__file__).parent
SYSTEM_PYTHON = "/usr/bin/python3"
#: Not the id of anybody; limits of processes count by id.
USER = 4321


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A wall, and who puts it up."""

    name: str
    wall: str
    uid: int | None = 0
    mapped: bool | None = None

    def __str__(self) -> str:
        return self.name


PLACES = (
    Place(name="bubblewrap, as root", wall="bubblewrap", mapped=True),
    Place(name="bubblewrap, as root without id-mapped mounts", wall="bubblewrap", mapped=False),
    Place(name="bubblewrap, as a user", wall="bubblewrap", uid=USER),
    Place(name="Landlock, as root", wall="landlock"),
    Place(name="Landlock, as a user", wall="landlock", uid=USER + 1),
    Place(name="Docker", wall="docker"),
)


def is_open(path: str) -> bool:
    """Whether others may get there."""
    real = Path(os.path.realpath(path))
    return all(folder.stat().st_mode & 0o001 for folder in real.parents)


def open_python() -> str | None:
    """A Python that any user can start and that can import what this one can."""
    if is_open(sys.executable) and is_open(sys.prefix + "/bin") and is_open(pydantic.__file__):
        return sys.executable
    if not os.path.exists(SYSTEM_PYTHON):
        return None
    told = subprocess.run([SYSTEM_PYTHON, "-V"], capture_output=True, text=True, check=False)
    wanted = f"Python {sys.version_info[0]}.{sys.version_info[1]}."
    return SYSTEM_PYTHON if told.stdout.startswith(wanted) else None


def mounts() -> set[str]:
    """The mount points of this process, without those of containers and of other tests."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = {line.split()[4] for line in lines}
    elsewhere = tempfile.gettempdir() + "/"
    return {one for one in points if "docker" not in one and not one.startswith(elsewhere)}


def below(pid: int) -> set[int]:
    """Everything that a process started, and what that started."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for path in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                new = set(map(int, path.read_text().split())) - found
                found |= new
                waiting += new
    return found


class World:
    """A host with one wall."""

    def __init__(
        self, place: Place, *, without: tuple[str, ...] = (), python: str, docker: Any = None
    ) -> None:
        self.place = place
        self.base = Path(tempfile.mkdtemp(prefix="autogen-abuse-", dir="/var/tmp"))
        self.base.chmod(0o755)
        self.token = secrets.token_hex(16)
        self._open = contextlib.ExitStack()
        self._open.callback(shutil.rmtree, self.base, ignore_errors=True)
        self.work, self.outside = self.base / "w" / "work", self.base / "w" / "outside"
        self.uid = uid = os.geteuid() if place.uid is None else place.uid
        for name in ("w", "w/work", "w/outside", "cache", "tmp"):
            (self.base / name).mkdir()
            os.chown(self.base / name, uid, uid)
        if place.wall == "docker":
            # Under root a container runs as the owner of the work_dir.
            os.chown(self.work, USER + 2, USER + 2)
        # A layer of packages that other chats use.
        layer = self.base / "cache/autogen/layers/0123/innocent"
        layer.mkdir(parents=True)
        (layer / "__init__.py").write_text("")
        for path in (layer / "__init__.py", *list(layer.parents)[:4], layer):
            os.chown(path, uid, uid)
        self.outside.chmod(0o777)
        self.outside_files = {"secret": self.token, "precious": "precious"}
        for name, text in self.outside_files.items():
            (self.outside / name).write_text(text)
            (self.outside / name).chmod(0o666)
            os.chown(self.outside / name, uid, uid)
            os.utime(self.outside / name, (1, 1))
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.base),
            # Where one world's wall is attacked without a layer, others die on the spot.
            "TMPDIR": str(self.base / "tmp"),
            "AUTOGEN_ABUSE_TOKEN": self.token,
            "XDG_CACHE_HOME": str(self.base / "cache"),
            "PYTHONPATH": f"{self._libraries(python)}:{self.base}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        self._argv = become if uid != os.geteuid() else []
        join = [] if place.wall == "docker" else self._groups()
        self.has_groups = bool(join) or place.wall == "docker"
        sleeper = [*self._argv, "sleep", "3600"]
        self.victim = subprocess.Popen(sleeper, env=self.environment)
        self._open.callback(self._end_victim)
        self._services()
        self.names = {
            "abstract": f"autogen-abuse-{self.token}",
            "home": str(Path.home()),
            "layers": str(self.base / "cache/autogen/layers"),
            "outside": str(self.outside),
            "port": str(self.tcp),
            "port6": str(self.tcp6),
            "secret": str(self.outside / "secret"),
            "socket": str(self.outside / "socket"),
            "token": self.token,
            "udp": str(self.udp),
            "victim": str(self.victim.pid),
            "wall": place.wall,
        }
        if docker is not None:
            self.environment["DOCKER_HOST"] = docker.address
        spec = {
            "base": str(self.base),
            "image": getattr(docker, "image", None),
            "mapped": place.mapped,
            "outside": str(self.outside),
            "secret": str(self.outside / "secret"),
            "wall": place.wall,
            "without": without,
            "work": str(self.work),
        }
        self.stage = subprocess.Popen(
            [*join, *self._argv, python, str(self.base / "stage.py"), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd="/",
        )
        self._open.callback(self._end_stage)
        self.mounts = mounts()

    def _groups(self) -> list[str]:
        """Control groups for a user, and the command that goes there and becomes another."""
        name = f"autogen-abuse-{self.token}"
        try:
            folders = self._open.enter_context(delegated(name, self.uid))
        except NotHere:
            return []
        joins = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
        return ["sh", "-c", joins + 'exec "$@"', "sh"]

    def _libraries(self, python: str) -> str:
        """Copies of the package and of this suite, and where what they import is found."""
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(autogen.__file__).parent, self.base / "autogen", ignore=ignore)
        for name in ("stage.py", "layers.py"):
            shutil.copy(HERE / name, self.base)
        for path in (self.base / "autogen" / "coding").iterdir():
            # Layers are left out by changing the copy.
            os.chown(path, self.uid, self.uid)
        site = Path(pydantic.__file__).parents[1]
        if self.place.uid in (None, os.geteuid()) or python == sys.executable:
            return str(site)
        for name in ("pydantic", "pydantic_core", "annotated_types", "typing_inspection"):
            shutil.copytree(site / name, self.base / name, ignore=ignore)
        shutil.copy(site / "typing_extensions.py", self.base)
        return str(self.base)

    def _services(self) -> None:
        enter = self._open.enter_context
        server = enter(socket.create_server(("127.0.0.1", 0)))
        server6 = enter(socket.create_server(("::1", 0), family=socket.AF_INET6))
        self.tcp, self.tcp6 = server.getsockname()[1], server6.getsockname()[1]
        one = enter(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        one.bind(("127.0.0.1", 0))
        self.udp = one.getsockname()[1]
        threading.Thread(target=_echo, args=(one,), daemon=True).start()
        for address in (f"\0autogen-abuse-{self.token}", str(self.outside / "socket")):
            unix = enter(socket.socket(socket.AF_UNIX))
            unix.bind(address)
            unix.listen()
        (self.outside / "socket").chmod(0o777)

    # -- playing -----------------------------------------------------------------------------------

    def run(self, code: str, *, language: str = "python", timeout_s: int = 10) -> dict[str, Any]:
        """One block behind the wall."""
        assert self.stage.stdin and self.stage.stdout and self.stage.stderr
        order = {"code": code, "language": language, "timeout_s": timeout_s}
        self.stage.stdin.write(json.dumps(order) + "\n")
        self.stage.stdin.flush()
        line = self.stage.stdout.readline()
        assert line, self.stage.stderr.read()
        told: dict[str, Any] = json.loads(line)
        return told

    def play(self, attack: Attack) -> dict[str, Any]:
        """An attack; its result."""
        code = attack.code
        for name, value in self.names.items():
            code = code.replace(f"<<{name}>>", value)
        if not attack.whole:
            code = f"{PRELUDE}\n{code}\nprint('end', flush=True)"
        return self.run(code, language=attack.language, timeout_s=attack.timeout_s)

    def settle(self) -> None:
        """Warm the wall up and count the processes that it consists of."""
        assert self.run("print('fine')")["output"] == "fine\n"
        samples = []
        for _ in range(40):
            samples.append(len(below(self.stage.pid)))
            # The fork that stands by for the next block comes a moment after the last one.
            time.sleep(0.01)
        self.idle = max(samples)

    @cached_property
    def secret_digest(self) -> str:
        return hashlib.sha256(self.token.encode()).hexdigest()

    def clean(self) -> None:
        """Empty the work_dir, whatever was left there."""
        for path in self.work.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()

    def changes(self) -> list[str]:
        """What is different on the host from how it was."""
        found = []
        names = set(os.listdir(self.outside)) - {"socket"}
        if names != set(self.outside_files):
            found.append(f"files outside: {sorted(names)}")
        for name, text in self.outside_files.items():
            path = self.outside / name
            if path.exists():
                state = path.stat()
                facts = (path.read_text(), state.st_mode & 0o7777, state.st_mtime, state.st_nlink)
                if facts != (text, 0o666, 1.0, 1) or os.listxattr(path):
                    found.append(f"{name}: {facts}")
        if sorted(path.name for path in (self.base / "w").iterdir()) != ["outside", "work"]:
            found.append("files beside the work_dir")
        status = Path(f"/proc/{self.victim.pid}/status").read_text()
        if self.victim.poll() is not None or "State:\tS" not in status:
            found.append("the process of the host was stopped or killed")
        elif os.getpriority(os.PRIO_PROCESS, self.victim.pid) != os.getpriority(os.PRIO_PROCESS, 0):
            found.append("the process of the host has another priority")
        if changed := mounts() ^ self.mounts:
            found.append(f"mounts: {sorted(changed)}")
        return found

    # -- the end -----------------------------------------------------------------------------------

    def _end_victim(self) -> None:
        self.victim.kill()
        self.victim.wait()

    def _end_stage(self) -> None:
        assert self.stage.stdin and self.stage.stdout and self.stage.stderr
        with contextlib.suppress(BrokenPipeError):
            self.stage.stdin.close()
        try:
            self.stage.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.stage.kill()
            self.stage.wait()
        self.stage.stdout.close()
        self.stage.stderr.close()

    @property
    def stands(self) -> bool:
        """Whether it can be played in; attacks on a wall without a layer reach other worlds too."""
        return self.stage.poll() is None and self.work.is_dir()

    def close(self) -> None:
        self._open.close()


def _echo(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data, address = one.recvfrom(64)
            one.sendto(data, address)
