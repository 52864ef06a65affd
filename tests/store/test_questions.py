"""Questions: asked once, answered once, from any process; those that nobody answers expire."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from autogen.errors import AlreadyAnswered, QuestionExpired, UnknownQuestion
from autogen.human.base import Question
from autogen.store.asking import Questions
from autogen.store.base import RunRecord
from autogen.store.sql import SqlStore
from autogen.store.tables import questions as table


def question(id: str = "q", **changes: Any) -> Question:
    values: dict[str, Any] = {"run_id": "r", "key": "0.3", "agent": "user", "kind": "text"}
    return Question(id=id, **{**values, "prompt": "Go on?", **changes})


@pytest.fixture(autouse=True)
def _run(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r"))
    store.claim("r", "w:1:a/1", expected=None)


def test_a_question_asked_again_is_the_same_one(store: SqlStore, questions: Questions) -> None:
    schema = {"type": "object", "x": "\ud83d"}
    first = questions.put(question(schema=schema, prompt="A\0é?", default="d", kind="approve"))
    again = questions.put(question(prompt="another"))
    assert first == again == questions.question("q")
    assert (first.prompt, first.schema, first.default) == ("A\0é?", schema, "d")
    assert (first.status, first.answer, first.kind) == ("open", None, "approve")
    assert first.asked_at is not None
    assert questions.questions() == [first]


def test_the_first_answer_counts(questions: Questions) -> None:
    questions.put(question())
    answered = questions.answer("q", "yes \0 \ud83d", by="ann")
    assert (answered.status, answered.answer) == ("answered", "yes \0 \ud83d")
    assert answered.answered_by == "ann"
    assert answered.answered_at is not None
    with pytest.raises(AlreadyAnswered, match="'q' was answered by ann before"):
        questions.answer("q", "no")
    assert questions.put(question()) == answered
    assert questions.questions() == []
    assert questions.questions(status="answered") == [answered]


def test_of_many_that_answer_at_once_one_is_heard(questions: Questions) -> None:
    questions.put(question())
    went: list[str] = []
    go = threading.Barrier(8)

    def answer(name: str) -> None:
        go.wait(5)
        try:
            went.append(str(questions.answer("q", name).answer))
        except AlreadyAnswered:
            pass

    threads = [threading.Thread(target=answer, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert went == [questions.question("q").answer]


def test_an_empty_answer_is_an_answer(questions: Questions) -> None:
    questions.put(question())
    questions.answer("q", "")
    assert questions.answered(["q"])["q"].answer == ""


def test_who_answers_may_have_any_name(questions: Questions) -> None:
    questions.put(question(agent="\0 \ud83d"))
    assert questions.question("q").agent == "\ufffd \ufffd"
    assert questions.answer("q", "yes", by="a\0b\udc00é🎉").answered_by == "a\ufffdb\ufffdé🎉"


def test_an_unknown_question_is_named(questions: Questions) -> None:
    for act in (questions.question, questions.withdraw, lambda name: questions.answer(name, "x")):
        with pytest.raises(UnknownQuestion, match="no question 'nobody'"):
            act("nobody")


def test_many_that_wait_are_looked_after_at_once(questions: Questions) -> None:
    ids = [f"q{n}" for n in range(1200)]
    with questions._store.writing("many questions") as connection:
        row = {"run_id": "r", "key": "1", "agent": "a", "kind": "text", "prompt": '"?"'}
        rows = [{**row, "id": name, "status": "open", "asked_at": 1.0} for name in ids]
        connection.execute(sa.insert(table), rows)
    assert questions.answered(ids) == {}
    questions.answer("q7", "seven")
    questions.answer("q1100", "more")
    found = questions.answered([*ids, "nobody"])
    assert {name: one.answer for name, one in found.items()} == {"q7": "seven", "q1100": "more"}
    assert questions.answered([]) == {}


# -- in time ---------------------------------------------------------------------------------------


def test_a_question_whose_time_is_over_takes_its_default_or_none(questions: Questions) -> None:
    over = time.time() - 10
    questions.put(question("with", deadline_at=over, default="no"))
    questions.put(question("without", deadline_at=over))
    questions.put(question("open", deadline_at=time.time() + 1000))
    questions.expire()
    found = questions.answered(["with", "without", "open"])
    told = {name: (one.status, one.answer) for name, one in found.items()}
    assert told == {"with": ("expired", "no"), "without": ("expired", None)}
    assert [one.id for one in questions.questions()] == ["open"]
    questions.expire()


def test_an_answer_that_comes_too_late_is_refused(questions: Questions) -> None:
    """Also where nobody has looked at the deadline yet."""
    questions.put(question(deadline_at=time.time() - 10))
    with pytest.raises(QuestionExpired, match="its time is over"):
        questions.answer("q", "yes")
    questions.expire()
    with pytest.raises(QuestionExpired, match="its time is over"):
        questions.answer("q", "yes")


def test_a_question_that_was_withdrawn_is_open_again_once_it_is_asked(
    questions: Questions,
) -> None:
    questions.put(question())
    questions.withdraw("q")
    with pytest.raises(QuestionExpired, match="nobody waits for it"):
        questions.answer("q", "yes")
    assert questions.put(question()).status == "open"
    questions.answer("q", "yes")
    questions.withdraw("q")
    assert questions.question("q").status == "answered"


# -- what it does to the run -----------------------------------------------------------------------


def test_a_run_waits_as_long_as_one_of_its_questions_is_open(
    store: SqlStore, questions: Questions
) -> None:
    questions.put(question("1"))
    questions.put(question("2", deadline_at=time.time() - 1))
    assert store.run("r").status == "waiting"
    questions.answer("1", "x")
    assert store.run("r").status == "waiting"
    questions.expire()
    assert store.run("r").status == "running"
    questions.put(question("3"))
    assert store.run("r").status == "waiting"
    questions.withdraw("3")
    assert store.run("r").status == "running"


def test_a_question_changes_nothing_in_a_run_that_stopped(
    store: SqlStore, questions: Questions
) -> None:
    questions.put(question())
    store.update("r", "w:1:a/1", status="paused", leave=True)
    questions.answer("q", "x")
    assert store.run("r").status == "paused"
