"""What executors behind a wall share: the flow of one block through a runner, and packages.

An adapter says how a runner comes up (`_start_runner`); this keeps it warm between blocks, replaces
it when it is lost, shows output as it comes, and answers what code asks of the host.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .._kernel.cancel import CancelToken
from .._kernel.run import on_cancel, report, transient
from ..errors import ExecutionError, PackageError, RunCancelled, UsageError
from . import workspace
from .allowing import allower, granted
from .base import TIMEOUT_EXIT_CODE, TIMEOUT_MSG
from .commandline import CommandLineExecutor, Ran
from .egress import Egress
from .func_with_reqs import AnyFunction
from .gate import Contact, Plea
from .languages import command_for
from .link import Link, Outcome, RunnerLost
from .output import Decoder, clean_text, exit_status
from .packages import Layer, Layers
from .plan import Mount
from .policy import network_here
from .waker import Waker

__all__ = ["WalledExecutor", "parse_mounts"]

NO_PACKAGES = (
    "Packages cannot be installed: the network is switched off here (network='none'). Use what is "
    "installed (`pip list`), or have the executor made with network='public' or packages=[...]."
)


class WalledExecutor(CommandLineExecutor):
    """Runs each block in a warm runner behind a wall, started at the first block.

    Args:
        timeout: Seconds that one block may take; installing packages does not count.
        work_dir: The one folder that the code can write to for good.
        network: "public", "none", "host" or a list of host patterns.
        packages: Requirements to install before the first block.
        env: Variables the code sees.
        mounts: Further files and folders: host path to path inside (read-only), or to
            `{"bind": path, "mode": "ro" | "rw"}`.
        memory_mb: Memory for all processes of a block together.
        processes: Processes and threads at a time.
        disk_mb: Largest file, and growth of the work_dir in one block.
        execution_policies: Language to whether its blocks are run or only saved.
        functions: What blocks may import from `functions_module`; what they need is installed as
            `packages` are.
        functions_module: Name of that module.

    Raises:
        UsageError: A value cannot be worked with.
    """

    #: What the wall is called in messages.
    wall_name = "sandbox"

    def __init__(
        self,
        *,
        timeout: int,
        work_dir: str | os.PathLike[str],
        network: str | Sequence[str],
        packages: Sequence[str] | None,
        env: Mapping[str, str] | None,
        mounts: Mapping[str, str | Mapping[str, str]] | None,
        memory_mb: int,
        processes: int,
        disk_mb: int,
        execution_policies: dict[str, bool] | None,
        functions: Sequence[AnyFunction] = (),
        functions_module: str = "functions",
    ):
        for name, value, least in (
            ("memory_mb", memory_mb, 64),
            ("processes", processes, 4),
            ("disk_mb", disk_mb, 16),
        ):
            if value < least:
                raise UsageError(f"{name} {value!r} is too little; it must be at least {least}.")
        super().__init__(
            timeout=timeout,
            work_dir=work_dir,
            execution_policies=execution_policies,
            functions=functions,
            functions_module=functions_module,
        )
        refuse_home(self._work_dir)
        self._asked_network = network
        network = network_here(network)
        self.network = network if isinstance(network, str) else tuple(network)
        self._egress = egress_for(self.network)
        self.packages = tuple(dict.fromkeys((*(packages or ()), *self._functions.packages)))
        self.env = {str(name): str(value) for name, value in (env or {}).items()}
        self.mounts = parse_mounts(mounts or {})
        self.memory_mb = memory_mb
        self.processes = processes
        self.disk_mb = disk_mb
        self._held = Held()
        self._finalizer = weakref.finalize(self, self._held.close)

    # -- what an adapter adds ----------------------------------------------------------------------

    def _start_runner(self, waker: Waker, token: CancelToken, *, at_once: bool = False) -> Link:
        """A runner that is ready; `at_once` if a block waits for it.

        Raises:
            RunnerLost: It did not come up, which may be chance: it is tried twice.
            ExecutionError: It cannot.
        """
        raise NotImplementedError

    def _package_layers(self) -> Layers:
        """The packages that were installed so far, for the Python inside."""
        raise NotImplementedError

    def _folder_inside(self) -> str:
        """Where the code finds the work_dir."""
        return self._place.real

    def _layer_inside(self, layer: Layer) -> str:
        """Where the code finds a layer of packages."""
        return layer.folder

    def _job_files(self, path: Path) -> dict[str, Any]:
        """What a job brings along where the wall does not show the work_dir."""
        return {}

    # -- life --------------------------------------------------------------------------------------

    @property
    def is_warm(self) -> bool:
        """Whether a wall with a runner is up."""
        return self._held.is_warm

    def start(self, *, cancel: CancelToken | None = None) -> None:
        """Bring the wall up now, so that the first block does not wait for it.

        Raises:
            ExecutionError: It did not come up.
            RunCancelled: `cancel`, or the run that this is part of, was cancelled meanwhile.
        """
        token, waker = cancel or CancelToken(), Waker()
        try:
            with on_cancel(token.cancel), token.listen(waker.cancel), self._one_at_a_time(token):
                workspace.prepare(self._work_dir)
                self._check_place()
                self._warm_link(waker, token)
        finally:
            waker.close()

    def stop(self) -> None:
        """End the runner and everything behind its wall; the next block starts a new one.

        A block that runs in another thread is ended with it.
        """
        if self._turn.acquire(blocking=False):
            try:
                self._held.close()
            finally:
                self._turn.release()
        else:
            self._held.strike()

    def restart(self) -> None:
        """Begin anew: what earlier blocks left in /tmp and in memory is gone."""
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _after_fork(self) -> None:
        self._held.abandon()

    # -- one block ---------------------------------------------------------------------------------

    def _run_file(self, path: Path, language: str, token: CancelToken) -> Ran:
        name = str(path.relative_to(self._place.real))
        job: dict[str, Any] = {
            "cwd": self._folder_inside(),
            "file": f"{self._folder_inside()}/{name}",
            "name": name,
            "out_of_memory": f"MemoryError: {self._out_of_memory}",
        }
        if language == "python":
            job["kind"] = "python"
        else:
            command = command_for(language)
            if command is None:
                return Ran(1, f"There is no program that runs {language}.")
            job |= {"kind": "command", "argv": [*command, name]}
        decoder, pieces = Decoder(), []

        def show(data: bytes) -> None:
            text = decoder(data)
            pieces.append(text)
            transient("code.output", {"text": clean_text(text)})

        waker = Waker()
        try:
            with token.listen(waker.cancel):
                link = self._warm_link(waker, token, at_once=True)
            with token.listen(waker.cancel), granted(self._grant):
                outcome = link.run(
                    job | self._job_files(path),
                    timeout_s=self._timeout,
                    on_output=show,
                    on_ask=self._tell_install,
                    ask=self._answer,
                    allow=_who_allows(),
                    waker=waker,
                )
            ending = self._ending(outcome)
        except RunnerLost as loss:
            self._held.close()
            if token.cancelled:
                raise RunCancelled() from None
            ending = Ran(137, f"The {self.wall_name} broke down and was replaced: {loss}.")
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

    def _grant(self, pattern: str) -> None:
        """Let code reach one more host."""
        link = self._held.link
        if link is not None and link.gate is not None:
            link.gate.grant(pattern)
        elif self._egress is not None:
            self._egress.allow(pattern)

    def _warm_link(self, waker: Waker, token: CancelToken, *, at_once: bool = False) -> Link:
        self._keep_to_policy()
        folder = self._folder()
        link = self._held.link
        # A work_dir that was removed and made anew is another folder than the wall shows.
        if link is not None and link.alive and self._held.folder == folder:
            return link
        self._held.close()
        trouble: RunnerLost | None = None
        for _ in range(2):
            try:
                link = self._start_runner(waker, token, at_once=at_once)
            except RunnerLost as error:
                if token.cancelled:
                    raise RunCancelled() from None
                trouble = error
                continue
            shown = link.hello.get("folder")
            if shown is not None and tuple(shown) != folder:
                link.kill()
                raise self._elsewhere(f"another folder when the {self.wall_name} started")
            link.on_contact = report_contact
            self._held.take(link, folder)
            return link
        raise ExecutionError(f"The {self.wall_name} did not start: {trouble}.")

    def _keep_to_policy(self) -> None:
        """Close the way out of an executor made before it was known who runs its code.

        One that stood ready outside of a server has the network of the library; inside, the
        server's "none" counts, unless its maker named another.
        """
        if self.network == "none" or network_here(self._asked_network) != "none":
            return
        self.network, self._egress = "none", None
        link = self._held.link
        if link is not None and link.gate is not None:
            gate, link.gate = link.gate, None
            gate.close()
        else:
            self._held.close()

    # -- packages ----------------------------------------------------------------------------------

    def _install(self, packages: Sequence[str], token: CancelToken) -> None:
        """Nothing to do: these are among the packages that are there before the first block."""

    def _install_wanted(self, token: CancelToken) -> None:
        """Install what the caller named, before the code runs.

        Raises:
            PackageError: That failed.
        """
        if self.packages:
            transient("progress", {"text": f"installing {', '.join(self.packages)} ..."})
            self._package_layers().install(self.packages, stop=lambda: token.cancelled)

    def _tell_install(self, request: dict[str, Any]) -> None:
        names = texts(request.get("requirements"))
        if names and self.network != "none":
            text = clean_text(f"installing {', '.join(names)[:200]} ...")
            transient("progress", {"text": text})

    def _answer(self, request: dict[str, Any], stop: Callable[[], bool]) -> dict[str, Any]:
        """What a `pip install` inside is told."""
        if self.network == "none":
            return {"exit": 1, "text": NO_PACKAGES}
        layers = self._package_layers()
        before = layers.current
        try:
            layer, satisfied = layers.install(
                texts(request.get("requirements")),
                constraints=texts(request.get("constraints")),
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
        inside = self._layer_inside(layer) if layer else None
        return {"exit": 0, "text": "\n".join(lines), "layer": inside}


class Held:
    """The runner of an executor, so that a finalizer can end it without holding the executor."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.folder = (0, 0)
        self._pid = os.getpid()

    def take(self, link: Link, folder: tuple[int, int]) -> None:
        """Hold `link`, whose wall shows the work_dir with this device and inode."""
        self.link, self.folder, self._pid = link, folder, os.getpid()

    @property
    def is_warm(self) -> bool:
        """Whether there is a runner, of this very process, and it lives."""
        link = self.link
        return link is not None and self._pid == os.getpid() and link.alive

    def strike(self) -> None:
        """Kill the runner under the hands of the thread that talks to it, which then lets go."""
        link = self.link
        if link is not None and self._pid == os.getpid():
            link.strike()

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
        """Let go of a runner that belongs to the parent process."""
        link, self.link = self.link, None
        if link is not None:
            link.abandon()


