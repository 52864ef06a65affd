"""Runs told again from their records: nothing is asked, and the first difference is found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.chat.cast import person, plain, speaker, texts

from autogen import Budget, ConversableAgent, RunOptions, Runtime, options
from autogen._durable.database import Database
from autogen._durable.retelling import Replay
from autogen.coding import CodeBlock, LocalCommandLineCodeExecutor
from autogen.errors import ProviderError, ReplayMismatch, UnknownRun
from autogen.runtime.retelling import replaying
from autogen.testing import FakeExecutor, ScriptedModel, call, calls, replay
from autogen.testing.face import Face

BLOCK = "```python\nprint(1)\n```"


class Down(ProviderError):
    """A model service that is not there."""


def program(
    face: Face, replies: Any, *, tasks: tuple[str, ...] = ("one", "two"), turns: int = 2
) -> list[list[Any]]:
    """What a program does: a chat for each task, with a model each; what was said in them."""
    said = []
    for task, script in zip(tasks, replies, strict=True):
        a, b = plain("a", default_auto_reply="more"), speaker("b", script)
        said.append(texts(face.initiate_chat(a, b, message=task, max_turns=turns).chat_history))
    return said


@contextmanager
def ambient(database: str) -> Iterator[None]:
    with options(RunOptions(id="job", durable=True, database=database)):
        yield


def told(database: str, face: Face, **changes: Any) -> Replay:
    """The verdict about a program that lives with whatever its chats raise."""
    with replaying(Database.at(database), "job", takes_any=False) as retelling, ambient(database):
        try:
            program(face, **{"replies": [[], []], **changes})
        except ReplayMismatch:
            pass
        return retelling.verdict()


def test_all_chats_of_a_program_are_told_again(face: Face, database: str) -> None:
    with ambient(database):
        said = program(face, [["1", "2"], ["3", "4"]])
    assert told(database, face) == (True, 4, "all 4 recorded steps are the same")
    with replay("job", database=database):
        assert program(face, [[], []]) == said
    assert [run.attempts for run in Runtime(database).runs()] == [1, 1]


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"tasks": ("one", "three")}, "run 'job/2' began with something else: message was 'two'"),
        ({"tasks": ("one",), "replies": [[]]}, "the chat 'job/2' of the run was not started again"),
        (
            {"tasks": ("one", "two", "three"), "replies": [[], [], []]},
            "the chat 'job/3' is in no record of 'job'",
        ),
        ({"turns": 1}, "run 'job/1' began with something else: max_turns was 2 and is now 1"),
    ],
)
def test_a_program_that_went_another_way_is_told_where(
    face: Face, database: str, changes: dict[str, Any], text: str
) -> None:
    with ambient(database):
        program(face, [["1", "2"], ["3", "4"]])
    verdict = told(database, face, **changes)
    assert not verdict.is_same
    assert text in verdict.text


def test_a_step_that_is_left_out_is_a_difference(face: Face, database: str) -> None:
    def chat(ends: Any, replies: Any = ()) -> None:
        a = plain("a", default_auto_reply="more", is_termination_msg=ends)
        b = speaker("b", list(replies))
        face.initiate_chat(a, b, message="hi", max_turns=3, run=run)

    run = RunOptions(id="run", durable=True, database=database)
    chat(None, ["1", "2", "3"])
    with replay("run", database=database):
        chat(None)
    with (
        pytest.raises(ReplayMismatch, match="the 'model' step 1/2 of run 'run' was not taken"),
        replay("run", database=database),
    ):
        chat(lambda message: message["content"] == "1")
    with (
        pytest.raises(ReplayMismatch, match="the chat 'run' was not started again"),
        replay("run", database=database),
    ):
        pass


def test_whatever_would_ask_somebody_is_refused(face: Face, database: str, tmp_path: Any) -> None:
    ran: list[str] = []

    def tool() -> str:
        ran.append("tool")
        return "done"

    def chat(replies: Any, outputs: Any, run: Any = None) -> None:
        settings = {"executor": FakeExecutor(outputs)}
        user = person(
            "user", ["", "", "exit"][: 3 if outputs else 0], code_execution_config=settings
        )
        user.register_function({"tool": tool})
        face.initiate_chat(user, speaker("b", replies), message="hi", silent=True, run=run)

    recorded = RunOptions(id="run", durable=True, database=database)
    chat([calls(call("tool")), BLOCK, "bye"], ["1\n"], recorded)
    assert ran == ["tool"]
    with replay("run", database=database):
        chat([], [])
        # A further chat, and what happens outside of every chat.
        with pytest.raises(ReplayMismatch, match="a chat is in no record of 'run'"):
            chat([BLOCK], ["1\n"])
        model = ScriptedModel(["never"])
        lone = ConversableAgent("lone", llm_config=model.config(), human_input_mode="NEVER")
        asked = [{"role": "user", "content": "hi"}]
        with pytest.raises(ReplayMismatch, match="a chat is in no record of 'run'"):
            lone.generate_reply(asked)
        with pytest.raises(ReplayMismatch, match="a 'model' step outside of the recorded chats"):
            lone.generate_oai_reply(asked)
        assert lone.client is not None
        with pytest.raises(ReplayMismatch, match="a request to a model outside of a step"):
            lone.client.create(messages=asked)
        executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
        with pytest.raises(ReplayMismatch, match="code that is run outside of a step"):
            executor.execute_code_blocks([CodeBlock(code="print(1)", language="python")])
        with pytest.raises(ReplayMismatch, match="a run that is submitted"):
            Runtime(database).submit("team", "hi")
    assert (ran, model.requests) == (["tool"], [])


def test_threads_that_know_nothing_of_a_replay_are_refused_too(database: str) -> None:
    run = RunOptions(id="run", durable=True, database=database)
    plain("a").initiate_chat(speaker("b", ["1"]), message="hi", max_turns=1, run=run)
    raised: list[BaseException] = []

    def aside() -> None:
        try:
            plain("c").initiate_chat(speaker("d", []), message="hi", max_turns=1)
        except ReplayMismatch as error:
            raised.append(error)

    with replaying(Database.at(database), "run", takes_any=False, is_everywhere=True) as retelling:
        thread = threading.Thread(target=aside)
        thread.start()
        thread.join()
    assert "a chat is in no record of 'run'" in str(raised[0])
    assert retelling.trouble == str(raised[0])


def test_a_chat_that_met_its_limit_is_told_up_to_there(face: Face, database: str) -> None:
    def chat(budget: Any, replies: Any) -> Any:
        run = RunOptions(id="run", durable=True, database=database, budget=budget)
        a, b = plain("a", default_auto_reply="more"), speaker("b", replies)
        return face.initiate_chat(a, b, message="hi", max_turns=4, run=run)

    chat(Budget(steps=2), ["1", "2"])
    with replay("run", database=database):
        result = chat(None, [])
    assert (texts(result.chat_history)[-2:], result.stop_reason) == (["2", "more"], "budget")


def test_a_chat_that_failed_is_told_up_to_there(face: Face, database: str) -> None:
    with pytest.raises(Down), ambient(database):
        program(face, [["1", Down("gone")], []])
    assert told(database, face) == (True, 1, "all 1 recorded steps are the same")


def test_a_mismatch_that_the_program_swallows_is_found_all_the_same(database: str) -> None:
    def chat(replies: Any, words: str) -> None:
        def swallow(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            try:
                inner = speaker("inner", list(replies))
                said = plain("asker").initiate_chat(inner, message=words, max_turns=1)
                return True, said.summary
            except ReplayMismatch:
                return True, "inner"

        a, b = plain("a", default_auto_reply="more"), plain("b")
        b.register_reply([ConversableAgent, None], swallow)
        a.initiate_chat(b, message="hi", max_turns=2, run=run)

    run = RunOptions(id="job", durable=True, database=database)
    chat(["inner"], "hi")
    with replaying(Database.at(database), "job") as retelling:
        chat([], "hi")
    assert retelling.verdict().is_same
    with (
        pytest.raises(ReplayMismatch, match="asked for something else"),
        replay("job", database=database),
    ):
        chat([], "ho")
    with replaying(Database.at(database), "job") as retelling:
        chat([], "ho")
    assert "asked for something else" in retelling.verdict().text


def test_only_what_is_recorded_can_be_told(database: str) -> None:
    with (
        pytest.raises(UnknownRun, match="there is no run 'none'"),
        replay("none", database=database),
    ):
        pass


def test_code_that_is_told_again_names_the_image_it_ran_in(face: Face, database: str) -> None:
    def chat(executor: Any) -> list[Any]:
        found: list[Any] = []

        def run_it(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            found.append(recipient.run_code("print(1)"))
            return True, "done"

        agent = plain("a", code_execution_config={"executor": executor})
        agent.register_reply([ConversableAgent, None], run_it)
        run = RunOptions(id="run", durable=True, database=database)
        face.initiate_chat(plain("b"), agent, message="hi", max_turns=1, run=run)
        return found

    executor = FakeExecutor(["1\n"])
    executor.image_used = "python:3.12"
    assert chat(executor) == [(0, "1\n", "python:3.12")]
    with replay("run", database=database):
        assert chat(FakeExecutor([])) == [(0, "1\n", "python:3.12")]
