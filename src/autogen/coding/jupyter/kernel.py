"""A kernel behind a wall: one long block of a runner, spoken with through `bridge.py`.

The runner keeps the limits, the way out and the packages of the sandbox; this adds what a kernel
needs beyond a block: cells with a deadline, interrupts, and an end that leaves nothing behind.
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ..._kernel.cancel import CancelToken
from ...errors import ExecutionError, NoWallError, RunCancelled
from .. import bubblewrap
from ..allowing import granted
from ..gate import Contact
from ..interpreter import is_inside, running_interpreter
from ..link import Link, Outcome, RunnerLost
from ..output import clean_text, exit_status
from ..packages import Layers, layers_dir
from ..plan import Mount, Plan
from ..waker import Waker
from ..walled import Held, WalledExecutor, report_contact
from .cell import Cell
from .channel import Channel, ChannelLost, Door
from .executor import Failed, take_live, timed_out
from .spec import BRIDGE, KernelSpec

__all__ = ["KernelWall"]

INSIDE = "/run/autogen-kernel"
START_S = 60.0
#: How long a cell may take to give in to an interrupt before its kernel is killed.
INTERRUPT_S = 2.0
#: The same where the run was cancelled, and nobody waits for anything any more.
CANCEL_S = 0.5
#: Longer than any kernel lives, shorter than what `poll` can count.
LIFE_S = 20 * 24 * 3600.0
END_S = 2.0
MOST_WORDS = 4096
MOST_SPARE = 8

WAYS_OUT = (
    "A kernel needs sockets between its parts, so only bubblewrap and Docker can hold one. Ways "
    "out: install or allow bubblewrap (`autogen doctor` says what is in the way); or "
    "JupyterCodeExecutor(DockerJupyterServer()); or, to run code without a wall, "
    "JupyterCodeExecutor(LocalJupyterServer())."
)

KEPT = "It was interrupted; what was defined is kept."
KILLED = "It did not react to an interrupt and was killed; what earlier blocks defined is lost."

Ask = Callable[[dict[str, Any], Callable[[], bool]], dict[str, Any]]
News = Contact | dict[str, Any]


class Life:
    """One kernel from start to end: the block that holds it, attended to by a thread."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.channel: Channel | None = None
        self.cells = 0
        #: How many requests for packages are being worked on; the clock of the cell stands still.
        self.installing = 0
        self.outcome: Outcome | None = None
        self.loss = ""
        #: What was written beside the channel: why a kernel did not start, above all.
        self.words = bytearray()
        #: That of the cell that runs.
        self.listener: Waker | None = None
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._waker = Waker()
        self._thread: threading.Thread | None = None

    def begin(self, job: dict[str, Any], ask: Ask) -> None:
        """Start the block that holds the kernel."""
        self.link.on_contact = self._tell
        self._thread = threading.Thread(
            target=self._attend, args=(job, ask), name="autogen-kernel", daemon=True
        )
        self._thread.start()

    def _attend(self, job: dict[str, Any], ask: Ask) -> None:
        def counted(request: dict[str, Any], stop: Callable[[], bool]) -> dict[str, Any]:
            try:
                return ask(request, stop)
            finally:
                self.installing -= 1

        def announced(request: dict[str, Any]) -> None:
            self.installing += 1
            self._tell(request)

        def keep(data: bytes) -> None:
            self.words += data[: MOST_WORDS - len(self.words)]

        try:
            self.outcome = self.link.run(
                job,
                timeout_s=LIFE_S,
                on_output=keep,
                on_ask=announced,
                ask=counted,
                waker=self._waker,
            )
        except RunnerLost as loss:
            self.loss = str(loss)
        finally:
            self._wake()

    def begin_cell(self) -> None:
        """Count the cell; hosts that earlier ones reached are told of anew."""
        self.cells += 1
        if self.link.gate:
            self.link.gate.begin(self._waker.wake)

    def grant(self, pattern: str) -> None:
        """Let code reach one more host."""
        if self.link.gate:
            self.link.gate.grant(pattern)

    def _tell(self, news: News) -> None:
        self._news.put(news)
        self._wake()

    def _wake(self) -> None:
        if listener := self.listener:
            listener.wake()

    def news(self) -> list[News]:
        """What happened since the last call and is to be told where a cell is waited for."""
        found = []
        while not self._news.empty():
            found.append(self._news.get())
        return found

    @property
    def alive(self) -> bool:
        """Whether the block still runs."""
        return self._thread is not None and self._thread.is_alive()

    def await_end(self) -> None:
        """Wait a moment for the block to be over, once its channel is."""
        if self._thread not in (None, threading.current_thread()):
            assert self._thread is not None
            self._thread.join(END_S)

    def end(self) -> None:
        """End the kernel and wait for the thread; nobody else may use the link before that."""
        self._waker.cancel()
        if self.channel:
            self.channel.close()
        self.await_end()
        if not self.alive:
            self._waker.close()