def egress_for(network: str | tuple[str, ...]) -> Egress | None:
    """What the proxy lets through; None where there is no proxy.

    Raises:
        UsageError: The value is not known.
    """
    if not isinstance(network, str):
        return Egress(network)
    if network not in ("public", "none", "host"):
        raise UsageError(
            f"network {network!r} is not known; use 'public', 'none', 'host' or a list of hosts."
        )
    return Egress() if network == "public" else None


def report_contact(contact: Contact) -> None:
    """Make an event of a host that code reached or was refused."""
    where = {"host": contact.host, "port": contact.port}
    if contact.reason is None:
        report("egress.allowed", where)
    else:
        report("egress.refused", {**where, "reason": contact.reason})


def _who_allows() -> Callable[[Plea], bool] | None:
    """Who is asked about hosts that are refused."""
    allow = allower()
    return None if allow is None else lambda plea: allow(plea.pattern, plea.reason)


def texts(value: Any) -> list[str]:
    """The strings of a list that hostile code made up."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _new_in(layer: Layer, before: Layer | None) -> list[str]:
    known = set(before.holds) if before else set()
    return [name for name in layer.holds if name not in known] or list(layer.holds)


def refuse_home(work_dir: Path) -> None:
    """A work_dir above somebody's home would hand the code every key in it.

    Raises:
        UsageError: It is one.
    """
    real = work_dir.resolve()
    home = Path(os.path.expanduser("~")).resolve()
    if real == home or real in home.parents or real == Path("/"):
        raise UsageError(
            f"work_dir {str(real)!r} holds your home folder, and code could read every key in it; "
            "use a folder of its own, such as work_dir='coding'."
        )


def parse_mounts(mounts: Mapping[str, str | Mapping[str, str]]) -> tuple[Mount, ...]:
    """The mounts that a caller asks for.

    Raises:
        UsageError: One is not understood, or not there.
    """
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
