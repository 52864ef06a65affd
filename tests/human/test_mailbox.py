"""Questions that wait in a box until somebody answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

from autogen.human.base import Question
from autogen.human.mailbox import Mailbox


class Shelf:
    """A box in memory."""

    def __init__(self) -> None:
        self.lying: dict[str, Any] = {}
        self.looked_for: dict[str, threading.Event] = {}

    def put(self, question: Question) -> Any:
        self.looked_for[question.id] = threading.Event()
        self.lying[question.id] = SimpleNamespace(status="open", answer=None, is_edit=False)
        return self.lying[question.id]

    def answer(self, question_id: str, text: str) -> None:
        self.lying[question_id] = SimpleNamespace(status="answered", answer=text, is_edit=False)

    def answered(self, ids: Collection[str]) -> Mapping[str, Any]:
        for one in ids:
            self.looked_for[one].set()
        return {one: self.lying[one] for one in ids if self.lying[one].status != "open"}

    def expire(self) -> None:
        return

    def withdraw(self, question_id: str) -> None:
        del self.lying[question_id]


async def asked(mailbox: Mailbox, shelf: Shelf, name: str, wait_s: float) -> asyncio.Task[str]:
    """A task that waits for the answer to a question, which is looked for by now."""
    question = Question(id=name, run_id="run", key="1", prompt="?", agent="user")
    await mailbox.put(question)
    task = asyncio.create_task(mailbox.ask(question))
    assert await asyncio.to_thread(shelf.looked_for[name].wait, wait_s)
    return task


def test_a_loop_that_is_gone_keeps_no_answer_from_others(wait_s: float) -> None:
    shelf = Shelf()
    mailbox = Mailbox(shelf, poll_s=0.01)
    gone = asyncio.new_event_loop()
    lost = gone.run_until_complete(asked(mailbox, shelf, "lost", wait_s))
    gone.run_until_complete(gone.shutdown_default_executor())
    gone.close()
    shelf.answer("lost", "too late")

    async def other() -> str:
        task = await asked(mailbox, shelf, "kept", wait_s)
        shelf.answer("kept", "42")
        return await asyncio.wait_for(task, wait_s)

    try:
        assert asyncio.run(other()) == "42"
        assert not lost.done()
    finally:
        mailbox.close()
