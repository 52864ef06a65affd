"""`generate_reply` called by a program itself: recorded like a chat, and told again like one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.chat.cast import person, plain, speaker

from autogen import Budget, ConversableAgent, RunOptions, Runtime, options
from autogen._durable.database import Database
from autogen.errors import BudgetExceeded, ProviderError, ReplayMismatch
from autogen.runtime.retelling import replaying
from autogen.testing import FakeExecutor, ScriptedModel, call, calls, replay
from autogen.testing.face import Face

ASKED = [{"role": "user", "content": "hi"}]
BLOCK = "```python\nprint(1)\n```"


class Down(ProviderError):
    """A model service that is not there."""


@contextmanager
def ambient(database: str, **more: Any) -> Iterator[None]:
    with options(RunOptions(id="job", durable=True, database=database, **more)):
        yield


def test_a_reply_is_not_paid_again(face: Face, database: str) -> None:
    def program(replies: Any) -> list[Any]:
        with ambient(database):
            agent = speaker("b", replies)
            return [face.generate_reply(agent, ASKED) for _ in range(2)]

    with pytest.raises(Down):
        program(["one", Down("gone")])
    runs = {run.id: (run.status, run.attempts) for run in Runtime(database).runs()}
    assert runs == {"job/1": ("finished", 1), "job/2": ("failed", 1)}
    assert program(["two"]) == ["one", "two"]
    assert program([]) == ["one", "two"]
    run = Runtime(database).run("job/2")
    assert (run.status, run.attempts, run.stop_reason) == ("finished", 2, "max_turns")


def test_the_record_of_a_reply_shows_what_was_asked_and_answered(face: Face, database: str) -> None:
    with ambient(database):
        face.generate_reply(speaker("b", ["one"]), ASKED)
        with pytest.raises(Down):
            face.generate_reply(speaker("b", [Down("gone")]), ASKED)
    told = Runtime(database).events("job/1")
    assert [event.type for event in told] == [
        "run.started",
        "chat.started",
        "message.sent",
        "model.answered",
        "message.sent",
        "chat.finished",
        "run.finished",
    ]
    sent = [event.data for event in told if event.type == "message.sent"]
    said = [(d["sender"], d["recipient"], d["message"]["content"]) for d in sent]
    assert said == [("user", "b", "hi"), ("b", "user", "one")]
    assert told[5].data["n_messages"] == 2
    failed = Runtime(database).events("job/2")
    assert [event.type for event in failed][-2:] == ["error", "chat.finished"]
    assert Runtime(database).verify("job/1").is_whole


def test_tools_code_and_people_of_a_reply_are_asked_once(face: Face, database: str) -> None:
    ran: list[str] = []

    def tool() -> str:
        ran.append("tool")
        return f"done {len(ran)}"

    def program(outputs: Any, answers: Any) -> list[Any]:
        a = speaker("a", [])
        called = calls(call("tool", id="c1"))
        user = plain("user", code_execution_config={"executor": FakeExecutor(outputs)})
        user.register_function({"tool": tool})
        boss = person("boss", answers)
        with ambient(database):
            return [
                face.generate_reply(user, [{"role": "assistant", **called}], sender=a),
                face.generate_reply(user, [{"role": "user", "content": BLOCK}], sender=a),
                face.generate_reply(boss, ASKED, sender=a),
            ]

    first = program(["1\n"], ["an answer"])
    assert "done 1" in str(first[0])
    assert "1\n" in str(first[1])
    assert "an answer" in str(first[2])
    assert program([], []) == first
    assert ran == ["tool"]


def test_a_reply_to_another_message_is_refused(face: Face, database: str) -> None:
    def program(asked: Any, name: str = "b") -> None:
        with ambient(database):
            face.generate_reply(speaker(name, ["one"]), asked)

    program(ASKED)
    for change in ([{"role": "user", "content": "ho"}], ASKED * 2):
        with pytest.raises(ReplayMismatch, match="'job/1' began with something else"):
            program(change)
    with pytest.raises(ReplayMismatch, match="recipient was 'b' and is now 'c'"):
        program(ASKED, "c")


def test_an_override_that_asks_the_model_itself_is_told_again(face: Face, database: str) -> None:
    class Polite(ConversableAgent):
        def generate_reply(self, messages: Any = None, sender: Any = None, **more: Any) -> Any:
            return f"please: {super().generate_reply(messages, sender, **more)}"

    def program(replies: Any) -> Any:
        model = ScriptedModel(replies).config()
        agent = Polite("b", llm_config=model, human_input_mode="NEVER")
        with ambient(database):
            return agent.generate_reply(ASKED), face.generate_reply(agent, ASKED)

    said = program(["one", "two"])
    assert said[0] == "please: one"
    assert "two" in said[1]
    assert program([]) == said


def test_a_budget_that_ends_a_reply_can_be_raised(face: Face, database: str) -> None:
    def program(steps: int, replies: Any) -> list[Any]:
        with ambient(database, budget=Budget(steps=steps)):
            agent = speaker("b", replies)
            return [face.generate_reply(agent, ASKED) for _ in range(2)]

    with pytest.raises(BudgetExceeded):
        program(1, ["one"])
    spent = Runtime(database).run("job/2")
    assert (spent.status, spent.stop_reason) == ("paused", "budget")
    told = {event.type: event.data for event in Runtime(database).events("job/2")}
    assert (told["budget.spent"]["limit"], told["budget.spent"]["most"]) == ("steps", 1)
    assert program(5, ["two"]) == ["one", "two"]


def test_replies_are_told_again_offline(face: Face, database: str) -> None:
    def program(replies: Any, second: str = "again") -> list[Any]:
        a, b = plain("a", default_auto_reply="more"), speaker("b", replies)
        first = face.generate_reply(b, ASKED)
        face.initiate_chat(a, b, message="hi", max_turns=1, silent=True)
        return [first, face.generate_reply(b, [{"role": "user", "content": second}])]

    with ambient(database):
        said = program(["one", "two", "three"])
    with replay("job", database=database):
        assert program([]) == said
    retelling = replaying(Database.at(database), "job", takes_any=False)
    with retelling as told, ambient(database), pytest.raises(ReplayMismatch):
        program([], "otherwise")
    assert "run 'job/3' began with something else" in told.verdict().text


def test_a_reply_within_a_chat_belongs_to_that_chat(face: Face, database: str) -> None:
    def program(replies: Any) -> str:
        inner = speaker("inner", replies)

        def ask(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            return True, inner.generate_reply(ASKED)

        b = plain("b")
        b.register_reply([ConversableAgent, None], ask)
        with ambient(database):
            result = face.initiate_chat(plain("a"), b, message="hi", max_turns=1, silent=True)
        return str(result.summary)

    assert program(["one"]) == "one"
    assert program([]) == "one"
    assert [run.id for run in Runtime(database).runs()] == ["job/1"]
