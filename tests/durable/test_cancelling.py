"""A chat with everything in it, cancelled anywhere: nothing is left, and it goes on.

The chat is a group with parallel tools, one of which asks a person, with code, and with nested
chats in which a person is asked. It is cancelled before op number N, for one N after the other, and
while each model, tool, code block and person is at work.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.chat.cast import person, plain, texts

from autogen import Budget, CancelToken, GroupChat, GroupChatManager, RunOptions, Runtime
from autogen._kernel import drive, drive_async
from autogen._kernel.run import current_run
from autogen.coding import CodeResult, MarkdownCodeExtractor
from autogen.errors import RunCancelled
from autogen.testing import ScriptedModel, call, calls
from autogen.testing.face import Face

pytestmark = [pytest.mark.timeout(240)]

PRICE = (0.01, 0.01)


class World:
    """What the chat does outside of itself, and how often."""

    code_extractor = MarkdownCodeExtractor()

    def __init__(self, *, at: int = 0, stop: Callable[[], None] | None = None) -> None:
        """A world in which `stop` is called while deed number `at` is done."""
        self.done: Counter[str] = Counter()
        self._at, self._stop = at, stop
        self._now = 0
        self._lock = threading.Lock()

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is under way."""
        return self._now == 0

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        with self._lock:
            self.done[what] += 1
            self._now += 1
            is_now = self.done.total() == self._at
        try:
            if is_now and self._stop is not None:
                self._stop()
            yield
        finally:
            with self._lock:
                self._now -= 1

    def execute_code_blocks(self, code_blocks: list[Any]) -> CodeResult:
        with self.doing("code"):
            return CodeResult(exit_code=0, output="1\n")

    def restart(self) -> None:
        """There is nothing to begin anew."""

    def model(self, name: str, answer: Any) -> dict[str, Any]:
        def said(request: dict[str, Any]) -> Any:
            with self.doing(name):
                return answer(request["messages"])

        return ScriptedModel(said, keep=0).config(price=PRICE, max_tokens=50)

    def answer(self, prompt: str) -> str:
        with self.doing("person"):
            return "exit" if "expert" in prompt else "fine"


def planned(messages: list[dict[str, Any]]) -> Any:
    if any(message.get("role") == "tool" for message in messages):
        return "```python\nprint(1)\n```"
    return calls(call("look", part="a"), call("ask", part="b"))


def chat(face: Face, world: World, run: RunOptions) -> Any:
    def look(part: str) -> str:
        with world.doing("look"):
            return f"saw {part}"

    def ask(part: str) -> str:
        """In one branch of the tools that run side by side a person is asked."""
        a, b = plain("asker", max_consecutive_auto_reply=1), person("advisor", world.answer)
        with world.doing("ask"):
            return str(a.initiate_chat(b, message=f"what of {part}?", max_turns=1).summary)

    planner = plain("planner", llm_config=world.model("planner", planned))
    runner = plain("runner", code_execution_config={"executor": world})
    runner.register_function({"look": look, "ask": ask})
    critic = plain("critic", default_auto_reply="hm")
    expert = plain("expert", llm_config=world.model("expert", lambda messages: "deep"))
    client = person("client", world.answer)
    critic.register_nested_chats(
        [{"sender": client, "recipient": expert, "max_turns": 2, "summary_method": "last_msg"}],
        trigger=lambda sender: True,
    )
    group = GroupChat(
        agents=[planner, runner, critic],
        messages=[],
        max_round=7,
        speaker_selection_method="round_robin",
    )
    manager = GroupChatManager(groupchat=group)
    result = face.initiate_chat(plain("user"), manager, message="go", silent=True, run=run)
    return result, texts(group.messages)


@contextmanager
def cancelled_at(n: int, token: CancelToken) -> Iterator[Counter[str]]:
    """Trip `token` before op number `n` of recorded runs; counts the ops."""
    counts: Counter[str] = Counter()
    real = drive.running

    def running() -> Any:
        if current_run() is not None:
            counts["ops"] += 1
            if counts["ops"] == n:
                token.cancel()
        return real()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "running", running)
        patch.setattr(drive_async, "running", running)
        yield counts


def one(
    face: Face, database: str, name: str, calm: Any, *, op: int = 0, deed: int = 0, fork: bool
) -> bool:
    """Cancel the chat, look around, and have it go on; whether it got so far."""
    budget, token, runtime = Budget(usd=1.0), CancelToken(), Runtime(database)
    world = World(at=deed, stop=token.cancel)
    under = RunOptions(id=name, durable=True, database=database, budget=budget, cancel=token)
    with cancelled_at(op, token):
        try:
            result, _ = chat(face, world, under)
            assert result.stop_reason == ("cancelled" if token.cancelled else "max_round")
        except RunCancelled:
            assert token.cancelled
    assert world.is_idle
    assert budget.left.usd == pytest.approx(1.0 - budget.spent.usd), "nothing is set aside"
    run = runtime.run(name)
    if not token.cancelled:
        assert run.status == "finished"
        return False
    assert (run.status, run.owner) == ("cancelled", None) or run.status == "finished"
    assert runtime.verify(name).is_whole
    if fork:
        last = runtime.events(name, limit=10_000)[-1].pos
        assert last is not None
        runtime.fork(name, at=last, id=f"{name}-fork")
        forked = RunOptions(id=f"{name}-fork", durable=True, database=database)
        assert chat(face, World(), forked)[1] == calm[1]
    again = RunOptions(id=name, durable=True, database=database)
    result, said = chat(face, world, again)
    assert said == calm[1]
    assert result.stop_reason == calm[0].stop_reason
    assert runtime.run(name).status == "finished"
    assert not runtime.questions(status="open")
    n_twice = sum((world.done - calm[2]).values())
    # A step that was under way when it was cancelled is taken again; two tools run side by side.
    assert n_twice <= 3, world.done
    return True


def test_a_chat_that_is_cancelled_anywhere_leaves_nothing_and_goes_on(
    face: Face, database: str
) -> None:
    world = World()
    with cancelled_at(0, CancelToken()) as counts:
        calm = chat(face, world, RunOptions(id="calm", durable=True, database=database))
    assert (calm[0].stop_reason, len(calm[1])) == ("max_round", 7)
    assert set(world.done) == {"planner", "look", "ask", "person", "code", "expert"}
    assert counts["ops"] > 20
    reached = [
        one(face, database, f"op{n}", (*calm, world.done), op=n, fork=n % 3 == 0)
        for n in range(1, counts["ops"] + 1)
    ]
    reached += [
        one(face, database, f"deed{n}", (*calm, world.done), deed=n, fork=n % 3 == 0)
        for n in range(1, world.done.total() + 1)
    ]
    assert all(reached)
