"""`SandboxCommandLineCodeExecutor`: code blocks behind a wall on this machine, without a daemon."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from .._kernel.cancel import CancelToken
from .._kernel.run import report, transient
from ..errors import ExecutionError, NoWallError, PackageError, RunCancelled, UsageError
from .base import TIMEOUT_EXIT_CODE, TIMEOUT_MSG
from .bubblewrap import Mount, Plan, start_wall
from .commandline import CommandLineExecutor, Ran
from .egress import Egress
from .gate import Contact
from .languages import command_for
from .link import Link, Outcome, RunnerLost, Waker
from .output import Decoder, clean_text, exit_status
from .packages import Layer, Layers, layers_dir

__all__ = ["SandboxCommandLineCodeExecutor"]

Wall = Literal["auto", "bubblewrap", "landlock"]

NO_PACKAGES = (
    "Packages cannot be installed: the network is switched off here (network='none'). Use what is "
    "installed (`pip list`), or have the executor made with network='public' or packages=[...]."
)


class SandboxCommandLineCodeExecutor(CommandLineExecutor):
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
            installed unless it is "none".
        packages: Requirements to install before the first block.
        env: Variables the code sees. Nothing else of this program's environment is handed in.
        mounts: Further files and folders: host path to path inside (read-only), or to
            `{"bind": path, "mode": "ro" | "rw"}`.
        memory_mb: Memory for all processes of a block together.
        processes: Processes and threads at a time.
        disk_mb: Largest file, and growth of the work_dir in one block.
        wall: "auto" takes the strongest wall that stands here; a name insists on that one.
        execution_policies: Language to whether its blocks are run or only saved.

    Raises:
        UsageError: A value cannot be worked with.
    """

    def __init__(
        self,
        timeout: int = 60,
        work_dir: str | os.PathLike[str] = ".",
        network: str | Sequence[str] = "public",
        packages: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[str, str | Mapping[str, str]] | None = None,
        memory_mb: int = 2048,
        processes: int = 256,
        disk_mb: int = 1024,
        wall: Wall = "auto",
        execution_policies: dict[str, bool] | None = None,
    ):
        if wall not in ("auto", "bubblewrap", "landlock"):
            raise UsageError(f"wall {wall!r} is not known; use 'auto', 'bubblewrap' or 'landlock'.")
        for name, value, least in (
            ("memory_mb", memory_mb, 64),
            ("processes", processes, 4),
            ("disk_mb", disk_mb, 16),
        ):
            if value < least:
                raise UsageError(f"{name} {value!r} is too little; it must be at least {least}.")
        super().__init__(timeout=timeout, work_dir=work_dir, execution_policies=execution_policies)
        _refuse_home(self._work_dir)
        self.network = network if isinstance(network, str) else tuple(network)
        self._egress = _egress(self.network)
        self.packages = tuple(packages or ())
        self.env = {str(name): str(value) for name, value in (env or {}).items()}
        self.mounts = _parse_mounts(mounts or {})
        self.memory_mb = memory_mb
        self.processes = processes
        self.disk_mb = disk_mb
        self.wall = wall
        self._layers = Layers()
        self._held = _Held()
        self._finalizer = weakref.finalize(self, self._held.close)

    # -- life --------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the wall and everything in it; the next block starts a new one."""
        self._held.close()

    def restart(self) -> None:
        """Begin anew: what earlier blocks left in /tmp and in memory is gone."""
        self.stop()

    def __enter__(self) -> SandboxCommandLineCodeExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _after_fork(self) -> None:
        self._held.abandon()

    # -- one block ---------------------------------------------------------------------------------

    def _run_file(self, path: Path, language: str, token: CancelToken) -> Ran:
        root = self._work_dir.resolve()
        job: dict[str, Any] = {
            "cwd": str(root),
            "file": str(path),
            "name": str(path.relative_to(root)),
            "out_of_memory": f"MemoryError: {self._out_of_memory}",
        }
        if language == "python":
            job["kind"] = "python"
        else:
            command = command_for(language)
            if command is None:
                return Ran(1, f"There is no program that runs {language}.")
            job |= {"kind": "command", "argv": [*command, job["name"]]}
        decoder, pieces = Decoder(), []

        def show(data: bytes) -> None:
            text = decoder(data)
            pieces.append(text)
            transient("code.output", {"text": clean_text(text)})

        waker = Waker()
        try:
            with token.listen(waker.cancel):
                link = self._warm_link(waker, token)
                outcome = link.run(
                    job,
                    timeout_s=self._timeout,
                    on_output=show,
                    on_ask=self._tell_install,
                    ask=self._answer,
                    waker=waker,
                )
            ending = self._ending(outcome)
        except RunnerLost as loss:
            self._held.close()
            if token.cancelled:
                raise RunCancelled() from None
            ending = Ran(137, f"The sandbox broke down and was replaced: {loss}.")
        finally:
            waker.close()
        pieces.append(decoder(b"", final=True))
        output = clean_text("".join(pieces))
        if ending.output:
            output += ("" if not output or output.endswith("\n") else "\n") + ending.output
        return Ran(ending.exit_code, output)

    @property
    def _out_of_memory(self) -> str:
        return f"The block ran out of memory (limit {self.memory_mb} MB)."

    def _ending(self, outcome: Outcome) -> Ran:
        """Exit code and last line of a block."""
        code, line = exit_status(outcome.code)
        if outcome.reason == "timeout":
            return Ran(TIMEOUT_EXIT_CODE, f"\n{TIMEOUT_MSG}")
        reasons = {
            "memory": self._out_of_memory,
            "processes": f"The block started too many processes (limit {self.processes}).",
            "disk": f"The block wrote too much to its folder (limit {self.disk_mb} MB).",
            "files": "The block made too many files.",
            "fork": "The block could not be started: too many processes.",
        }
        if outcome.reason in reasons:
            return Ran(137 if code == 0 else code, reasons[outcome.reason])
        return Ran(code, line)

    def _warm_link(self, waker: Waker, token: CancelToken) -> Link:
        state = os.stat(self._work_dir)
        folder = (state.st_dev, state.st_ino)
        link = self._held.link
        # A work_dir that was removed and made anew is another folder than the wall shows.
        if link is not None and link.alive and self._held.folder == folder:
            return link
        self._held.close()
        if self.wall == "landlock":
            raise NoWallError("wall='landlock' is not built yet; use wall='auto' or 'bubblewrap'.")
        plan = self._plan(token)
        trouble: RunnerLost | None = None
        for _ in range(2):
            try:
                link = start_wall(plan, waker=waker)
            except RunnerLost as error:
                if token.cancelled:
                    raise RunCancelled() from None
                trouble = error
                continue
            link.on_contact = _report
            self._held.take(link, folder)
            return link
        raise ExecutionError(f"The sandbox did not start: {trouble}.")

    def _plan(self, token: CancelToken) -> Plan:
        if self.packages:
            transient("progress", {"text": f"installing {', '.join(self.packages)} ..."})
            self._layers.install(self.packages, stop=lambda: token.cancelled)
        layer = self._layers.current
        return Plan(
            work_dir=str(self._work_dir.resolve()),
            layers_dir=str(layers_dir()),
            layer=layer.folder if layer else None,
            host_network=self.network == "host",
            memory_mb=self.memory_mb,
            processes=self.processes,
            disk_mb=self.disk_mb,
            env=self.env,
            mounts=self.mounts,
            egress=self._egress,
        )

    # -- packages ----------------------------------------------------------------------------------

    def _tell_install(self, request: dict[str, Any]) -> None:
        names = _texts(request.get("requirements"))
        if names and self.network != "none":
            text = clean_text(f"installing {', '.join(names)[:200]} ...")
            transient("progress", {"text": text})

    def _answer(self, request: dict[str, Any], stop: Callable[[], bool]) -> dict[str, Any]:
        """What a `pip install` inside is told."""
        if self.network == "none":
            return {"exit": 1, "text": NO_PACKAGES}
        before = self._layers.current
        try:
            layer, satisfied = self._layers.install(
                _texts(request.get("requirements")),
                constraints=_texts(request.get("constraints")),
                upgrade=request.get("upgrade") is True,
                pre=request.get("pre") is True,
                stop=stop,
            )
        except PackageError as error:
            return {"exit": 1, "text": str(error)}
        except OSError as error:
            return {"exit": 1, "text": f"The packages could not be stored: {error.strerror}"}
        lines = list(satisfied)
        if layer is not None and layer != before:
            lines.append(f"Successfully installed {' '.join(_new_in(layer, before))}")
        return {"exit": 0, "text": "\n".join(lines), "layer": layer.folder if layer else None}


