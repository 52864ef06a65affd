"""How one thread wakes another that waits in `poll`."""

from __future__ import annotations

import os
import threading

__all__ = ["Waker"]


class Waker:
    """Wakes a thread that waits in `poll`; may be called from any thread, any number of times."""

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._writer, False)
        self.fired = False
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Mark as fired and wake."""
        self.fired = True
        self.wake()

    def wake(self) -> None:
        """Wake without marking."""
        with self._lock:
            if self._writer >= 0:
                try:
                    os.write(self._writer, b"x")
                except BlockingIOError:
                    pass

    def drain(self) -> None:
        """Forget wakes that were seen."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Give the descriptors back; later calls of `cancel` do nothing."""
        with self._lock:
            if self._writer >= 0:
                os.close(self._writer)
                os.close(self.fd)
                self._writer = -1
