"""A database that fails for a moment: what it says is nobody's answer, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts
from tests.durable.conftest import Until

from autogen import ConversableAgent, RunOptions, Runtime, UserProxyAgent
from autogen._durable import database as database_module
from autogen._durable.database import Database
from autogen.errors import JournalError, ReplayMismatch
from autogen.journal import dbos as dbos_module
from autogen.journal.dbos import DbosEngine, DbosLog
from autogen.limits.base import Amounts, Reservation
from autogen.store.account import SqlAccount
from autogen.store.asking import Questions
from autogen.store.sql import SqlStore
from autogen.testing import ScriptedModel, call, calls
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


def short(face: Face, database: str) -> Any:
    options = RunOptions(id="run", durable=True, database=database)
    return face.initiate_chat(
        plain("a"), speaker("b", ["one"]), message="hi", max_turns=1, silent=True, run=options
    )


@pytest.mark.parametrize("method", ["update", "claim"])
def test_a_run_whose_end_could_not_be_written_is_free_again(
    face: Face, database: str, away: Any, method: str
) -> None:
    """It named this process as its owner for as long as that lived."""
    away(SqlStore, method, times=2)
    if method == "claim":
        away(DbosEngine, "fence")
    while True:
        try:
            result = short(face, database)
        except JournalError as error:
            assert "does not answer" in str(error)  # noqa: PT017 it ends by and by
        else:
            break
    assert texts(result.chat_history) == ["hi", "one"]
    assert Runtime(database).run("run").status == "finished"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("n_calls", [1, 2])
def test_a_tool_that_exits_takes_no_other_chat_along(
    working: Any, known: Any, until: Until, wait_s: float, error: Any, n_calls: int
) -> None:
    """It ended the event loop under all chats of the worker, and nobody missed it."""
    may_go_on = threading.Event()

    def leaving() -> Any:
        model = ScriptedModel([calls(*(call("leave") for _ in range(n_calls)))])
        a = plain("a")

        def leave() -> None:
            raise error(3)

        a.register_function({"leave": leave})
        return a, ConversableAgent("b", llm_config=model.config(), human_input_mode="NEVER")

    def waiting() -> Any:
        a, b = plain("a"), plain("b")

        def reply(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            may_go_on.wait(wait_s)
            return True, "done"

        b.register_reply(ConversableAgent, reply)
        return {"sender": a, "recipient": b, "max_turns": 1}

    known("leaving")(leaving)
    known("waiting")(waiting)
    runtime = working()
    runtime.submit("waiting", "hi", id="other")
    until(lambda: runtime.run("other").status == "running")
    runtime.submit("leaving", "hi", id="one")
    left = runtime.wait("one", timeout_s=wait_s)
    assert left.error is not None
    assert left.error["type"] == error.__name__
    may_go_on.set()
    assert runtime.wait("other", timeout_s=wait_s).status == "finished"


def test_runs_whose_ids_differ_in_a_slash_have_questions_of_their_own(
    working: Any, known: Any, until: Until, wait_s: float
) -> None:
    def asking() -> Any:
        return UserProxyAgent("user", code_execution_config=False), plain("b")

    known("asking")(asking)
    runtime = working()
    names = ["a/b", "a.b"]
    for name in names:
        runtime.submit("asking", "hi", id=name)
    questions = until(lambda: len(found := runtime.questions()) == 2 and found)
    for question in questions:
        runtime.answer(question.id, "exit", by=question.run_id)
    for name in names:
        assert runtime.wait(name, timeout_s=wait_s).stop_reason == "human_exit"
        (question,) = runtime.questions(status=None, run_id=name)
        assert question.answered_by == name


def test_an_engine_says_who_took_an_execution(url: str) -> None:
    base = Database.at(url)
    try:
        engine, other = base.engine, "somebody else"
        assert engine.taker("r", 1) is None
        engine.enqueue("r", 1, team="t")
        assert engine.taker("r", 1) is None
        engine.fence("r", 1)
        assert engine.taker("r", 1) == ""
        log = engine.begin("r", 2)
        assert engine.taker("r", 2) == base.worker_id != other
        log.close(is_finished=False)
        assert engine.taker("r", 2) == ""
    finally:
        base.close()


def test_a_run_is_not_gone_on_with_by_another_version(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Database.at(url)
    try:
        base.engine.check_version("r")
        base.engine.begin("r", 1).close(is_finished=False)
        base.engine.check_version("r")
        monkeypatch.setattr(dbos_module, "JOURNAL_VERSION", "autogen-journal-2")
        with pytest.raises(JournalError, match="Finish it with that version"):
            base.engine.check_version("r")
    finally:
        base.close()


def test_a_process_elsewhere_is_not_gone_because_no_process_here_has_its_number(
    database: str,
) -> None:
    """Containers may share a name, and number their processes each for itself."""
    base = Database.at(database)
    host, _, start = base.worker_id.rsplit(":", 2)
    here, there = f"{host}:999999999:{start}", f"{host}:999999999:00000000-00000000"
    for worker_id in (here, there):
        base.store.beat(worker_id)
    assert not base.is_alive(here)
    assert base.is_alive(there)


def test_what_could_not_be_settled_is_settled_with_the_next_beat(
    database: str, until: Until, away: Any, hurry: None
) -> None:
    budget = Database.at(database).budget("shared", {"tokens": 100})
    made = budget.account.reserve(Amounts(tokens=80))
    assert isinstance(made, Reservation)
    away(SqlAccount, "_settle", times=3)
    budget.account.settle(made, Amounts(tokens=10))
    until(lambda: budget.account.left.tokens == 90)


def test_whatever_goes_wrong_in_the_thread_that_beats_it_goes_on(
    database: str, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database_module, "TICK_S", 0.01)
    base, looks = Database.at(database), list[int]()

    def look() -> None:
        looks.append(1)
        raise (ZeroDivisionError if len(looks) % 2 else JournalError)("no")

    base.on_beat.append(look)
    base.live()
    until(lambda: len(looks) > 4)
    assert base.store.beats_since(base.worker_id, 1)
    assert "Looking after durable runs failed" in caplog.text
    assert "No sign of life could be written" in caplog.text
