"""What blocks ask the host to do, such as to install packages, while somebody listens to them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from .waker import Waker

__all__ = ["Ask", "Errands"]

MOST_ASKS = 32

#: Gets a request and a function that says whether to give up; gives the answer.
Ask: TypeAlias = Callable[[dict[str, Any], Callable[[], bool]], dict[str, Any]]


class Errands:
    """What blocks ask the host to do, done one by one, away from the thread that listens."""

    def __init__(self, ask: Ask, tell: Callable[[dict[str, Any]], None], waker: Waker):
        self._ask = ask
        self._tell = tell
        self._waker = waker
        self._taken = 0
        self._open = 0
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._turn = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether an answer is still being worked on."""
        return self._open > 0

    def take(self, number: int, request: Any) -> None:
        """Begin with a request, which its answer names by `number`."""
        self._taken += 1
        self._open += 1
        if self._taken > MOST_ASKS:
            text = f"A block may ask for packages {MOST_ASKS} times at most."
            self._answers.put({"id": number, "answer": {"exit": 1, "text": text}})
            self._waker.wake()
            return
        if not isinstance(request, dict):
            request = {}
        self._tell(request)
        threading.Thread(
            target=self._work, args=(number, request), name="autogen-errand", daemon=True
        ).start()

    def _work(self, number: int, request: dict[str, Any]) -> None:
        with self._turn:
            answer: dict[str, Any] = {"exit": 1, "text": "cancelled"}
            if not self._stop.is_set():
                answer = self._ask(request, self._stop.is_set)
        self._answers.put({"id": number, "answer": answer})
        self._waker.wake()

    def done(self) -> list[dict[str, Any]]:
        """Answers that are ready to be sent."""
        ready = []
        while not self._answers.empty():
            ready.append(self._answers.get())
            self._open -= 1
        return ready

    def stop(self) -> None:
        """Begin with nothing more, and have what is being worked on give up."""
        self._stop.set()
