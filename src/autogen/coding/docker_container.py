"""Wall 3: a container around the runner, made as tight as Docker lets it be.

Builds the container, starts the runner as its process 1, and looks for ways out with a canary
before any other code runs. Only `docker.py` uses this.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExecutionError, NoWallError
from .canary import PRELUDE
from .docker_door import DOOR, DOOR_FD, Door
from .docker_engine import deaf, troubles
from .docker_link import AttachedLink
from .egress import Egress
from .gate import PORT, Gate
from .interpreter import Interpreter
from .plan import Mount
from .runner_setup import INSIDE, installers, limits, variables
from .waker import Waker

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["LABEL", "LAYERS", "WORKSPACE", "ContainerPlan", "start_container"]

WORKSPACE = "/workspace"
LAYER = f"{INSIDE}/layer"
#: Where the host's layers of packages are shown.
LAYERS = "/run/autogen-layers"
#: Every container made here has it; its value is the id of the process that made it.
LABEL = "autogen.executor"
START_S = 30.0
END_S = 5
#: Room in the container for the runner itself, beyond what a block may use.
RUNNER_MB = 128

# Process 1 reads the runner's source from the stream: a file would have to be shared with an engine
# that may see other files than this program does.
FIRST = """
import os, socket
if {door!r}:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect({door!r})
        os.dup2(door.fileno(), {door_fd})
size, source = {size}, b""
while len(source) < size:
    part = os.read(0, size - len(source))
    if not part:
        os._exit(0)
    source += part
name = "/run/autogen/runner.py"
exec(compile(source, name, "exec"), {{"__name__": "__main__", "__file__": name}})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlan:
    """What a container is built from.

    Attributes:
        address: Where the engine is.
        image: Name or id; it is on the engine.
        image_env: The variables that the image sets.
        work_dir: Absolute and real: where this program finds what lies at /workspace inside.
        bind_dir: The same folder as the engine names it.
        layers_dir: Where packages are installed, read-only inside; None where the engine cannot see
            this machine's files.
        layer: The layer to begin with, as seen from inside.
        user: User and group id.
        once: End when this program lets go of the stream.
        egress: What may be reached through the proxy of this program; None for nothing.
    """

    address: str
    image: str
    image_env: dict[str, str]
    name: str
    work_dir: str
    bind_dir: str
    layers_dir: str | None
    layer: str | None
    user: tuple[int, int]
    host_network: bool
    memory_mb: int
    processes: int
    disk_mb: int
    env: dict[str, str]
    mounts: tuple[Mount, ...]
    auto_remove: bool
    once: bool
    egress: Egress | None = None


def start_container(
    client: DockerClient, plan: ContainerPlan, *, waker: Waker | None = None
) -> tuple[AttachedLink, Interpreter]:
    """A runner in a container that was seen to hold, and the Python it runs on.

    Raises:
        ExecutionError: Docker could not make the container, or the canary found a way out.
        RunnerLost: The container came up and the runner did not.
    """
    source = Path(__file__).with_name("runner.py").read_bytes()
    with Door(owner=plan.user) if plan.egress else contextlib.nullcontext() as door:
        return _start_with(client, plan, source, door, waker)


def _start_with(
    client: DockerClient,
    plan: ContainerPlan,
    source: bytes,
    door: Door | None,
    waker: Waker | None,
) -> tuple[AttachedLink, Interpreter]:
    identifier = _create(client, plan, len(source), door)
    link: AttachedLink | None = None
    try:
        with troubles(f"start a container of the image {plan.image!r}"):
            stream = _attach(client, identifier)
            link = AttachedLink(stream, end=lambda: end_container(client, identifier, plan))
            client.api.start(identifier)
        link.feed(source)
        link.start(_setup(plan), timeout_s=START_S, waker=waker)
        if door and plan.egress:
            link.gate = Gate(door.take(), plan.egress)
        interpreter = _canary(link, plan)
    except BaseException:
        if link is not None:
            link.kill()
        else:
            end_container(client, identifier, plan)
        raise
    return link, interpreter


