"""A database that fails for a moment: what it says is nobody's answer, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts
from tests.durable.conftest import Until

from autogen import ConversableAgent, RunOptions, Runtime, UserProxyAgent
from autogen._durable import database as database_module
from autogen.errors import JournalError, ReplayMismatch
from autogen.journal.dbos import DbosLog
from autogen.store.account import SqlAccount
from autogen.store.asking import Questions
from autogen.testing import ScriptedModel, call
from autogen.testing.face import Face

AWAY = "the server does not answer; start it, or check the address"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Has a method fail as if the server were away; gives the arguments of the failed calls."""

    def fail(
        owner: type, name: str, *, times: int = 1, when: Callable[..., bool] = lambda *a: True
    ) -> list[Any]:
        real, failed = getattr(owner, name), list[Any]()

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            if len(failed) < times and when(*args):
                failed.append(args)
                raise JournalError(AWAY)
            return real(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, method)
        return failed

    return fail


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look after their runs many times a second."""
    monkeypatch.setattr(database_module, "TICK_S", 0.02)


def told(runtime: Runtime, run_id: str) -> list[tuple[Any, Any]]:
    """The events of a run, without those that tell of its executions."""
    return [
        (event.key, event.type) for event in runtime.events(run_id) if "~" not in str(event.key)
    ]


@pytest.mark.usefixtures("hurry")
def test_a_question_that_could_not_be_put_is_put_again(
    working: Any, known: Any, until: Until, wait_s: float, away: Any
) -> None:
    """The error was kept once as what the person had answered, and came again for ever."""

    def asking() -> Any:
        model = ScriptedModel(["fine"])
        return (
            UserProxyAgent("user", code_execution_config=False),
            ConversableAgent("b", llm_config=model.config(), human_input_mode="NEVER"),
        )

    known("asking")(asking)
    failed = away(Questions, "put", times=2)
    runtime = working()
    runtime.submit("asking", "hi", id="one")
    (question,) = until(runtime.questions)
    runtime.answer(question.id, "exit")
    run = runtime.wait("one", timeout_s=wait_s)
    assert (run.status, run.stop_reason, run.attempts) == ("finished", "human_exit", 3)
    assert len(failed) == 2


@pytest.mark.usefixtures("hurry")
def test_a_budget_that_could_not_be_asked_is_asked_again(
    working: Any, known: Any, wait_s: float, away: Any
) -> None:
    def small() -> Any:
        model = ScriptedModel(lambda request: "fine")
        b = ConversableAgent("b", llm_config=model.config(), human_input_mode="NEVER")
        return {"sender": plain("a"), "recipient": b, "max_turns": 2}

    known("small")(small)
    away(SqlAccount, "reserve", when=lambda wanted, *_: wanted.steps > 0)
    runtime = working()
    runtime.submit("small", "hi", id="one", budget={"steps": 9})
    run = runtime.wait("one", timeout_s=wait_s)
    assert (run.status, run.stop_reason, run.attempts) == ("finished", "max_turns", 2)


def consulting(face: Face, database: str, id: str, inner: Any, outer: Any) -> Any:
    """A chat with a tool that talks with another agent, and tells of its errors."""
    user, b = plain("user"), speaker("b", outer)

    def consult(question: str) -> str:
        expert = speaker("expert", inner)
        asker = plain("asker")
        return str(asker.initiate_chat(expert, message=question, max_turns=1, silent=True).summary)

    user.register_function({"consult": consult})
    options = RunOptions(id=id, durable=True, database=database)
    return face.initiate_chat(user, b, message="hi", max_turns=3, silent=True, run=options)


def test_a_tool_around_what_could_not_be_recorded_is_no_answer_either(
    face: Face, database: str, away: Any
) -> None:
    asked = call("consult", question="why")
    consulting(face, database, "calm", ["because"], [asked, "thanks", "bye"])
    away(
        DbosLog,
        "append",
        when=lambda entry: entry.kind == "model" and entry.position.count("/") > 1,
    )
    with pytest.raises(JournalError, match="does not answer"):
        consulting(face, database, "run", ["because"], [asked])
    result = consulting(face, database, "run", ["because"], ["thanks", "bye"])
    assert texts(result.chat_history)[:4] == ["hi", None, "because", "thanks"]
    runtime = Runtime(database)
    assert told(runtime, "run") == told(runtime, "calm")
    assert runtime.verify("run").is_whole


def test_a_mismatch_inside_of_a_tool_ends_the_run(face: Face, database: str, away: Any) -> None:
    asked = call("consult", question="why")
    # Cut off in the tool, after the model in it had answered.
    away(DbosLog, "append", when=lambda entry: entry.kind == "tool")
    with pytest.raises(JournalError, match="does not answer"):
        consulting(face, database, "run", ["because"], [asked])

    def other(face: Face) -> Any:
        user, b = plain("user"), speaker("b", [])

        def consult(question: str) -> str:
            expert = speaker("expert", ["never"], system_message="You are somebody else.")
            asker = plain("asker")
            return str(
                asker.initiate_chat(expert, message=question, max_turns=1, silent=True).summary
            )

        user.register_function({"consult": consult})
        options = RunOptions(id="run", durable=True, database=database)
        return face.initiate_chat(user, b, message="hi", max_turns=3, silent=True, run=options)

    with pytest.raises(ReplayMismatch, match="asked for something else"):
        other(face)
