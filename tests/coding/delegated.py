"""Control groups handed to a user, as a service manager hands them to a session."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autogen.coding import cgroup

TOP = Path("/sys/fs/cgroup")
#: How long processes that were killed may take to leave.
REMOVE_S = 5.0


class NotHere(Exception):
    """No groups can be made; the message says why."""


@contextmanager
def delegated(name: str, uid: int) -> Iterator[list[Path]]:
    """Groups below those of this process that `uid` may make others in; a list of folders.

    A process joins them by writing itself to the `cgroup.procs` of each.

    Raises:
        NotHere: This machine does not let this process make any.
    """
    made: list[Path] = []
    try:
        try:
            joined = _make(name, uid, made)
        except OSError as error:
            raise NotHere(str(error)) from error
        yield joined
    finally:
        until_s = time.monotonic() + REMOVE_S
        for folder in reversed(made):
            while not _removed(folder) and time.monotonic() < until_s:
                time.sleep(0.01)


def _removed(folder: Path) -> bool:
    """Remove a group and those of walls that were killed; not while somebody is in it."""
    try:
        for one in folder.glob("autogen-wall-*"):
            one.rmdir()
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


def _make(name: str, uid: int, made: list[Path]) -> list[Path]:
    places = dict(cgroup.own_places())
    if (TOP / "cgroup.controllers").exists():
        # Version 2 limits those below a group that has no processes itself.
        outer, inner = TOP / name, TOP / name / "main"
        for folder in (outer, inner):
            folder.mkdir()
            made.append(folder)
        (outer / "cgroup.subtree_control").write_text("+memory +pids")
        for folder in (outer, inner):
            hand_over(folder, uid)
        return [inner]
    joined = []
    for controller in ("memory", "pids"):
        folder = TOP / controller / places[controller].strip("/") / name
        folder.mkdir()
        made.append(folder)
        hand_over(folder, uid)
        joined.append(folder)
    return joined


def hand_over(folder: Path, uid: int) -> None:
    for path in (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control"):
        if path.exists():
            os.chown(path, uid, uid)
