"""`Mailbox`: questions that lie in a database until somebody answers, however long it takes.

A chat that waits is a future and an entry in a table; one thread looks for answers to all of them.
One that waits for long is parked: its execution ends, and the answer begins the next one. Parked
chats take no memory at all.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from .._kernel.run import current_run
from ..errors import JournalError, QuestionExpired
from .base import Edited, Question

__all__ = ["PARKED", "Box", "Mailbox"]

logger = logging.getLogger("autogen")

POLL_S = 0.2

#: How long a chat waits in memory.
PARK_S = 15.0

#: What a run is cancelled with that is parked.
PARKED = "parked"


class Box(Protocol):
    """Where questions lie."""

    def put(self, question: Question) -> Any:
        """The question as it stands: `status`, `answer`, `is_edit`. Put again, it is the same."""
        ...

    def answered(self, ids: Collection[str]) -> Mapping[str, Any]:
        """Those of `ids` that are open no longer."""
        ...

    def expire(self) -> None:
        """Close the questions whose time is over."""
        ...

    def withdraw(self, question_id: str) -> None:
        """Nobody waits for an answer any more."""
        ...


class Mailbox:
    """A `HumanChannel` on a box that other processes see too."""

    def __init__(self, box: Box, *, poll_s: float = POLL_S, park_s: float = PARK_S):
        self._box = box
        self._park_s = park_s
        self._poll_s = poll_s
        self._waiting: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Future[Any]]] = {}
        self._found: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None
        self._over = threading.Event()

    async def put(self, question: Question) -> None:
        """Lay a question where people find it; `ask` then waits for the answer."""
        self._found[question.id] = await asyncio.to_thread(self._box.put, question)

    async def ask(self, question: Question) -> str:
        """The answer, whenever it comes.

        Raises:
            QuestionExpired: Nobody answered in time, and there is no default.
        """
        if question.id not in self._found:
            await self.put(question)
        found = self._found.pop(question.id)
        if found.status == "open":
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Any] = loop.create_future()
            with self._lock:
                self._waiting[question.id] = (loop, future)
                self._look()
            run = current_run()
            try:
                found = await asyncio.wait_for(asyncio.shield(future), self._park_s)
            except TimeoutError:
                if run is None:
                    found = await future
                else:
                    run.cancel.cancel(PARKED)
                    # Until the wait is cancelled, which the line above has asked for.
                    await asyncio.sleep(self._park_s)
            except asyncio.CancelledError:
                if run is None or run.cancel.reason != PARKED:
                    await asyncio.shield(asyncio.to_thread(self._box.withdraw, question.id))
                raise
            finally:
                with self._lock:
                    self._waiting.pop(question.id, None)
        if found.answer is None:
            raise QuestionExpired(f"nobody answered question {question.id!r} in time.")
        answer: str = found.answer
        return Edited(answer) if found.is_edit else answer

    def close(self) -> None:
        """Look no further."""
        self._over.set()
        if self._looking is not None:
            self._looking.join()

    def _look(self) -> None:
        if self._looking is None:
            self._looking = threading.Thread(
                target=self._look_on, name="autogen-mailbox", daemon=True
            )
            self._looking.start()

    def _look_on(self) -> None:
        while not self._over.wait(self._poll_s):
            with self._lock:
                ids = list(self._waiting)
            if not ids:
                continue
            try:
                self._box.expire()
                found = self._box.answered(ids)
            except JournalError as error:
                logger.warning("No answers could be looked for: %s", error)
                continue
            for question_id, record in found.items():
                with self._lock:
                    waiting = self._waiting.pop(question_id, None)
                if waiting is not None:
                    loop, future = waiting
                    try:
                        loop.call_soon_threadsafe(_settle, future, record)
                    except RuntimeError:
                        # That loop was closed; whoever waited on it is gone.
                        continue


def _settle(future: asyncio.Future[Any], record: Any) -> None:
    if not future.done():
        future.set_result(record)
