"""A control group of each wall's own, where this machine lets the program make one.

The kernel then counts memory and processes of everything behind the wall together and at once, also
what no process shows as its own. A group is made below one that the program is in and never where
that would leave a limit of memory or processor time behind. Where none can be made, rlimits and the
runner's watch hold alone. `cgroup.py` tells what the program itself is held to.
"""

from __future__ import annotations

import itertools
import os
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from .cgroup import own_places

__all__ = ["Group", "make_group"]

Kind = Literal["v1", "v2", "hybrid"]
#: The end of the name of each group tells whose it is, so that it can be removed when that is gone.
PREFIX = "autogen-wall-"
#: What the runner and what its memory is made of may take besides a block.
RUNNER_MB = 128
#: The runner, the fork that stands by, and room for the one process that is too many.
RUNNER_TASKS = 3
#: How long after the end of a wall its last process may take to be gone.
EMPTY_S = 0.5
WANTED = ("memory", "pids")
IN_WORDS = {"memory": "memory", "pids": "processes"}
#: Limits that a group must not be taken out of. That of tasks is not among them: systemd sets it
#: on everything, and each wall has one of its own.
KEPT_LIMITS = ("memory.max", "memory.high", "cpu.max")

_numbers = itertools.count(1)
#: Groups that had processes left when their wall ended.
_left: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where groups can be made, and what these can limit."""

    kind: Kind
    folder: str
    controllers: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Group:
    """The control groups of one wall: one, or with version 1 one for each controller.

    Attributes:
        kind: "v1" and "v2"; "hybrid" where version 2 is there and version 1 does the limiting.
        folders: Where they are.
        controllers: What they limit, of "memory" and "pids".
    """

    kind: Kind
    folders: tuple[str, ...]
    controllers: tuple[str, ...]
    _events: int = -1
    _seen: int = field(default=0)

    def __str__(self) -> str:
        held = " and ".join(IN_WORDS[name] for name in self.controllers)
        return f"a cgroup ({self.kind}) of each wall limits {held} of all together"

    def take(self, pid: int) -> None:
        """Put a process in, and with it all that it starts from now on.

        Raises:
            OSError: It cannot be put in.
        """
        for folder in self.folders:
            _write(f"{folder}/cgroup.procs", pid)

    def kills(self) -> int:
        """How often the kernel ended a process for want of memory, since this was asked last."""
        if self._events < 0:
            return 0
        try:
            lines = os.pread(self._events, 1024, 0).splitlines()
        except OSError:
            return 0
        now = next((int(line.split()[1]) for line in lines if line.startswith(b"oom_kill ")), 0)
        new, self._seen = now - self._seen, now
        return new

    def remove(self, inner: int = -1) -> None:
        """Remove what is left of it; `inner`, a pidfd, can be read when nothing runs inside."""
        self.let_go()
        if inner >= 0:
            poll = select.poll()
            poll.register(inner, select.POLLIN)
            poll.poll(EMPTY_S * 1000)
        _left.update(self.folders)
        until_s = time.monotonic() + EMPTY_S
        while not _sweep_left(self.folders) and time.monotonic() < until_s:
            time.sleep(0.001)

    def let_go(self) -> None:
        """Close what this process holds of it, and leave the group to whoever made it."""
        if self._events >= 0:
            os.close(self._events)
            self._events = -1


def make_group(*, memory_mb: int, disk_mb: int, processes: int, root: str = "/") -> Group | None:
    """A new group; None where none can be made.

    What is written to file systems in memory counts as memory, so that there is room for both.

    Args:
        memory_mb: Memory for all processes of a block together.
        disk_mb: What it may write to its temporary files.
        processes: Processes and threads at a time.
        root: Where /proc and /sys are.
    """
    places = _places(root, own_places(Path(root)))
    if not places:
        return None
    name = f"{PREFIX}{_mark(os.getpid())}-{next(_numbers)}"
    memory_bytes = (memory_mb + disk_mb + RUNNER_MB) << 20
    _sweep_left()
    made: dict[str, Place] = {}
    try:
        for place in places:
            folder = f"{place.folder}/{name}"
            os.mkdir(folder)
            made[folder] = place
            _limit(folder, place, memory_bytes, processes + RUNNER_TASKS)
        return Group(
            kind=places[0].kind,
            folders=tuple(made),
            controllers=tuple(one for place in places for one in place.controllers),
            _events=_open_events(made),
        )
    except OSError:
        for folder in made:
            os.rmdir(folder)
        return None


def _limit(folder: str, place: Place, memory_bytes: int, tasks: int) -> None:
    if "pids" in place.controllers:
        _write(f"{folder}/pids.max", tasks)
    if "memory" not in place.controllers:
        return
    is_new = place.kind == "v2"
    _write(f"{folder}/{'memory.max' if is_new else 'memory.limit_in_bytes'}", memory_bytes)
    # With version 1 memory and swap together, with version 2 swap alone; kernels may have neither.
    swap = ("memory.swap.max", 0) if is_new else ("memory.memsw.limit_in_bytes", memory_bytes)
    if os.path.exists(f"{folder}/{swap[0]}"):
        _write(f"{folder}/{swap[0]}", swap[1])


def _open_events(made: dict[str, Place]) -> int:
    """A descriptor from which is read how often the memory was not enough."""
    for folder, place in made.items():
        if "memory" in place.controllers:
            name = "memory.events" if place.kind == "v2" else "memory.oom_control"
            return os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    return -1


# -- where -----------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _places(root: str, own: tuple[tuple[str, str], ...]) -> tuple[Place, ...]:
    """Where groups can be made by a program that is in these groups (controller, path)."""
    top, paths = f"{root.rstrip('/')}/sys/fs/cgroup", dict(own)
    found = []
    if os.path.exists(f"{top}/cgroup.controllers"):
        if "unified" in paths and (place := _place_v2(top, paths["unified"])):
            found.append(place)
    else:
        kind: Kind = "hybrid" if "unified" in paths else "v1"
        for name in WANTED:
            folder = _shown(f"{top}/{name}", paths[name]) if name in paths else None
            if folder and _is_mine(folder):
                found.append(Place(kind=kind, folder=folder, controllers=(name,)))
    for place in found:
        _sweep_dead(place.folder)
    return tuple(found)


def _place_v2(top: str, path: str) -> Place | None:
    """The nearest group above the program, or its own, in which others can be made.

    A group has either processes or limits for those below it, so that a program that is alone in
    its own has to go up; it may, as far as it leaves no limit behind.
    """
    folder = _shown(top, path)
    if folder is None or not _has(folder, os.getpid()):
        return None
    for step in itertools.count():
        if os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK):
            there = set(_words(f"{folder}/cgroup.controllers")) & set(WANTED)
            enabled = there & set(_words(f"{folder}/cgroup.subtree_control"))
            if step < 2 and enabled != there and _enable(folder, there - enabled):
                enabled = there
            if enabled:
                controllers = tuple(name for name in WANTED if name in enabled)
                return Place(kind="v2", folder=folder, controllers=controllers)
        is_limited = any(
            _words(f"{folder}/{name}")[:1] not in ([], ["max"]) for name in KEPT_LIMITS
        )
        if folder == top or is_limited:
            return None
        folder = os.path.dirname(folder)
    return None


def _enable(folder: str, controllers: set[str]) -> bool:
    """Let a group limit those below it; refused where processes are in it."""
    try:
        _write(f"{folder}/cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))
    except OSError:
        return False
    return True


def _shown(top: str, path: str) -> str | None:
    """The folder of a group; in a container only what is its own may be shown, as the top."""
    parts = [part for part in path.split("/") if part]
    if ".." in parts:
        return None
    folder = os.path.join(top, *parts)
    return folder if os.path.isdir(folder) else top


def _is_mine(folder: str) -> bool:
    """Whether this program is in the group and may make others below it."""
    return os.access(folder, os.W_OK) and _has(folder, os.getpid())


def _has(folder: str, pid: int) -> bool:
    """Whether a process is in a group: what is shown here may be another's."""
    return str(pid) in _words(f"{folder}/cgroup.procs")


