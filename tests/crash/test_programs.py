"""A program with a durable chat is killed, and run again until it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.audit import marks
from tests.crash.harness import Harness

pytestmark = [pytest.mark.timeout(300)]

FORMS = ("sync", "async", "founding")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def programs(harness: Harness) -> Iterator[Harness]:
    harness.n_questions = 0
    return harness


def run(harness: Harness, case: str, form: str, *, message: str = "") -> int:
    """One run of the program; how it ended."""
    pid = start(harness, case, form, message=message)
    harness.wait_for(lambda: harness.exit_code(pid) is not None)
    code = harness.exit_code(pid)
    assert code is not None
    return code


def start(harness: Harness, case: str, form: str, *, message: str = "", code_s: float = 0.0) -> int:
    return harness.spawn(
        "program",
        id=case,
        form=form,
        message=message or f"Settle {case}.",
        environment={"CRASH_CODE_S": str(code_s)},
    )


def killed_in_mid_run(harness: Harness, case: str, form: str) -> bool:
    """Whether the program could be killed a few calls further on, before it was done."""
    n_calls = len(marks(harness.audit, "begin")) + harness.random.randint(1, 4)
    pid = start(harness, case, form)

    def is_there() -> bool:
        is_over = harness.exit_code(pid) is not None
        return is_over or len(marks(harness.audit, "begin")) >= n_calls

    harness.wait_for(is_there, step_s=0.001)
    time.sleep(harness.random.uniform(0, 0.03))
    harness.kill_pid(pid)
    return harness.exit_code(pid) == -9


@pytest.mark.parametrize("form", FORMS)
def test_a_program_that_is_run_again_until_it_is_done_ends_as_if_undisturbed(
    programs: Harness, form: str, is_long: bool
) -> None:
    programs.cases = ["case-000", "case-001", "case-002"]
    assert run(programs, "case-000", form) == 0, programs.state()
    n_kills = 0
    for case in programs.cases[1:]:
        for _ in range(12 if is_long else 5):
            n_kills += killed_in_mid_run(programs, case, form)
        assert run(programs, case, form) == 0, programs.state()
    assert n_kills >= 5
    programs.check(reference="case-000")
    results = {line["case"]: line["history"] for line in marks(programs.audit, "result")}
    plain = {str(history).replace(case, "CASE") for case, history in results.items()}
    assert len(results) == 3
    assert len(plain) == 1


def test_a_program_that_is_run_once_more_is_told_the_same_and_calls_nothing(
    programs: Harness,
) -> None:
    assert run(programs, "case-000", "founding") == 0, programs.state()
    n_calls = len(marks(programs.audit, "begin"))
    assert run(programs, "case-000", "founding") == 0, programs.state()
    first, second = marks(programs.audit, "result")
    assert first["history"] == second["history"]
    assert len(marks(programs.audit, "begin")) == n_calls


def test_two_programs_cannot_run_one_chat_at_the_same_time(programs: Harness) -> None:
    first = start(programs, "case-000", "founding", code_s=0.5)
    programs.wait_for(lambda: marks(programs.audit, "begin"))
    assert run(programs, "case-000", "founding") != 0
    (error,) = marks(programs.audit, "error")
    assert error["kind"] == "RunBusy"
    programs.wait_for(lambda: programs.exit_code(first) is not None)
    assert programs.exit_code(first) == 0, programs.state()


@pytest.mark.parametrize(
    "form, message", [("founding", "Settle case-000 otherwise."), ("sync", "Settle case-000.")]
)
def test_a_run_does_not_go_on_with_another_message_or_other_agents(
    programs: Harness, form: str, message: str
) -> None:
    pid = start(programs, "case-000", "founding")
    programs.wait_for(lambda: marks(programs.audit, "begin"))
    programs.kill_pid(pid)
    assert run(programs, "case-000", form, message=message) != 0
    (error,) = marks(programs.audit, "error")
    assert error["kind"] == "ReplayMismatch"
    assert run(programs, "case-000", "founding") == 0, programs.state()
