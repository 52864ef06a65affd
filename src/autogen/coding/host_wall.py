"""What the walls of this machine's own kernel, bubblewrap and Landlock, have in common."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

from .gate import PORT
from .group import Group, make_group
from .plan import Plan
from .runner_setup import INSIDE, installers, limits, variables
from .waker import Waker

__all__ = [
    "BIN_FOLDERS",
    "ETC",
    "FIRST_ID",
    "ID_RANGE",
    "ID_RANGES",
    "START_S",
    "first_inside",
    "group_for",
    "outer_environment",
    "setup_of",
]

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
    """What the program around a wall needs; whoever may read its process learns nothing."""
    return {"PATH": BIN_FOLDERS, "LANG": "C.UTF-8", "AUTOGEN_CANARY": "seen"}


def setup_of(plan: Plan, *, inside: str = INSIDE, door: int = -1) -> dict[str, Any]:
    """What the runner is told.

    Args:
        plan: The wall.
        inside: The folder for its own things.
        door: The descriptor by which it passes the listening socket out.
    """
    layer = f"{inside}/layer"
    program = plan.interpreter.executable
    venv_bin = [os.path.join(plan.interpreter.venv, "bin")] if plan.interpreter.venv else []
    path = [*venv_bin, f"{inside}/bin", f"{layer}/bin", os.path.dirname(program)]
    path += BIN_FOLDERS.split(":")
    env = {
        **variables(home=f"{inside}/home", work_dir=plan.work_dir, egress=plan.egress),
        "PATH": ":".join(dict.fromkeys(path)),
        "PYTHONPATH": f"{inside}/lib:{layer}",
        "USER": "sandbox",
        **plan.env,
    }
    return {
        "limits": limits(memory_mb=plan.memory_mb, disk_mb=plan.disk_mb, processes=plan.processes),
        "files": installers(program, inside=inside),
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
