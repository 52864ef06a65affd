"""What the words of people stand for."""

from __future__ import annotations

import pytest

from autogen.human.base import Edited
from autogen.server.doors.answers import answer_of
from autogen.store.base import QuestionRecord


def answer(words: str, kind: str) -> str:
    return answer_of(QuestionRecord(id="q", run_id="r", key="k", agent="a", kind=kind), words)


@pytest.mark.parametrize("kind", ["approve", "text"])
def test_commands_mean_the_same_for_every_question(kind: str) -> None:
    assert answer("/approve", kind) == answer("", kind) == answer(" \n", kind) == ""
    assert answer("/stop", kind) == "exit"
    assert answer("/deny too dear", kind) == "Denied: too dear"
    assert answer("/deny", kind) == "Denied: no reason was given"
    edited = answer("/edit print(2)\nprint(3)", kind)
    assert isinstance(edited, Edited)
    assert edited == "print(2)\nprint(3)"


def test_other_words_are_the_answer_itself() -> None:
    assert answer("  Use a table. ", "text") == "Use a table."
    assert answer("yes", "text") == "yes"
    assert answer("/home/me is the folder", "text") == "/home/me is the folder"
    assert answer("use a table", "approve") == "use a table"


def test_plain_words_approve_and_deny() -> None:
    assert [answer(word, "approve") for word in ("yes", "OK.", "Approve!", "y")] == [""] * 4
    assert answer("No.", "approve") == "Denied: no reason was given"
