"""What control groups hold this program to.

A block is held by limits of each process, by the runner's watch, and by a group of its wall where
one can be made (`group.py`). A group around the whole program is made by who starts it; `walls.py`
tells about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Groups", "groups_of", "own_places"]

#: Version 1 writes "no limit" as the largest number of pages.
NO_LIMIT = 1 << 60
#: By version: the files of the limits of memory and of processes.
FILES = {
    "v2": ("memory.max", "pids.max"),
    "v1": ("memory.limit_in_bytes", "pids.max"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The control groups of a process.

    Attributes:
        kind: "v1" and "v2"; "hybrid" where version 2 is there and version 1 does the limiting.
        memory_bytes: The tightest limit of memory; None for none.
        processes: The tightest limit of processes and threads; None for none.
    """

    kind: Literal["none", "v1", "v2", "hybrid"]
    memory_bytes: int | None = None
    processes: int | None = None

    def __str__(self) -> str:
        held = []
        if self.memory_bytes is not None:
            held.append(f"{self.memory_bytes >> 20} MB of memory")
        if self.processes is not None:
            held.append(f"{self.processes} processes")
        if not held:
            return "no cgroup limits this program" + (
                "" if self.kind == "none" else f" (cgroup {self.kind})"
            )
        return f"cgroup {self.kind} holds this program to {' and '.join(held)} in all"


def groups_of(pid: int | str = "self", *, root: Path = Path("/")) -> Groups:
    """The control groups that a process is in, and what they limit.

    Args:
        pid: The process.
        root: Where /proc and /sys are.
    """
    places = dict(own_places(root, pid))
    top = root / "sys/fs/cgroup"
    if (top / "cgroup.controllers").exists() and "unified" in places:
        memory, processes = FILES["v2"]
        folders = list(_upwards(top, places["unified"]))
        return Groups(
            kind="v2",
            memory_bytes=_tightest(folders, memory),
            processes=_tightest(folders, processes),
        )
    if not {"memory", "pids"} & set(places):
        return Groups(kind="none")
    memory, processes = FILES["v1"]
    return Groups(
        kind="hybrid" if "unified" in places else "v1",
        memory_bytes=_tightest(_upwards(top / "memory", places.get("memory", "/")), memory),
        processes=_tightest(_upwards(top / "pids", places.get("pids", "/")), processes),
    )


def own_places(root: Path = Path("/"), pid: int | str = "self") -> tuple[tuple[str, str], ...]:
    """The group that a process is in, by controller; version 2 has one, called "unified"."""
    found = []
    for line in _lines(root / f"proc/{pid}/cgroup"):
        number, names, path = line.split(":", 2)
        found += [(name, path) for name in (["unified"] if number == "0" else names.split(","))]
    return tuple(found)


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """A group and those it is in. In a container `path` may name what is not shown there."""
    folder = Path(top, path.strip("/"))
    while folder.is_relative_to(top):
        yield folder
        folder = folder.parent


def _tightest(folders: Iterator[Path] | list[Path], name: str) -> int | None:
    found = [int(line) for one in folders for line in _lines(one / name) if line.isdigit()]
    return min((limit for limit in found if limit < NO_LIMIT), default=None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
