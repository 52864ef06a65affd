"""Which walls stand on this machine, why the others do not, and what to do about it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import AutogenError, NoWallError
from . import landlock
from .bubblewrap import find_bwrap, start_wall
from .cgroup import groups_of
from .docker_engine import connect
from .link import Link, RunnerLost
from .packages import layers_dir
from .plan import Plan

__all__ = ["WallReport", "probe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WallReport:
    """What a probe found out about one wall.

    Attributes:
        name: "bubblewrap", "landlock" or "docker".
        ok: Whether code was seen to run behind it, unable to get out.
        why: What stands in the way; for a wall that stands, what held it.
        remedy: What to do about it; empty for a wall that stands.
    """

    name: str
    ok: bool
    why: str
    remedy: str


def probe() -> list[WallReport]:
    """Try every wall by running a canary behind it; takes a fraction of a second each."""
    return [_bubblewrap(), _landlock(), _docker()]


def _bubblewrap() -> WallReport:
    with tempfile.TemporaryDirectory(prefix="autogen-probe-") as folder:
        try:
            link = start_wall(_plan(folder))
        except (AutogenError, RunnerLost, OSError) as error:
            missing = find_bwrap() is None
            remedy = (
                "apt-get install bubblewrap"
                if missing
                else "allow user namespaces, or run where they are allowed"
            )
            return WallReport(name="bubblewrap", ok=False, why=str(error), remedy=remedy)
        uid, limits = link.hello.get("uid"), _limits(link)
        link.kill()
    why = f"namespaces, seccomp and limits hold; code runs as id {uid} inside; {limits}"
    return WallReport(name="bubblewrap", ok=True, why=why, remedy="")


def _landlock() -> WallReport:
    with tempfile.TemporaryDirectory(prefix="autogen-probe-") as folder:
        try:
            link = landlock.start_wall(_plan(folder))
        except (AutogenError, RunnerLost, OSError) as error:
            remedy = "Linux 6.12 or later with Landlock, and folders that others may pass through"
            return WallReport(name="landlock", ok=False, why=str(error), remedy=remedy)
        uid, limits = link.hello.get("uid"), _limits(link)
        link.kill()
    why = (
        f"Landlock, seccomp and limits hold; code runs as id {uid} and has no sockets, but sees "
        f"that other processes and files exist; {limits}"
    )
    return WallReport(name="landlock", ok=True, why=why, remedy="")


def _limits(link: Link) -> str:
    """What holds the limits of a block, and what of the kernel's stands around that."""
    group = link.group or "no cgroup of its own can be made for a wall"
    return f"limits by rlimits and a watch every 50 ms; {group}; {groups_of()}"


def _plan(folder: str) -> Plan:
    return Plan(
        work_dir=str(Path(folder).resolve()),
        layers_dir=str(layers_dir()),
        layer=None,
        host_network=False,
        memory_mb=256,
        processes=32,
        disk_mb=64,
        env={},
    )


def _docker() -> WallReport:
    """Whether an engine answers; its canary runs in the first container, which needs an image."""
    try:
        client = connect()
    except NoWallError as error:
        why, _, remedy = str(error).partition(". ")
        return WallReport(name="docker", ok=False, why=why, remedy=remedy)
    version = str(client.version().get("Version", "unknown"))
    client.close()
    why = f"engine {version} answers; each container is checked before code runs in it"
    return WallReport(name="docker", ok=True, why=why, remedy="")
