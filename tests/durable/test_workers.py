"""Teams and workers: chats that belong to no process. One worker runs in the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.cast import plain, speaker, texts
from tests.durable.conftest import Until

from autogen import ConversableAgent, Runtime, UserProxyAgent
from autogen.coding import CodeBlock, CodeResult, MarkdownCodeExtractor
from autogen.errors import AlreadyAnswered, ReplayMismatch, UsageError
from autogen.human import mailbox
from autogen.human.base import Edited
from autogen.runtime import teams
from autogen.store.tables import beats
from autogen.testing import ScriptedModel


def words(n: int = 3) -> Callable[[], Any]:
    """A team whose model says "word K" for message K."""

    def make() -> Any:
        model = ScriptedModel(lambda request: f"word {len(request['messages'])}")
        b = ConversableAgent("b", llm_config=model.config(), human_input_mode="NEVER")
        return {"sender": plain("a", default_auto_reply="more"), "recipient": b, "max_turns": n}

    return make


def asking() -> Any:
    """A team that asks people before each answer."""
    model = ScriptedModel(lambda request: f"You said {request['messages'][-1]['content']}.")
    return (
        UserProxyAgent("user", code_execution_config=False),
        ConversableAgent("b", llm_config=model.config(), human_input_mode="NEVER"),
    )


def said(runtime: Runtime, run_id: str) -> list[Any]:
    events = runtime.events(run_id)
    return texts([e.data["message"] for e in events if e.type == "message.sent"])


def test_a_worker_runs_what_is_submitted(working: Any, known: Any, wait_s: float) -> None:
    known("words")(words())
    runtime = working()
    run_id = runtime.submit("words", "hi", id="one")
    run = runtime.wait(run_id, timeout_s=wait_s)
    assert (run.status, run.stop_reason, run.attempts) == ("finished", "max_turns", 1)
    assert said(runtime, run_id) == ["hi", "word 2", "more", "word 4", "more", "word 6"]
    assert runtime.verify(run_id).is_whole
    assert [event.type for event in runtime.follow(run_id)][-1] == "run.finished"


def test_submitting_again_is_the_same_run(working: Any, known: Any, wait_s: float) -> None:
    known("words")(words())
    runtime = working()
    assert runtime.submit("words", "hi", id="one") == runtime.submit("words", "hi", id="one")
    with pytest.raises(ReplayMismatch, match="asked for something else before"):
        runtime.submit("words", "ho", id="one")
    assert runtime.wait("one", timeout_s=wait_s).attempts == 1


def test_questions_are_answered_once_from_anywhere(
    working: Any, known: Any, until: Until, wait_s: float
) -> None:
    known("asking")(asking)
    runtime = working()
    run_id = runtime.submit("asking", "hi")
    (question,) = until(runtime.questions)
    assert (question.run_id, question.agent, question.kind) == (run_id, "user", "text")
    assert runtime.run(run_id).status == "waiting"
    runtime.answer(question.id, "hello", by="anna")
    with pytest.raises(AlreadyAnswered, match="by anna before"):
        runtime.answer(question.id, "bye")
    (question,) = until(runtime.questions)
    runtime.answer(question.id, "exit")
    run = runtime.wait(run_id, timeout_s=wait_s)
    assert (run.stop_reason, run.result["human_input"]) == ("human_exit", ["hello", "exit"])
    assert said(runtime, run_id) == ["hi", "You said hi.", "hello", "You said hello."]


def test_a_parked_chat_goes_on_with_its_answer(
    working: Any, known: Any, until: Until, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(mailbox.Mailbox.__init__.__kwdefaults__, "park_s", 0.05)
    known("asking")(asking)
    runtime = working()
    run_id = runtime.submit("asking", "hi")
    (question,) = until(runtime.questions)
    until(lambda: runtime.run(run_id).owner is None)
    assert runtime.run(run_id).status == "waiting"
    runtime.answer(question.id, "exit")
    run = runtime.wait(run_id, timeout_s=wait_s)
    assert (run.stop_reason, run.attempts) == ("human_exit", 2)
    keys = [event.key for event in runtime.events(run_id)]
    assert len(keys) == len(set(keys))


def test_a_run_is_cancelled_from_elsewhere_and_goes_on(
    working: Any, known: Any, until: Until, wait_s: float
) -> None:
    known("asking")(asking)
    runtime = working()
    run_id = runtime.submit("asking", "hi")
    (first,) = until(runtime.questions)
    runtime.cancel(run_id)
    run = runtime.wait(run_id, timeout_s=wait_s)
    assert (run.status, run.stop_reason) == ("cancelled", "cancelled")
    until(lambda: runtime.questions(status=None)[0].status == "withdrawn")
    runtime.resume(run_id)
    (again,) = until(runtime.questions)
    assert again.id == first.id
    runtime.answer(again.id, "exit")
    assert runtime.wait(run_id, timeout_s=wait_s).stop_reason == "human_exit"
    with pytest.raises(UsageError, match="is finished; there is nothing to go on with"):
        runtime.resume(run_id)


def test_a_team_that_cannot_be_made_fails_its_run(
    working: Any, known: Any, wait_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise OSError("no such thing")

    known("broken")(broken)
    runtime = working()
    run = runtime.wait(runtime.submit("broken", "hi"), timeout_s=wait_s)
    assert run.status == "failed"
    words = "the team 'broken' can't be made: OSError: no such thing."
    assert run.error == {"type": "UsageError", "text": words}
    assert f"failed: UsageError: {words}" in caplog.text


def test_runs_share_a_budget_by_name(working: Any, known: Any, wait_s: float) -> None:
    known("words")(words())
    runtime = working()
    runtime.budget("june", steps=4)
    reasons = []
    for _ in range(2):
        run_id = runtime.submit("words", "hi", budget="june")
        reasons.append(runtime.wait(run_id, timeout_s=wait_s).stop_reason)
    assert reasons == ["max_turns", "budget"]
    assert runtime.budget("june").spent.steps == 4


def test_the_budget_of_a_run_holds_for_all_its_executions(
    working: Any, known: Any, wait_s: float
) -> None:
    known("words")(words(5))
    runtime = working()
    run_id = runtime.submit("words", "hi", budget={"steps": 2})
    run = runtime.wait(run_id, timeout_s=wait_s)
    assert (run.status, run.stop_reason) == ("paused", "budget")
    runtime.resume(run_id)
    assert runtime.wait(run_id, timeout_s=wait_s).stop_reason == "budget"
    runtime.resume(run_id, budget={"steps": 5})
    run = runtime.wait(run_id, timeout_s=wait_s)
    assert (run.stop_reason, run.attempts) == ("max_turns", 3)
    assert said(runtime, run_id)[-1] == "word 10"


def test_a_replay_of_a_team_calls_nothing(working: Any, known: Any, wait_s: float) -> None:
    known("words")(words())
    runtime = working()
    run_id = runtime.submit("words", "hi")
    runtime.wait(run_id, timeout_s=wait_s)
    assert runtime.replay(run_id) == (True, 3, "all 3 recorded steps are the same")
    known("words")  # another function of the same name is another team
    monkey = teams.Team(name="words", make=_other)
    teams._teams["words"] = monkey
    replay = runtime.replay(run_id)
    assert not replay.is_same
    assert "asked for something else" in replay.text


def _other() -> Any:
    chat = words()()
    chat["recipient"].update_system_message("You are somebody else.")
    return chat


def test_a_fork_of_a_team_runs_by_itself(working: Any, known: Any, wait_s: float) -> None:
    known("words")(words())
    runtime = working()
    run_id = runtime.submit("words", "hi")
    runtime.wait(run_id, timeout_s=wait_s)
    at = next(
        event.pos
        for event in runtime.events(run_id)
        if event.type == "message.sent" and event.data["message"]["content"] == "word 2"
    )
    fork = runtime.fork(run_id, at=at, edit="WORD")
    runtime.wait(fork.id, timeout_s=wait_s)
    assert said(runtime, fork.id)[:4] == ["hi", "WORD", "more", "word 4"]
    assert runtime.diff(run_id, fork.id).n_same == 1


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, None])
def test_a_team_needs_a_name_that_can_be_used(known: Any, name: Any) -> None:
    with pytest.raises(UsageError, match="can't be used"):
        known(name)


def test_a_team_without_the_brackets_is_told_what_to_write(known: Any) -> None:
    with pytest.raises(UsageError, match=r'write @autogen.team\("asking"\)'):
        known(asking)


def test_two_teams_of_one_name_are_refused(known: Any) -> None:
    known("words")(words())
    with pytest.raises(UsageError, match="two teams have the name 'words'"):
        known("words")(asking)


def proposing() -> Any:
    """One who proposes code, and one who asks people before it runs it."""
    quiet: Any = {"human_input_mode": "NEVER"}
    coder = ConversableAgent(
        "coder", default_auto_reply="```python\nprint(6 * 7)\n```\n```python\n```", **quiet
    )
    user = UserProxyAgent(
        "user",
        human_input_mode="ALWAYS",
        code_execution_config={"executor": EchoExecutor()},
    )
    return {"sender": user, "recipient": coder}


class EchoExecutor:
    """Prints what it would run."""

    code_extractor = MarkdownCodeExtractor()
    timeout = 5

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        return CodeResult(exit_code=0, output="|".join(block.code for block in code_blocks))

    def restart(self) -> None:
        """Nothing to do."""


def test_an_edited_proposal_is_what_is_executed_and_the_original_is_kept(
    working: Any, known: Any, until: Until, wait_s: float
) -> None:
    known("proposing")(proposing)
    runtime = working()
    run_id = runtime.submit("proposing", "go")
    (question,) = until(runtime.questions)
    assert question.kind == "approve"
    runtime.answer(question.id, Edited("```python\nprint(1)\n```"), by="anna")
    until(lambda: [one for one in runtime.questions() if one.id != question.id])
    events = runtime.events(run_id)
    (edited,) = [event for event in events if event.type == "message.edited"]
    assert edited.data["original"]["content"].startswith("```python\nprint(6 * 7)")
    assert edited.data["message"]["content"] == "```python\nprint(1)\n```"
    (ran,) = [event for event in events if event.type == "code.finished"]
    assert ran.data["output"] == "print(1)"
    (told,) = [event for event in events if event.type == "question.answered"]
    assert told.data["is_edit"] is True
    (next_question,) = runtime.questions()
    with pytest.raises(AlreadyAnswered):
        runtime.answer(question.id, Edited("x"))
    runtime.answer(next_question.id, "exit")
    assert runtime.wait(run_id, timeout_s=wait_s).stop_reason == "human_exit"
    assert runtime.replay(run_id).is_same


def test_only_a_proposal_can_be_edited(
    working: Any, known: Any, until: Until, wait_s: float
) -> None:
    known("asking")(asking)
    runtime = working()
    runtime.submit("asking", "hi")
    (question,) = until(runtime.questions)
    with pytest.raises(UsageError, match="answer it with a text"):
        runtime.answer(question.id, Edited("hello"))


# -- what a worker says of itself


def test_a_sign_of_life_counts_as_long_as_it_says(url: str, known: Any) -> None:
    known("pair")(dict)
    with Runtime(url) as runtime:
        with pytest.raises(UsageError, match=r"the lease is 0\.5 s; give at least 2"):
            runtime.worker(lease_s=0.5)
        with pytest.raises(UsageError, match="the concurrency is 0; give a number"):
            runtime.worker(concurrency=0)
        worker = runtime.worker(lease_s=3600)
        base = worker.database
        base.live()
        elsewhere = f"elsewhere:1:{base.worker_id.rpartition(':')[2]}"
        for worker_id, lease_s in ((base.worker_id, None), (elsewhere, 3600.0)):
            base.store.beat(worker_id, lease_s)
            set_back = sa.update(beats).values(beat_at=beats.c.beat_at - 60)
            with base.store.writing("a beat of a minute ago") as connection:
                connection.execute(set_back.where(beats.c.worker_id == worker_id))
        assert base.store.beats_since(elsewhere, 10), "its own lease counts"
        assert not base.store.beats_since(base.worker_id, 10)
        with pytest.raises(UsageError, match="shows signs of life already"):
            runtime.worker(lease_s=60)


def test_a_worker_has_no_more_chats_at_once_than_it_was_told(
    url: str, known: Any, wait_s: float
) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def slow(request: Any) -> str:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.05)
        with lock:
            now[0] -= 1
        return "done"

    @known("pair")
    def pair() -> Any:
        return {"sender": plain("a"), "recipient": speaker("b", slow), "max_turns": 1}

    runtime = Runtime(url)
    worker = runtime.worker(concurrency=2)
    worker.start()
    try:
        names = [runtime.submit("pair", "hi") for _ in range(8)]
        for name in names:
            assert runtime.wait(name, timeout_s=wait_s).status == "finished"
    finally:
        worker.stop()
        runtime.close()
    assert 1 <= most[0] <= 2