def end_container(client: DockerClient, identifier: str, plan: ContainerPlan) -> None:
    """Kill the container, remove it unless it is to be kept, and close the client.

    Never raises for an engine that is gone: it has no container then, or removes it when it starts.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    client.api.timeout = END_S
    try:
        if deaf(plan.address):
            return
        if plan.auto_remove:
            client.api.remove_container(identifier, force=True, v=True)
        else:
            client.api.kill(identifier)
    except (DockerException, RequestException):
        # One that is being removed already is as good as gone.
        pass
    finally:
        client.close()


# -- making it -------------------------------------------------------------------------------------


def _create(client: DockerClient, plan: ContainerPlan, source_bytes: int, door: Door | None) -> str:
    from docker.errors import APIError

    way_out = f"{DOOR}/socket" if door else ""
    first = FIRST.format(size=source_bytes, door=way_out, door_fd=DOOR_FD)
    options: dict[str, Any] = {
        "command": ["-I", "-c", first],
        "entrypoint": ["python3"],
        "user": "{}:{}".format(*plan.user),
        "hostname": None if plan.host_network else "sandbox",
        "working_dir": WORKSPACE,
        "labels": {LABEL: str(os.getpid())},
        "stdin_open": True,
        # Process 1 does not hear SIGTERM; an engine that shuts down need not wait for it.
        "stop_signal": "SIGKILL",
        "tty": False,
        "detach": False,
        "healthcheck": {"test": ["NONE"]},
        "host_config": _host_config(client, plan, door),
    }
    with troubles(f"make a container of the image {plan.image!r}"):
        config = client.api.create_container_config(plan.image, **options)
        # A stream that closes ends the runner, so that a program that was killed leaves nothing.
        config["StdinOnce"] = plan.once
        config["NetworkDisabled"] = not plan.host_network
        try:
            create: Any = client.api.create_container_from_config
            made = create(config, plan.name)
        except APIError as error:
            if error.status_code == 409:
                raise ExecutionError(
                    f"A container named {plan.name!r} is there already; remove it with "
                    f"`docker rm -f {plan.name}`, or give another container_name."
                ) from error
            raise
    return str(made["Id"])


def _host_config(client: DockerClient, plan: ContainerPlan, door: Door | None) -> Any:
    from docker.types import LogConfig, Ulimit

    profile = importlib.resources.files(__package__) / "data" / "seccomp-docker.json"
    scratch = f"rw,exec,nosuid,nodev,mode=1777,size={max(16, plan.disk_mb // 2)}m"
    memory_mb = plan.memory_mb + plan.disk_mb + RUNNER_MB
    return client.api.create_host_config(
        auto_remove=plan.auto_remove,
        binds=_binds(plan, door),
        cap_drop=["ALL"],
        # Half the weight of the host's other work.
        cpu_shares=512,
        init=False,
        ipc_mode="private",
        # The frames must not pile up in a log.
        log_config=LogConfig(type="none"),
        mem_limit=f"{memory_mb}m",
        memswap_limit=f"{memory_mb}m",
        network_mode="host" if plan.host_network else "none",
        # The runner, the fork that stands by, and room for the one process that is too many.
        pids_limit=plan.processes + 3,
        privileged=False,
        read_only=True,
        security_opt=["no-new-privileges", f"seccomp={profile.read_text(encoding='utf-8')}"],
        shm_size=f"{max(16, plan.memory_mb // 2)}m",
        tmpfs={"/tmp": scratch, INSIDE: scratch},  # noqa: S108
        ulimits=[
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="nofile", soft=1024, hard=4096),
        ],
    )


def _binds(plan: ContainerPlan, door: Door | None) -> list[str]:
    mounts = [Mount(host=plan.bind_dir, inside=WORKSPACE, writable=True), *plan.mounts]
    if plan.layers_dir:
        mounts.append(Mount(host=plan.layers_dir, inside=LAYERS))
    if door:
        mounts.append(Mount(host=door.folder, inside=DOOR))
    for mount in mounts:
        if ":" in mount.host or ":" in mount.inside:
            raise ExecutionError(
                f"Docker cannot show {mount.host!r}: the path has a colon; use a folder without."
            )
    return [f"{one.host}:{one.inside}:{'rw' if one.writable else 'ro'}" for one in mounts]


def _attach(client: DockerClient, identifier: str) -> socket.socket:
    """The connection to the container's stdin, stdout and stderr."""
    parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    found: Any = client.api.attach_socket(identifier, parameters)
    inner = getattr(found, "_sock", found)
    if type(inner) is not socket.socket:
        found.close()
        raise ExecutionError(
            "This way to the Docker engine cannot carry a stream to the code. Use an engine on "
            "this machine (DOCKER_HOST=unix://...)."
        )
    stream = socket.socket(fileno=os.dup(inner.fileno()))
    # The SDK closes one and forgets the other.
    inner.close()
    found.close()
    return stream