class _Held:
    """The runner of an executor, so that a finalizer can end it without holding the executor."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.folder = (0, 0)
        self._pid = os.getpid()

    def take(self, link: Link, folder: tuple[int, int]) -> None:
        """Hold `link`, whose wall shows the work_dir with this device and inode."""
        self.link, self.folder, self._pid = link, folder, os.getpid()

    def close(self) -> None:
        """End the runner, unless it belongs to the process this one was forked from."""
        link, self.link = self.link, None
        if link is None:
            return
        if self._pid == os.getpid():
            link.kill()
        else:
            link.abandon()

    def abandon(self) -> None:
        link, self.link = self.link, None
        if link is not None:
            link.abandon()


def _egress(network: str | tuple[str, ...]) -> Egress | None:
    """What the proxy lets through; None where there is no proxy."""
    if not isinstance(network, str):
        return Egress(network)
    if network not in ("public", "none", "host"):
        raise UsageError(
            f"network {network!r} is not known; use 'public', 'none', 'host' or a list of hosts."
        )
    return Egress() if network == "public" else None


def _report(contact: Contact) -> None:
    where = {"host": contact.host, "port": contact.port}
    if contact.reason is None:
        report("egress.allowed", where)
    else:
        report("egress.refused", {**where, "reason": contact.reason})


def _texts(value: Any) -> list[str]:
    """The strings of a list that hostile code made up."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _new_in(layer: Layer, before: Layer | None) -> list[str]:
    known = set(before.holds) if before else set()
    return [name for name in layer.holds if name not in known] or list(layer.holds)


