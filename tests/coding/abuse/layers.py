"""The layers of the walls, each with the way to leave it out: without it an attack has to work.

A wall whose layers were never missing proves nothing: the attack may fail for another reason. Each
function here replaces one function of the product, in the process of `stage.py` only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from autogen.coding import bubblewrap, docker_container, landlock, program, runner
from autogen.coding.program import memory_file

#: A seccomp program of one instruction: everything is allowed.
ALLOW_ALL = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)


def wrap(module: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Let `module.name(...)` return what `change` makes of it."""
    real = getattr(module, name)
    setattr(module, name, lambda *args, **options: change(real(*args, **options)))


def without(module: Any, name: str, *options: str) -> None:
    """Leave options out of a list of them."""
    wrap(module, name, lambda found: [option for option in found if option not in options])


def no_canary() -> None:
    """Walls that are known not to hold are not looked at first."""
    bubblewrap._canary = landlock._canary = lambda *args: None
    real = docker_container._canary

    def blind(link: Any, plan: Any) -> Any:
        text = docker_container.CANARY
        head, _, tail = text.partition('"found": {')
        docker_container.CANARY = head + '"found": {' + tail[tail.index("\n    },\n") :]
        try:
            return real(link, plan)
        finally:
            docker_container.CANARY = text

    docker_container._canary = blind


def change_runner(old: str, new: str) -> None:
    """Run a runner whose source differs in one place."""
    path = Path(runner.__file__)
    source = path.read_text()
    assert source.count(old) == 1, f"{old!r} is not there once"
    # The package that the stage imports is a copy of its own.
    path.write_text(source.replace(old, new))
    program.compiled.cache_clear()


def change_entry(old: str, new: str) -> None:
    """Run a Landlock supervisor whose source differs in one place."""
    path = Path(runner.__file__).with_name("landlock_entry.py")
    source = path.read_text()
    assert source.count(old) == 1, f"{old!r} is not there once"
    path.write_text(source.replace(old, new))


def no_group(module: Any) -> None:
    """Let the kernel count nothing together."""
    module.group_for = lambda plan: None


def high_limits(setup: dict[str, Any]) -> dict[str, Any]:
    """Limits as if there were none, and still harmless."""
    limits = setup["limits"]
    return {
        **setup,
        "limits": {
            **limits,
            "memory_bytes": 1 << 40,
            "disk_bytes": 1 << 40,
            "processes": 5000,
            "user_processes": 5000,
        },
    }


def show_outside(found: list[str], world: dict[str, Any]) -> list[str]:
    """The view, with one folder of the host more."""
    return [*found, "--bind", world["outside"], world["outside"]]


def writable_layers(found: Iterable[Any]) -> list[Any]:
    """The mounts, with the packages open to be changed."""
    return [replace(one, writable=one.writable or "/layers" in one.host) for one in found]


def host_config(**changes: Any) -> Callable[[Any], Any]:
    """Change the options of a container."""
    return lambda found: {**found, **changes}


Off = Callable[[dict[str, Any]], None]

#: By wall, and by name of the layer.
OFF: dict[str, dict[str, Off]] = {
    "bubblewrap": {
        "view": lambda world: wrap(bubblewrap, "_view", lambda found: show_outside(found, world)),
        "read-only packages": lambda world: wrap(bubblewrap, "_mounts", writable_layers),
        "network namespace": lambda world: without(bubblewrap, "_isolation", "--unshare-net"),
        # The processes of the host would count against the limit of the block.
        "process namespace": lambda world: (
            without(bubblewrap, "_isolation", "--unshare-pid", "--as-pid-1"),
            wrap(bubblewrap, "setup_of", high_limits),
            no_group(bubblewrap),
        ),
        "filter": lambda world: setattr(
            bubblewrap, "_seccomp_fd", lambda: memory_file("seccomp", ALLOW_ALL)
        ),
        "cleared environment": lambda world: (
            without(bubblewrap, "_isolation", "--clearenv"),
            setattr(bubblewrap, "outer_environment", lambda: dict(world["environ"])),
        ),
        "closed descriptors": lambda world: inherit(bubblewrap, world),
        "lock of the runner": lambda world: change_runner(
            "_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)", "pass"
        ),
        "limits": lambda world: (
            wrap(bubblewrap, "setup_of", high_limits),
            no_group(bubblewrap),
        ),
        "group": lambda world: no_group(bubblewrap),
    },
    "landlock": {
        "file rules": lambda world: wrap(
            landlock, "_rules", lambda found: {**found, "/": (1 << 16) - 1}
        ),
        "filter": lambda world: setattr(
            landlock, "_filter_path", lambda: allow_all_file(Path(world["base"]))
        ),
        "second filter": lambda world: setattr(
            landlock, "second_filter", lambda machine, own_id: ALLOW_ALL
        ),
        "scope of signals": lambda world: (
            change_entry("SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS)", "SCOPE_ABSTRACT_SOCKETS)"),
            change_entry(
                "def confine_signals(version: int) -> None:",
                "def confine_signals(version: int) -> None:\n    return",
            ),
            change_runner("if self.landlock < 6:", "if True:"),
        ),
        "cleared environment": lambda world: setattr(
            landlock, "outer_environment", lambda: dict(world["environ"])
        ),
        "closed descriptors": lambda world: inherit(landlock, world),
        "limits": lambda world: (wrap(landlock, "setup_of", high_limits), no_group(landlock)),
        "group": lambda world: no_group(landlock),
    },
    "docker": {
        "filter": lambda world: wrap(
            docker_container,
            "_host_config",
            host_config(SecurityOpt=["no-new-privileges", "seccomp=unconfined"]),
        ),
        "lock of the runner": lambda world: change_runner(
            "_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)", "pass"
        ),
        "no new privileges": lambda world: wrap(
            docker_container,
            "_host_config",
            lambda found: {
                **found,
                "SecurityOpt": [one for one in found["SecurityOpt"] if "privileges" not in one],
            },
        ),
        "network namespace": lambda world: share_network(),
        "view": lambda world: wrap(
            docker_container,
            "_host_config",
            lambda found: {
                **found,
                "Binds": [*found["Binds"], f"{world['outside']}:{world['outside']}:rw"],
            },
        ),
        "limits": lambda world: (
            wrap(docker_container, "_setup", high_limits),
            wrap(
                docker_container,
                "_host_config",
                host_config(PidsLimit=5000, Memory=1 << 32, MemorySwap=1 << 32),
            ),
        ),
    },
}


def inherit(module: Any, world: dict[str, Any]) -> None:
    """Hand a descriptor of the program in."""
    real, fd = module.spawn, world["descriptor"]
    module.spawn = lambda argv, **options: real(
        argv, **{**options, "pass_fds": (*options.get("pass_fds", ()), fd)}
    )
    change_runner(
        "os.closerange(4, 1 << 20)", f"os.closerange(4, {fd}); os.closerange({fd + 1}, 1 << 20)"
    )


def allow_all_file(folder: Path) -> Path:
    path = folder / "allow-all.bpf"
    path.write_bytes(ALLOW_ALL)
    return path


def share_network() -> None:
    """Put the container into the network of the host."""
    real = docker_container._create
    docker_container._create = lambda client, plan, *rest: real(
        client, replace(plan, host_network=True), *rest
    )