def _setup(plan: ContainerPlan) -> dict[str, Any]:
    """What the runner is told."""
    files = {
        **installers("python3"),
        # Last on the path: for images whose Python goes by `python3` alone.
        f"{INSIDE}/last/python": ('#!/bin/sh\nexec python3 "$@"\n', 0o755),
    }
    inherited = plan.image_env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env = {
        **plan.image_env,
        **variables(home=f"{INSIDE}/home", work_dir=WORKSPACE, egress=plan.egress),
        "PATH": f"{INSIDE}/bin:{LAYER}/bin:{inherited}:{INSIDE}/last",
        "PYTHONPATH": f"{INSIDE}/lib:{LAYER}",
        "USER": "sandbox",
        **plan.env,
    }
    return {
        "limits": {
            **limits(memory_mb=plan.memory_mb, disk_mb=plan.disk_mb, processes=plan.processes),
            # The kernel counts everything that this user runs on the host; the container has a
            # limit of its own.
            "user_processes": 1 << 20,
        },
        "files": files,
        "links": {},
        "home": f"{INSIDE}/home",
        "gate": {"fd": DOOR_FD, "port": PORT} if plan.egress else None,
        "socket": f"{INSIDE}/ask",
        "path_first": [f"{INSIDE}/lib", LAYER],
        "path_last": [],
        "env": env,
        "layer": plan.layer,
    }


# -- the canary ------------------------------------------------------------------------------------

CANARY = r"""
import importlib.metadata, platform
mark, host_network = sys.argv[1:]
links = [line.split(":")[0].strip() for line in open("/proc/self/net/dev").readlines()[2:]]
open(mark, "x").close()
print(json.dumps({
    "found": {
        "writes kernel settings": can(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
        "writes /": can(lambda: os.mkdir("/autogen-canary")),
        "opens raw sockets": can(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "reaches virtual machine sockets": can(lambda: socket.socket(40, socket.SOCK_STREAM)),
        "has capabilities": capabilities("Prm", "Eff", "Bnd", "Amb"),
        "can gain privileges": status["NoNewPrivs"] != "1",
        "has no system call filter": status["Seccomp"] != "2",
        "has a network": not host_network and [name for name in links if name != "lo"] != [],
        "is not below the runner": os.getppid() != 1,
    },
    "libc": platform.libc_ver(),
    "machine": platform.machine(),
    "python": list(sys.version_info[:3]),
    "present": sorted({
        (one.metadata["Name"], one.version)
        for one in importlib.metadata.distributions() if one.metadata["Name"]
    }),
}))
"""


def _canary(link: AttachedLink, plan: ContainerPlan) -> Interpreter:
    """Look for ways out from inside, and at the Python there.

    Raises:
        NoWallError: There is one.
        ExecutionError: The work_dir inside is another folder than the one outside.
    """
    mark = f".autogen-{secrets.token_hex(8)}"
    path = Path(plan.work_dir, mark)
    arguments = [mark, "1" if plan.host_network else ""]
    code = PRELUDE + CANARY.replace("sys.argv[1:]", repr(arguments))
    try:
        told = link.run_quietly(["python3", "-I", "-c", code], cwd=WORKSPACE, timeout_s=20)
        made_by = path.lstat().st_uid if path.is_file() else None
    finally:
        path.unlink(missing_ok=True)
    try:
        facts = json.loads(told.output)
        found = [name for name, bad in facts["found"].items() if bad]
    except (ValueError, LookupError, AttributeError, TypeError):
        text = told.output[-500:].decode("utf-8", "backslashreplace")
        raise ExecutionError(
            f"The canary failed in a container of {plan.image!r} (exit code {told.code}): {text}"
        ) from None
    if found:
        raise NoWallError(
            f"The container does not hold: code in it {', '.join(found)}. It is not used."
        )
    if made_by is None:
        raise ExecutionError(
            f"The Docker engine shows another folder at {WORKSPACE} than {plan.work_dir}: it runs "
            "on another machine or in another container. Name the work_dir as the engine sees it "
            "with bind_dir."
        )
    return _interpreter(facts)


def _interpreter(facts: dict[str, Any]) -> Interpreter:
    """The Python inside, as packages are chosen for it."""
    machine = "aarch64" if facts["machine"] in ("aarch64", "arm64") else "x86_64"
    name, version = str(facts["libc"][0]), str(facts["libc"][1])
    python = ".".join(str(int(part)) for part in facts["python"][:2])
    if name == "glibc":
        # uv knows the versions of glibc up to 2.40 one by one from 2.31 on.
        minor = int(version.split(".")[1])
        floor = min(40, minor) if minor >= 31 else (28 if minor >= 28 else 17)
        target = f"{machine}-manylinux_2_{floor}"
    else:
        target = f"{machine}-unknown-linux-musl"
    options = ("--python", sys.executable, "--python-version", python, "--python-platform", target)
    present = tuple((str(name).lower(), str(version)) for name, version in facts["present"])
    return Interpreter(
        executable=f"python{python}-{target}",
        folders=(),
        links=(),
        site_folders=(),
        venv=None,
        elsewhere=options,
        present=present,
    )
