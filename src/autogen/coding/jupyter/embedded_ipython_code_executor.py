"""`EmbeddedIPythonCodeExecutor`: blocks as cells of a Jupyter kernel that runs behind a wall."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal

from ..._kernel.cancel import CancelToken
from ...errors import UsageError
from ..policy import PUBLIC
from .cell import Cell
from .executor import CellExecutor
from .kernel import KernelWall
from .spec import find_kernel

__all__ = ["EmbeddedIPythonCodeExecutor"]


class EmbeddedIPythonCodeExecutor(CellExecutor):
    """Runs code blocks as cells of one Jupyter kernel in a sandbox: variables persist.

    Nothing is started at construction. The first block starts a kernel behind a bubblewrap wall,
    which sees the output_dir (its current folder), a read-only Python, and nothing else of this
    machine. A cell that runs out of time is interrupted, and what was defined is kept; if it does
    not react, its kernel is killed, and the next block says that state is lost. Use it as a context
    manager, or let it stop by itself when it is garbage or the program ends.

    A block may display pictures and pages, which are saved in the output_dir. It cannot ask for
    input. Programs and threads that it started live on until the kernel ends; what they print after
    the block has ended is shown with a later block, or not at all.

    Args:
        timeout: Seconds that one block may take; installing packages does not count.
        kernel_name: A kernel that is installed on this machine; "python3" is this program's Python.
        output_dir: Existing folder for pictures and pages, and the one folder that the code can
            write to for good, at the same path inside.
        network: What the code can reach, as for `SandboxCommandLineCodeExecutor`: "public" hosts,
            "none", "host", or a list of host patterns.
        packages: Requirements to install before the first block.
        env: Variables the code sees. Nothing else of this program's environment is handed in.
        mounts: Further files and folders: host path to path inside (read-only), or to
            `{"bind": path, "mode": "ro" | "rw"}`.
        memory_mb: Memory for the kernel and all it starts together.
        processes: Processes and threads at a time; the kernel itself has about 15.
        disk_mb: Largest file, and growth of the output_dir in the life of a kernel.
        wall: "auto" or "bubblewrap". A kernel needs sockets, which Landlock cannot allow.

    Raises:
        UsageError: (a ValueError) The output_dir or the kernel is not there, or another value
            cannot be worked with.
        ExecutionError: The extra `jupyter` is missing.
    """

    def __init__(
        self,
        timeout: int = 60,
        kernel_name: str = "python3",
        output_dir: str | os.PathLike[str] = ".",
        *,
        network: str | Sequence[str] = PUBLIC,
        packages: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[str, str | Mapping[str, str]] | None = None,
        memory_mb: int = 2048,
        processes: int = 256,
        disk_mb: int = 1024,
        wall: Literal["auto", "bubblewrap"] = "auto",
    ):
        super().__init__(timeout=timeout, kernel_name=kernel_name, output_dir=output_dir)
        if wall not in ("auto", "bubblewrap"):
            raise UsageError(
                f"wall {wall!r} cannot hold a kernel; use 'auto' or 'bubblewrap' (Landlock allows "
                "no sockets, which a kernel needs)."
            )
        self.wall = wall
        self._kernel = KernelWall(
            find_kernel(kernel_name),
            timeout=timeout,
            work_dir=output_dir,
            network=network,
            packages=packages,
            env=env,
            mounts=mounts,
            memory_mb=memory_mb,
            processes=processes,
            disk_mb=disk_mb,
        )

    def _turn(self, token: CancelToken) -> AbstractContextManager[None]:
        return self._kernel.turn(token)

    def _run_cell(self, code: str, cell: Cell, token: CancelToken) -> bool:
        return self._kernel.run_cell(code, cell, token)

    def restart(self) -> None:
        """Begin anew: the kernel ends, and the next block starts another."""
        self._kernel.restart()

    def stop(self) -> None:
        """End the kernel and everything behind its wall; the next block starts a new one."""
        self._kernel.stop()
