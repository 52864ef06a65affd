"""Cancellation: one token, any number of listeners, any thread.

`CancelToken.cancel()` may be called from a thread, a task or a signal handler. Drivers look at
`.cancelled` before every op and listen while a leaf is in flight; adapters that block listen too,
and kill what they started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import BudgetTimeout, RunCancelled, RunTimeout

__all__ = ["CancelToken"]


class CancelToken:
    """A switch that stops a run from outside.

    Hand one in as `RunOptions(cancel=token)`; the chat then ends with the token's reason as its
    `stop_reason`, its history kept.
    """

    __slots__ = ("_listeners", "_lock", "reason")

    def __init__(self) -> None:
        #: None until cancelled; then the `stop_reason` to report: "cancelled", "timeout", "budget".
        self.reason: str | None = None
        self._listeners: dict[int, Callable[[], None]] = {}
        # Reentrant: a signal handler may cancel while the same thread holds the lock.
        self._lock = threading.RLock()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self.reason is not None

    def error(self) -> RunCancelled:
        """What a run under this token raises at its next op, once it is cancelled."""
        if self.reason == "timeout":
            return RunTimeout()
        if self.reason == "budget":
            return BudgetTimeout()
        return RunCancelled(reason=self.reason or "cancelled")

    def cancel(self, reason: str = "cancelled") -> None:
        """Stop whatever runs under this token. Only the first call counts.

        Listeners run in the calling thread, each once. An error in one is raised after all have
        run.
        """
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            listeners = list(self._listeners.values())
            self._listeners.clear()
        failed: list[Exception] = []
        for listener in listeners:
            try:
                listener()
            except Exception as error:
                failed.append(error)
        if failed:
            raise ExceptionGroup("listeners of a cancelled run failed", failed)

    @contextmanager
    def listen(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` once if the token is cancelled inside the `with` block, or was before."""
        with self._lock:
            late = self.reason is not None
            if not late:
                self._listeners[id(listener)] = listener
        if late:
            listener()
        try:
            yield
        finally:
            with self._lock:
                self._listeners.pop(id(listener), None)
