"""`SandboxPool`: walls that are up before anybody needs them, for servers.

The view of a wall is fixed when it goes up, so a pool makes the folders itself and hands each out
together with the wall that shows it. A wall is handed out once: what one chat leaves in memory,
in `/tmp` or running can never meet another.
"""

from __future__ import annotations

import os
import queue
import secrets
import subprocess
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from .._kernel.cancel import CancelToken
from ..errors import ExecutionError, UsageError
from . import workspace
from .names import executor_class
from .walled import WalledExecutor, refuse_home

__all__ = ["SandboxPool"]

#: How often walls that stand by are looked at.
HEALTH_S = 5.0
#: How long after a wall that did not come up the next one is tried, doubled each time.
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 60.0
#: How long after one was taken the next one is started.
PAUSE_S = 0.03


class SandboxPool:
    """Keeps sandboxes warm, so that the first block of a new chat does not wait for its wall.

        with SandboxPool(size=4, preload=("numpy",)) as pool:
            user = UserProxyAgent("user", code_execution_config={"executor": pool.executor()})

    Walls are started by a thread of the pool, from its construction on, one after the other, and
    those that died are replaced. A pool may be used from any thread, from coroutines, and, after a
    fork, from the child, where it fills anew. It ends when it is closed, when neither it nor what
    it handed out is referred to any more, and with the program.

    Args:
        size: How many walls stand by. With `preload` each holds the modules in memory.
        root: The folder in which each chat gets a folder of its own, named at random; created if
            missing, its parent must exist. What chats leave there is yours. None for a temporary
            one: a chat's folder is then removed when its executor is garbage, or with the pool.
        preload: Modules that each wall imports before its first block.
        options: Those of `SandboxCommandLineCodeExecutor`, except `work_dir`.

    Raises:
        UsageError: A value cannot be worked with.
    """

    def __init__(
        self,
        size: int = 2,
        *,
        root: str | os.PathLike[str] | None = None,
        preload: Sequence[str] = (),
        **options: Any,
    ):
        if size < 1:
            raise UsageError(f"size {size!r} is too small; a pool holds at least one sandbox.")
        if "work_dir" in options:
            raise UsageError(
                "A pool makes the work_dir of each sandbox itself; say where with root=..., and "
                "read it from executor.work_dir."
            )
        if root is not None:
            refuse_home(Path(root))
        self._size = size
        self._root = root
        self._options = {**options, "preload": preload}
        self._begin()

    def _begin(self) -> None:
        self._stock = _Stock(self._size, self._root, self._options)
        self._finalizer = weakref.finalize(self, self._stock.close)

    @property
    def warm(self) -> int:
        """How many walls stand by."""
        return len(self._own_stock().ready)

    def executor(self) -> WalledExecutor:
        """A sandbox for one chat, in a new folder; never one that was handed out before.

        It is a `SandboxCommandLineCodeExecutor`. Nothing is waited for: where no wall stands by,
        that of this sandbox goes up with its first block. Stop it, or let it become garbage, when
        its chat is over.

        Raises:
            UsageError: The pool is closed.
        """
        stock = self._own_stock()
        executor = stock.take()
        # The pool lives as long as what it handed out.
        weakref.finalize(executor, stock.over, str(executor.work_dir), self).atexit = False
        return executor

    def fill(self, timeout_s: float = 60.0) -> None:
        """Wait until `size` walls stand by.

        Raises:
            ExecutionError: One did not come up (NoWallError: none can), or time ran out.
            UsageError: The pool is closed.
        """
        self._own_stock().wait(timeout_s)

    def close(self) -> None:
        """End every wall, handed out or not, with whatever runs behind it. May be called twice."""
        self._stock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _own_stock(self) -> _Stock:
        if self._stock.pid != os.getpid():
            # A fork: thread, walls and locks stayed with the parent.
            self._finalizer.detach()
            self._begin()
        return self._stock


