"""`JupyterCodeExecutor`: blocks as cells of a kernel on a Jupyter server."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..._kernel.cancel import CancelToken
from ...errors import ExecutionError, RunCancelled, UsageError
from ..policy import check_wall
from .base import JupyterConnectable, JupyterConnectionInfo
from .cell import Cell
from .executor import CellExecutor
from .jupyter_client import JupyterClient, KernelLost, end_kernel, on_io

__all__ = ["JupyterCodeExecutor"]

#: What a kernel may take to end; the server goes on ending it afterwards.
END_S = 3.0
#: In place of the number of a cell: it ran in a kernel that is gone.
LOST = -1


class JupyterCodeExecutor(CellExecutor):
    """Runs code blocks as cells of one kernel on a Jupyter server: variables persist.

    The server is what walls the code in, or does not: `DockerJupyterServer` runs it in a container,
    `LocalJupyterServer` without any wall. Whether the server has the kernel is asked at
    construction; the kernel is started by the first block, and ended by `stop()`, at the end of a
    `with` block, or with this object. A cell that runs out of time is interrupted, and what was
    defined is kept; if it does not react, its kernel is ended.

    Args:
        jupyter_server: The server, or where it is.
        kernel_name: The kernel to start there.
        timeout: Seconds that one block may take.
        output_dir: Existing folder on this machine for the pictures and pages that blocks display.

    Raises:
        UsageError: (a ValueError) The output_dir or the kernel is not there.
        ExecutionError: The server does not answer, or refuses the token.
    """

    def __init__(
        self,
        jupyter_server: JupyterConnectable | JupyterConnectionInfo,
        kernel_name: str = "python3",
        timeout: int = 60,
        output_dir: str | os.PathLike[str] = ".",
    ):
        super().__init__(timeout=timeout, kernel_name=kernel_name, output_dir=output_dir)
        # Held, so that a server made for this executor alone lives as long.
        self._server = jupyter_server
        info: Any = jupyter_server
        if not isinstance(info, JupyterConnectionInfo):
            info = getattr(jupyter_server, "connection_info", None)
        if not isinstance(info, JupyterConnectionInfo):
            raise UsageError(
                f"jupyter_server is {jupyter_server!r}; expected a LocalJupyterServer, a "
                "DockerJupyterServer or a JupyterConnectionInfo."
            )
        self._client = JupyterClient(info)
        found: Any = self._client.list_kernel_specs()
        known = found.get("kernelspecs") if isinstance(found, dict) else None
        known = known if isinstance(known, dict) else {}
        if kernel_name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UsageError(
                f"Kernel {kernel_name} is not installed. The server at {info.url} has: {names}."
            )
        self._kernel = RemoteKernel(info)
        self._finalizer = weakref.finalize(self, self._kernel.end)
        # At the end of the program `_end_all` does it, while the I/O thread still runs.
        self._finalizer.atexit = False
        self._lock = threading.Lock()
        #: The number of the newest cell; 0 where there is nothing to lose.
        self._cells = 0

    @contextmanager
    def _turn(self, token: CancelToken) -> Iterator[None]:
        while not self._lock.acquire(timeout=0.05):
            if token.cancelled:
                raise RunCancelled()
        try:
            yield
        finally:
            self._lock.release()

    def _run_cell(self, code: str, cell: Cell, token: CancelToken) -> bool:
        if not getattr(self._server, "is_walled", True):
            check_wall(type(self._server).__name__)
        if not self._kernel.is_ours:
            self._kernel.take(self._client.start_kernel(self._kernel_name))
            self._cells = self._cells and LOST
        assert self._kernel.id is not None
        client = self._client.get_kernel_client(self._kernel.id)
        try:
            client.run_cell(code, cell, token, timeout_s=self._timeout)
        except KernelLost as loss:
            self._cells = LOST
            if not loss.is_restarted:
                self._kernel.end()
            raise
        except ExecutionError:
            # The server is gone or does not know the kernel any more.
            self._kernel.end()
            raise
        finally:
            if token.cancelled:
                # Nobody waits for what a cancelled cell started, so nothing of it runs on.
                self._cells = LOST
                self._kernel.end()
                raise RunCancelled()
        return self._was_lost(client.count)

    def _was_lost(self, count: int) -> bool:
        """Whether the kernel began to count anew, and so lost what it knew."""
        known, self._cells = self._cells, count
        return known == LOST or count == 1 <= known

    def restart(self) -> None:
        """Begin anew: the kernel ends, and the next block starts another."""
        self.stop()

    def stop(self) -> None:
        """End the kernel; the next block starts a new one."""
        self._cells = 0
        self._kernel.end()


class RemoteKernel:
    """The kernel of an executor, so that a finalizer can end it without holding the executor."""

    def __init__(self, info: JupyterConnectionInfo) -> None:
        self.id: str | None = None
        self._info = info
        self._pid = os.getpid()

    @property
    def is_ours(self) -> bool:
        """Whether there is one, and this process started it: a fork starts its own."""
        return self.id is not None and self._pid == os.getpid()

    def take(self, kernel_id: str) -> None:
        """Hold a kernel."""
        self.id, self._pid = kernel_id, os.getpid()
        _kernels.add(self)

    def end(self) -> None:
        """End it, unless it belongs to the process this one was forked from."""
        is_ours, kernel_id, self.id = self.is_ours, self.id, None
        if is_ours and kernel_id is not None:
            on_io(end_kernel, self._info, kernel_id, END_S)


def _end_all() -> None:
    for kernel in list(_kernels):
        kernel.end()


_kernels: weakref.WeakSet[RemoteKernel] = weakref.WeakSet()
# Registered after the I/O thread's own, which importing the client did, so it runs before that.
atexit.register(_end_all)