# -- tidying up ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _mark(pid: int) -> str:
    """A process for all time, as part of a name."""
    return f"{_pid_space()}-{pid}-{_started(pid)}"


def _pid_space() -> int:
    """Which table of processes this one is in; 0 for a program that may not look at itself."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _started(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; None if it is gone."""
    try:
        data = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(data.rpartition(b")")[2].split()[19])


def _sweep_dead(parent: str) -> None:
    """Remove the groups of programs that were killed; one that is in use refuses."""
    for name in _groups_in(parent):
        space, pid, started, _ = name.removeprefix(PREFIX).split("-")
        if int(space) == _pid_space() != 0 and started != str(_started(int(pid))):
            _remove(f"{parent}/{name}")


def _groups_in(parent: str) -> Iterator[str]:
    for name in os.listdir(parent):
        parts = name.removeprefix(PREFIX).split("-")
        if name.startswith(PREFIX) and len(parts) == 4 and all(map(str.isdigit, parts)):
            yield name


def _sweep_left(folders: tuple[str, ...] = ()) -> bool:
    """Try again what could not be removed; whether nothing is left of `folders`."""
    for folder in list(_left):
        if _remove(folder):
            _left.discard(folder)
    return not _left & set(folders)


def _remove(folder: str) -> bool:
    """Remove a group; whether it is gone."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(path: str, value: int | str) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(str(value).encode())


def _words(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().split()
    except OSError:
        return []