class _Stock:
    """What the thread of a pool works on; it does not hold the pool, which may become garbage."""

    def __init__(self, size: int, root: str | os.PathLike[str] | None, options: dict[str, Any]):
        self.pid = os.getpid()
        self.size = size
        self.kind = executor_class("commandline-sandbox")
        self.options = options
        self.temporary = root is None
        self.ready: deque[WalledExecutor] = deque()
        self.changed = threading.Condition()
        self.closed = False
        self.trouble: Exception | None = None
        self.stopping = CancelToken()
        self.handed_out: weakref.WeakSet[WalledExecutor] = weakref.WeakSet()
        # Filled by the garbage collector, in any thread, whatever that holds: no lock.
        self.rubbish: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.root = workspace.prepare(root or tempfile.mkdtemp(prefix="autogen-pool-")).resolve()
        if self.temporary:
            # Behind Landlock, code of root's runs under an id of its own, which passes through
            # here; names at random keep it from finding others' folders.
            self.root.chmod(0o711)
        try:
            # Options that cannot be worked with are told to the caller, not to the thread.
            self.first: WalledExecutor | None = self.make()
        except BaseException:
            self.close()
            raise
        self.thread = threading.Thread(target=self.keep_full, name="autogen-pool", daemon=True)
        self.thread.start()

    # -- for callers -------------------------------------------------------------------------------

    def take(self) -> WalledExecutor:
        """One that is warm, else one that is not."""
        with self.changed:
            self.refuse_closed()
            found = None
            while found is None and self.ready:
                found = self.ready.popleft()
                if not found.is_warm:
                    self.discard(found)
                    found = None
            found = found or self.make()
            self.handed_out.add(found)
            self.changed.notify_all()
        return found

    def over(self, folder: str, pool: SandboxPool) -> None:
        """An executor is garbage; the pool was held until here."""
        if self.temporary:
            self.rubbish.put(folder)

    def wait(self, timeout_s: float) -> None:
        """Wait until it is full."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.closed or self.trouble or len(self.ready) >= self.size, timeout_s
            )
            self.refuse_closed()
            if self.trouble:
                raise self.trouble
            if len(self.ready) < self.size:
                raise ExecutionError(
                    f"Only {len(self.ready)} of {self.size} sandboxes were up after "
                    f"{timeout_s:g} seconds."
                )

    def refuse_closed(self) -> None:
        if self.closed:
            raise UsageError("This SandboxPool is closed; make a new one.")

    def close(self) -> None:
        """End everything, unless it belongs to the process this one was forked from."""
        if self.pid != os.getpid():
            return
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.stopping.cancel()
        thread = getattr(self, "thread", None)
        if thread and thread is not threading.current_thread():
            thread.join(10)
        while self.ready:
            self.discard(self.ready.popleft())
        for executor in list(self.handed_out):
            executor.stop()
        if self.temporary:
            remove(str(self.root))

    # -- the thread --------------------------------------------------------------------------------

    def keep_full(self) -> None:
        """Start walls while some are missing."""
        retry_s = FIRST_RETRY_S
        while not self.closed:
            self.look_after()
            if len(self.ready) >= self.size:
                self.rest(HEALTH_S, lambda: len(self.ready) < self.size)
                # A wall that goes up would slow down the block that this one was taken for.
                self.rest(PAUSE_S)
            elif self.add_one():
                retry_s = FIRST_RETRY_S
            else:
                self.rest(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)

    def rest(self, time_s: float, until: Callable[[], bool] = lambda: False) -> None:
        """Wait, but not beyond the end of the pool."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or until(), time_s)

    def look_after(self) -> None:
        """Sort out what died, and remove the folders of chats that are over."""
        with self.changed:
            dead = [executor for executor in self.ready if not executor.is_warm]
            for executor in dead:
                self.ready.remove(executor)
        for executor in dead:
            self.discard(executor)
        while not self.rubbish.empty():
            remove(self.rubbish.get())

    def add_one(self) -> bool:
        """Start one wall; whether that worked."""
        executor, self.first = self.first, None
        trouble = None
        try:
            executor = executor or self.make()
            executor.start(cancel=self.stopping)
        except Exception as error:  # noqa: BLE001 - told to whoever waits; chats meet it themselves
            trouble = error
        with self.changed:
            self.trouble = trouble
            kept = trouble is None and not self.closed
            if kept and executor is not None:
                self.ready.append(executor)
            self.changed.notify_all()
        if not kept and executor is not None:
            self.discard(executor)
        return kept

    # -- one sandbox -------------------------------------------------------------------------------

    def make(self) -> WalledExecutor:
        """A sandbox in a folder of its own; its wall is not up."""
        folder = self.root / f"{time.strftime('%Y%m%d')}-{secrets.token_hex(8)}"
        made: WalledExecutor = self.kind(work_dir=folder, **self.options)
        return made

    def discard(self, executor: WalledExecutor) -> None:
        """End a sandbox that nobody has used."""
        executor.stop()
        remove(str(executor.work_dir))


def remove(folder: str) -> None:
    """Remove a folder in which hostile code may have nested folders deeper than Python goes."""
    subprocess.run(["rm", "-rf", "--", folder], check=False, stderr=subprocess.DEVNULL)