def _refuse_home(work_dir: Path) -> None:
    """A work_dir above somebody's home would hand the code every key in it."""
    real = work_dir.resolve()
    home = Path(os.path.expanduser("~")).resolve()
    if real == home or real in home.parents or real == Path("/"):
        raise UsageError(
            f"work_dir {str(real)!r} holds your home folder, and code could read every key in it; "
            "use a folder of its own, such as work_dir='coding'."
        )


def _parse_mounts(mounts: Mapping[str, str | Mapping[str, str]]) -> tuple[Mount, ...]:
    parsed = []
    for host, spec in mounts.items():
        where = {"bind": spec} if isinstance(spec, str) else dict(spec)
        inside, mode = where.pop("bind", None), where.pop("mode", "ro")
        if not inside or not os.path.isabs(inside) or mode not in ("ro", "rw") or where:
            raise UsageError(
                f"mounts[{host!r}] is {spec!r}; expected an absolute path inside, or "
                "{'bind': path, 'mode': 'ro' or 'rw'}."
            )
        real = os.path.realpath(host)
        if not os.path.exists(real):
            raise UsageError(f"mounts[{host!r}] does not exist on this machine.")
        parsed.append(Mount(host=real, inside=os.path.normpath(inside), writable=mode == "rw"))
    return tuple(parsed)
