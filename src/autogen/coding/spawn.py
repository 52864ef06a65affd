"""Starting the program that holds a wall.

Linux kills a child that asked to die with its parent when the *thread* that started it ends. Walls
are started by whatever worker thread runs the first block and must outlive it, so one thread that
lives as long as the process starts them all.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from concurrent.futures import Future
from typing import Any

__all__ = ["spawn"]

Started = Future["subprocess.Popen[bytes]"]


class _Spawner:
    """A thread that starts programs on request."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.orders: queue.SimpleQueue[tuple[list[str], dict[str, Any], Started]] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._serve, name="autogen-spawn", daemon=True).start()

    def _serve(self) -> None:
        while True:
            argv, options, started = self.orders.get()
            try:
                started.set_result(subprocess.Popen(argv, **options))
            except Exception as error:  # noqa: BLE001 - raised again in spawn()
                started.set_exception(error)


_lock = threading.Lock()
_spawner: _Spawner | None = None


def spawn(argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """`subprocess.Popen(argv, **options)`, made in a thread that lives as long as this process."""
    global _lock, _spawner
    if _spawner is not None and _spawner.pid != os.getpid():
        # The thread stayed behind in the parent, and so may have the lock's owner.
        _lock, _spawner = threading.Lock(), None
    with _lock:
        if _spawner is None:
            _spawner = _Spawner()
        orders = _spawner.orders
    started: Started = Future()
    orders.put((argv, options, started))
    return started.result(timeout=30)
