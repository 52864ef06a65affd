"""`SandboxCommandLineCodeExecutor`: code blocks behind a wall on this machine, without a daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal

from .._kernel.cancel import CancelToken
from ..errors import ExecutionError, NoWallError, UsageError
from . import bubblewrap, landlock
from .func_with_reqs import AnyFunction
from .link import Link
from .output import clean_text
from .packages import Layers, layers_dir
from .plan import Plan
from .policy import PUBLIC
from .waker import Waker
from .walled import WalledExecutor

__all__ = ["SandboxCommandLineCodeExecutor"]

Wall = Literal["auto", "bubblewrap", "landlock"]


class SandboxCommandLineCodeExecutor(WalledExecutor):
    """Runs code blocks in a sandbox: they see their work_dir, a read-only Python, and nothing else.

    Nothing is started or probed at construction. The first block starts a wall with a warm
    interpreter in it, which later blocks share until `stop()`; each block is a process of its own
    there and is killed with everything it started when it ends. Files in the work_dir belong to the
    owner of that folder. Use it as a context manager, or let it stop by itself when it is garbage
    or the program ends.

    Args:
        timeout: Seconds that one block may take; installing packages does not count.
        work_dir: The one folder that the code can write to for good, at the same path inside.
        network: What the code can reach, over HTTP and HTTPS through a proxy of this program:
            "public" hosts, "none", or a list such as `["api.example.com", "*.example.org",
            "example.com:8443", "127.0.0.1:8000"]`, where an address that is not public has to be
            named itself. "host" shares the network of this machine instead. Packages can be
            installed unless it is "none". Behind Landlock "public" means packages and nothing
            else, and there is neither "host" nor a list.
        packages: Requirements to install before the first block.
        env: Variables the code sees. Nothing else of this program's environment is handed in.
        mounts: Further files and folders: host path to path inside (read-only), or to
            `{"bind": path, "mode": "ro" | "rw"}`.
        memory_mb: Memory for all processes of a block together.
        processes: Processes and threads at a time.
        disk_mb: Largest file, and growth of the work_dir in one block.
        wall: "auto" takes the strongest wall that stands here, bubblewrap before Landlock; a name
            insists on that one.
        execution_policies: Language to whether its blocks are run or only saved.
        preload: Modules that are imported when the wall goes up, so that blocks that import them
            do not wait for it. They come before files of the same name in the work_dir.
        functions: What blocks may import: functions, those made by `with_requirements`, or their
            source. They are put into the work_dir before the first block, and what they need is
            installed as `packages` are.
        functions_module: Name of the module that blocks import them from.

    Raises:
        UsageError: A value cannot be worked with.
    """

    def __init__(
        self,
        timeout: int = 60,
        work_dir: str | os.PathLike[str] = ".",
        network: str | Sequence[str] = PUBLIC,
        packages: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[str, str | Mapping[str, str]] | None = None,
        memory_mb: int = 2048,
        processes: int = 256,
        disk_mb: int = 1024,
        wall: Wall = "auto",
        execution_policies: dict[str, bool] | None = None,
        *,
        preload: Sequence[str] = (),
        functions: Sequence[AnyFunction] = (),
        functions_module: str = "functions",
    ):
        if wall not in ("auto", "bubblewrap", "landlock"):
            raise UsageError(f"wall {wall!r} is not known; use 'auto', 'bubblewrap' or 'landlock'.")
        super().__init__(
            timeout=timeout,
            work_dir=work_dir,
            network=network,
            packages=packages,
            env=env,
            mounts=mounts,
            memory_mb=memory_mb,
            processes=processes,
            disk_mb=disk_mb,
            execution_policies=execution_policies,
            functions=functions,
            functions_module=functions_module,
        )
        self.wall = wall
        self.preload = module_names(preload)
        self._layers = Layers()

    def _package_layers(self) -> Layers:
        return self._layers

    def _start_runner(self, waker: Waker, token: CancelToken, *, at_once: bool = False) -> Link:
        self._install_wanted(token)
        link = self._raise_wall(waker, at_once=at_once)
        if troubles := link.hello.get("troubles"):
            link.kill()
            raise ExecutionError(
                f"The sandbox cannot import what it is to preload: {clean_text(str(troubles))}. "
                "Install them with packages=[...], or leave them out."
            )
        return link

    def _raise_wall(self, waker: Waker, *, at_once: bool) -> Link:
        plan = self._plan(at_once=at_once)
        if self.wall == "landlock":
            return landlock.start_wall(plan, waker=waker)
        try:
            return bubblewrap.start_wall(plan, waker=waker)
        except NoWallError as first:
            if self.wall == "bubblewrap":
                raise
            try:
                return landlock.start_wall(plan, waker=waker)
            except NoWallError as second:
                raise NoWallError(f"{first} {second}") from first

    def _plan(self, *, at_once: bool) -> Plan:
        layer = self._layers.current
        return Plan(
            work_dir=self._place.real,
            layers_dir=str(layers_dir()),
            layer=layer.folder if layer else None,
            host_network=self.network == "host",
            memory_mb=self.memory_mb,
            processes=self.processes,
            disk_mb=self.disk_mb,
            env=self.env,
            mounts=self.mounts,
            preload=self.preload,
            egress=self._egress,
            at_once=at_once,
            folder=self._folder(),
        )


def module_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each of which can be one of a module.

    Raises:
        UsageError: One cannot.
    """
    if isinstance(names, str):
        raise UsageError(f"preload is {names!r}; expected names of modules, ('numpy', ...).")
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UsageError(f"preload has {name!r}, which is no name of a module.")
    return tuple(names)