class HeldKernel(Held):
    """The kernel of an executor and the runner that it is a block of."""

    def __init__(self) -> None:
        super().__init__()
        self.life: Life | None = None

    def close(self) -> None:
        """End both, unless they belong to the process this one was forked from."""
        if self._pid != os.getpid():
            self.abandon()
            return
        life, self.life = self.life, None
        if life is not None:
            life.end()
        super().close()

    def abandon(self) -> None:
        """Let go of a kernel that belongs to the parent process."""
        life, self.life = self.life, None
        if life is not None and life.channel:
            life.channel.close()
        super().abandon()


class KernelWall(WalledExecutor):
    """Holds one kernel behind bubblewrap, and runs cells in it.

    Args:
        spec: What to start.
        timeout: Seconds that one cell may take; installing packages does not count.
        work_dir: The one folder that the code can write to for good, and its current one.
        network: As for the sandbox.
        packages: As for the sandbox.
        env: As for the sandbox.
        mounts: As for the sandbox.
        memory_mb: Memory for the kernel and everything it starts.
        processes: As for the sandbox; a kernel has about 15 threads of its own.
        disk_mb: Largest file, and growth of the work_dir in the life of the kernel.
    """

    wall_name = "kernel"

    def __init__(
        self,
        spec: KernelSpec,
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
    ):
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
            execution_policies=None,
        )
        self._spec = spec
        self._layers = Layers()
        self._door_mount: Mount | None = None
        self._has_state = False
        self._finalizer.detach()
        self._kernel = HeldKernel()
        self._held = self._kernel
        self._finalizer = weakref.finalize(self, self._kernel.close)

    def turn(self, token: CancelToken) -> AbstractContextManager[None]:
        """Hold the kernel for a few cells in a row."""
        return self._one_at_a_time(token)

    def stop(self) -> None:
        """End the kernel and everything behind its wall."""
        self._has_state = False
        super().stop()

    # -- the wall ----------------------------------------------------------------------------------

    def _package_layers(self) -> Layers:
        return self._layers

    def _start_runner(self, waker: Waker, token: CancelToken, *, at_once: bool = False) -> Link:
        self._install_wanted(token)
        try:
            return bubblewrap.start_wall(self._plan(), waker=waker)
        except NoWallError as error:
            raise NoWallError(f"{error} {WAYS_OUT}") from error

    def _plan(self) -> Plan:
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
            mounts=(*self.mounts, *self._own_mounts()),
            egress=self._egress,
        )

    def _own_mounts(self) -> list[Mount]:
        """The door, and the files of a kernel that lie in no folder that is shown anyway."""
        own = [self._door_mount] if self._door_mount else []
        folder = self._spec.folder
        if folder and not is_inside(folder, "/usr"):
            own.append(Mount(host=folder, inside=folder))
        return own

    # -- starting ----------------------------------------------------------------------------------

    def _life_for(self, waker: Waker, token: CancelToken) -> Life:
        """The kernel that runs, or a new one."""
        life = self._kernel.life
        state = os.stat(self._work_dir)
        folder = (state.st_dev, state.st_ino)
        self._keep_to_policy()
        if life and life.alive and self._kernel.folder == folder and listens(life, waker):
            return life
        self._kernel.close()
        if platform.system() != "Linux":
            raise NoWallError(
                f"bubblewrap works on Linux only, and this is {platform.system()}. {WAYS_OUT}"
            )
        door = Door((state.st_uid, state.st_gid))
        try:
            return self._start_life(door, waker, token)
        except BaseException:
            self._kernel.close()
            raise
        finally:
            self._door_mount = None
            door.close()

    def _start_life(self, door: Door, waker: Waker, token: CancelToken) -> Life:
        program = f"{BRIDGE}.py"
        door.add(Path(__file__).with_name("bridge.py"), program)
        self._door_mount = Mount(host=door.folder, inside=INSIDE)
        life = Life(self._warm_link(waker, token))
        self._kernel.life = life
        life.listener = waker
        python = running_interpreter().executable
        work_dir = self._folder_inside()
        job: dict[str, Any] = {"kind": "command", "cwd": work_dir, "file": "", "name": "the kernel"}
        job["argv"] = [python, f"{INSIDE}/{program}", f"{INSIDE}/{Door.NAME}"]
        # At the limit itself a kernel would live on, but without a thread for the next cell.
        job["spare"] = min(MOST_SPARE, self.processes // 8)
        answer = weakref.WeakMethod(self._answer)

        def ask(request: dict[str, Any], stop: Callable[[], bool]) -> dict[str, Any]:
            found = answer()
            return found(request, stop) if found else {"exit": 1, "text": "the executor is gone"}

        life.begin(job, ask)
        deadline_s = time.monotonic() + START_S
        while life.channel is None:
            self._check_start(life, deadline_s, token)
            life.channel = door.accept(deadline_s, waker)
        argv = [python if part == "python" else part for part in self._spec.argv]
        try:
            life.channel.send(
                argv=argv, env=self._spec.env, interrupt_mode=self._spec.interrupt_mode
            )
            while True:
                self._check_start(life, deadline_s, token)
                frame = life.channel.receive(deadline_s, waker)
                if frame is not None and frame.get("op") == "ready":
                    life.words.clear()
                    return life
                if frame is not None and frame.get("op") == "dead":
                    raise ChannelLost(ending(frame.get("code")))
        except ChannelLost as loss:
            life.await_end()
            why = self._why(life, str(loss))
            raise ExecutionError(f"The kernel did not start: {why}") from loss

    def _check_start(self, life: Life, deadline_s: float, token: CancelToken) -> None:
        if token.cancelled:
            raise RunCancelled()
        if not life.alive or time.monotonic() >= deadline_s:
            why = self._why(life, f"it was not ready after {START_S:g} seconds.")
            raise ExecutionError(f"The kernel did not start: {why}")

    def _why(self, life: Life, otherwise: str) -> str:
        """Why a kernel is gone, in words."""
        if life.outcome is not None and life.outcome.reason is not None:
            return self._ending(life.outcome).output
        words = clean_text(life.words.decode("utf-8", "backslashreplace")).strip()
        why = life.loss or otherwise
        return f"{why} It wrote: {words[-1500:]}" if words else why

    # -- one cell ----------------------------------------------------------------------------------

    def run_cell(self, code: str, cell: Cell, token: CancelToken) -> bool:
        """Run `code`; whether what earlier cells defined had been lost before.

        Raises:
            Failed: It ran out of time, or its kernel ended.
            ExecutionError: No kernel can be started.
            RunCancelled: The token fired.
        """
        waker = Waker()
        try:
            with token.listen(waker.cancel):
                before = self._kernel.life
                life = self._life_for(waker, token)
                lost = self._has_state and life is not before
                self._has_state = True
                life.listener = waker
                self._attend(life, code, cell, waker)
                return lost
        finally:
            if self._kernel.life:
                self._kernel.life.listener = None
            waker.close()

    def _attend(self, life: Life, code: str, cell: Cell, waker: Waker) -> None:
        assert life.channel
        life.begin_cell()
        try:
            with granted(life.grant):
                life.channel.send(do="execute", id=life.cells, code=code)
                stopped = self._until_done(life, life.channel, cell, waker)
        except ChannelLost as loss:
            life.await_end()
            why = self._why(life, str(loss))
            self._kernel.close()
            if waker.fired:
                raise RunCancelled() from None
            raise Failed(
                f"The kernel ended while it ran this block: {why} "
                "What earlier blocks defined is lost."
            ) from None
        except BaseException:
            # Ctrl-C here, or an error of whoever watches: the cell goes no further either.
            self._silence(life, life.channel, waker)
            raise
        if stopped == "killed" or waker.fired:
            # Nobody waits for what a cancelled cell started, so nothing of it runs on.
            self._kernel.close()
        if waker.fired:
            raise RunCancelled()
        if stopped:
            raise timed_out(code, KEPT if stopped == "interrupted" else KILLED)

    def _until_done(self, life: Life, channel: Channel, cell: Cell, waker: Waker) -> str:
        """Feed the cell until it ends; "", "interrupted", or "killed" if it must be."""
        deadline_s = time.monotonic() + self._timeout
        last_s = time.monotonic()
        stopped = ""
        cancelled = False
        while True:
            now_s = time.monotonic()
            if life.installing and not stopped:
                deadline_s += now_s - last_s
            last_s = now_s
            if waker.fired and not cancelled:
                cancelled = True
                deadline_s = min(deadline_s, now_s) if not stopped else now_s + CANCEL_S
            if now_s >= deadline_s:
                if stopped:
                    return "killed"
                stopped = "interrupted"
                channel.send(do="interrupt")
                deadline_s = now_s + (CANCEL_S if cancelled else INTERRUPT_S)
            frame = channel.receive(deadline_s, waker)
            self._tell_news(life)
            if frame is None:
                continue
            if frame.get("op") == "dead":
                raise ChannelLost(ending(frame.get("code")))
            if frame.get("id") != life.cells:
                continue
            if frame.get("op") == "done":
                return stopped
            take_live(cell, frame.get("type"), frame.get("content"))

    def _tell_news(self, life: Life) -> None:
        for news in life.news():
            if isinstance(news, dict):
                self._tell_install(news)
            else:
                report_contact(news)

    def _silence(self, life: Life, channel: Channel, waker: Waker) -> None:
        """Interrupt the cell that runs, and if it does not end at once, the kernel."""
        deadline_s = time.monotonic() + CANCEL_S
        try:
            channel.send(do="interrupt")
            while time.monotonic() < deadline_s:
                frame = channel.receive(deadline_s, waker)
                if frame and frame.get("op") == "done" and frame.get("id") == life.cells:
                    return
        except ChannelLost:
            pass
        self._kernel.close()


def listens(life: Life, waker: Waker) -> bool:
    """Whether a kernel that lived at its last cell still does; takes what came since then."""
    assert life.channel
    deadline_s = time.monotonic() + 0.2
    try:
        while frame := life.channel.receive(0.0, waker):
            if frame.get("op") == "dead" or time.monotonic() > deadline_s:
                return False
    except ChannelLost:
        return False
    return True


def ending(code: Any) -> str:
    """How a kernel ended, in words."""
    if not isinstance(code, int):
        return "it ended."
    status, line = exit_status(max(-64, min(code, 255)))
    return line or f"it ended by itself with exit code {status}."
