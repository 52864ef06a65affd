"""Forks of one of the chats of a program: the program is run with another id, and goes on there."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts

from autogen import RunOptions, Runtime, options
from autogen.errors import UsageError
from autogen.testing import ScriptedModel
from autogen.testing.face import Face


def program(face: Face, database: str, replies: list[Any], *, id: str = "job") -> list[list[Any]]:
    """Three chats, one after the other; what was said in them."""
    said = []
    model = ScriptedModel(replies).config()
    with options(RunOptions(id=id, durable=True, database=database)):
        for task in ("one", "two", "three"):
            a, b = plain("a", default_auto_reply="more"), plain("b", llm_config=model)
            chat = face.initiate_chat(a, b, message=task, max_turns=2, silent=True)
            said.append(texts(chat.chat_history))
    return said


def pos_of(runtime: Runtime, run_id: str, words: str) -> int:
    (found,) = [
        event.pos or 0
        for event in runtime.events(run_id)
        if event.type == "message.sent" and event.data["message"]["content"] == words
    ]
    return found


def test_what_came_before_the_fork_is_not_paid_again(face: Face, database: str) -> None:
    before = program(face, database, ["1", "2", "3", "4", "5", "6"])
    runtime = Runtime(database)
    fork = runtime.fork("job/2", at=pos_of(runtime, "job/2", "3"), edit="THREE", id="other")
    assert (fork.id, fork.forked_from) == ("other/2", "job/2")
    said = program(face, database, ["four", "five", "six"], id="other")
    assert said == [
        before[0],
        ["two", "THREE", "more", "four"],
        ["three", "five", "more", "six"],
    ]
    assert {run.status for run in runtime.runs()} == {"finished"}
    assert program(face, database, [], id="other") == said
    again = runtime.fork("other/2", at=pos_of(runtime, "other/2", "four"), id="third")
    assert again.id == "third/2"
    assert program(face, database, ["V", "VI"], id="third")[:2] == said[:2]


def test_a_fork_without_a_name_gets_one_that_a_program_can_be_run_with(
    face: Face, database: str
) -> None:
    program(face, database, ["1", "2", "3", "4", "5", "6"])
    runtime = Runtime(database)
    name, _, number = runtime.fork("job/3", at=pos_of(runtime, "job/3", "6")).id.rpartition("/")
    assert (number, "/" in name) == ("3", False)
    assert program(face, database, [], id=name)[2] == ["three", "5", "more", "6"]


def test_the_id_of_another_program_is_taken(face: Face, database: str) -> None:
    program(face, database, ["1", "2", "3", "4", "5", "6"])
    runtime = Runtime(database)
    with pytest.raises(UsageError, match="there is a run 'job/1' already"):
        runtime.fork("job/2", at=1, id="job")
    assert len(runtime.runs()) == 3


def test_a_run_that_was_named_by_hand_keeps_the_name_of_its_fork(database: str) -> None:
    run = RunOptions(id="chat/2", durable=True, database=database)
    plain("a").initiate_chat(speaker("b", ["1"]), message="hi", max_turns=1, silent=True, run=run)
    assert Runtime(database).fork("chat/2", at=1, id="other").id == "other"
