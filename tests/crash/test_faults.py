"""Faults other than death: a process that stands still, a server that dies, a disk that is full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.crash.audit import marks
from tests.crash.campaigns import N_OPEN, reference
from tests.crash.harness import Harness
from tests.support.postgres import serving

pytestmark = [pytest.mark.timeout(600)]

#: What is said to an execution that somebody else has gone on with.
LOST = ("belongs to another execution by now", "another execution of the run has begun")


def get_under_way(harness: Harness, n: int, *, n_steps: int = 20) -> None:
    """Submit `n` chats, and wait until they have made some calls."""
    before = len(marks(harness.audit, "begin"))
    harness.submit(n)
    harness.wait_for(lambda: len(marks(harness.audit, "begin")) >= before + n_steps)


def test_a_worker_that_stood_still_writes_nothing_into_runs_that_went_on(
    harness: Harness,
) -> None:
    before = reference(harness)
    harness.kill(harness.alive[0])
    frozen = harness.hire(LEASE_S=1.0, IDLE_S=2.0)
    get_under_way(harness, N_OPEN)
    # One that waits for a person has nothing to write when it goes on.
    harness.wait_for(lambda: harness.runs_of(frozen, status="running"))
    harness.stop(frozen)
    assert harness.runs_of(frozen)
    harness.hire(LEASE_S=1.0, IDLE_S=2.0)
    harness.wait_for(lambda: not harness.runs_of(frozen))
    get_under_way(harness, 2)
    harness.go_on(frozen)
    harness.wait_for(lambda: any(words in harness.output for words in LOST))
    harness.wait()
    harness.check(reference=before)


def test_nothing_is_lost_when_the_server_of_the_database_dies(
    tmp_path: Path, require_part: Callable[..., Any]
) -> None:
    with (
        serving(require_part) as server,
        Harness(tmp_path / "harness", server.new_database()) as harness,
    ):
        before = reference(harness)
        harness.staff(2)
        for _ in range(2):
            get_under_way(harness, N_OPEN)
            server.kill()
            server.start()
        harness.wait()
        harness.check(reference=before)


@pytest.fixture
def small_disk(tmp_path: Path, require_part: Callable[..., Any]) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "autogen-crash", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        require_part(
            "a disk that fills up",
            because=f"no tmpfs can be mounted here ({mounted.stderr.strip()})",
            do="run as root with the right to mount",
        )
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def test_workers_go_on_when_there_is_room_on_the_disk_again(
    small_disk: Path, tmp_path: Path
) -> None:
    with Harness(tmp_path / "harness", f"sqlite:///{small_disk}/runs.db") as harness:
        before = reference(harness)
        get_under_way(harness, N_OPEN)
        filler = fill(small_disk)
        harness.wait_for(lambda: "the disk is full" in harness.output)
        filler.unlink()
        harness.wait()
        harness.check(reference=before)


def test_a_program_says_that_the_disk_is_full_and_goes_on_when_it_is_not(
    small_disk: Path, tmp_path: Path
) -> None:
    with Harness(tmp_path / "harness", f"sqlite:///{small_disk}/runs.db") as harness:
        harness.n_questions = 0
        harness.cases = ["case-000", "case-001"]
        for case, message in (("case-000", "Settle case-000."), ("case-001", "Settle case-001.")):
            n_before = len(marks(harness.audit, "begin"))
            order = {"id": case, "form": "founding", "message": message}
            pid = harness.spawn("program", **order)
            if case == "case-001":
                harness.wait_for(lambda n=n_before: len(marks(harness.audit, "begin")) > n + 2)
                filler = fill(small_disk)
                harness.wait_for(lambda pid=pid: harness.exit_code(pid) is not None)
                (error,) = marks(harness.audit, "error")
                assert error["kind"] == "JournalError"
                assert "disk is full" in error["text"]
                filler.unlink()
                pid = harness.spawn("program", **order)
            harness.wait_for(lambda pid=pid: harness.exit_code(pid) is not None)
            assert harness.exit_code(pid) == 0, harness.state()
        harness.check(reference="case-000")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_run_is_finished_by_the_version_that_began_it(harness: Harness) -> None:
    before = reference(harness)
    get_under_way(harness, 2)
    harness.kill(harness.alive[0])
    newer = harness.hire(JOURNAL_VERSION="autogen-journal-2")
    harness.wait_for(lambda: {harness.runtime.run(c).status for c in harness.open} == {"queued"})
    steps = len(marks(harness.audit, "begin"))
    attempts = [harness.runtime.run(case).attempts for case in harness.open]
    looks = iter(range(40))
    harness.wait_for(lambda: next(looks, None) is None)
    assert len(marks(harness.audit, "begin")) == steps
    assert [harness.runtime.run(case).attempts for case in harness.open] == attempts
    harness.hire()
    harness.wait()
    assert newer in harness.alive
    harness.check(reference=before)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_program_of_another_version_says_so(harness: Harness) -> None:
    order = {"id": "case-000", "form": "founding", "message": "Settle case-000."}
    pid = harness.spawn("program", **order)
    harness.wait_for(lambda: marks(harness.audit, "begin"))
    harness.kill_pid(pid)
    pid = harness.spawn("program", constants={"JOURNAL_VERSION": "autogen-journal-2"}, **order)
    harness.wait_for(lambda: harness.exit_code(pid) is not None)
    (error,) = marks(harness.audit, "error")
    assert error["kind"] == "JournalError"
    assert "Finish it with that version" in error["text"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_chat_that_kills_every_worker_is_given_up(harness: Harness) -> None:
    run_id = harness.runtime.submit("killer", "Strike.", id="case-000")
    harness.hire(MOST_DEATHS=4)

    def is_dead() -> bool:
        if not harness.alive:
            harness.hire(MOST_DEATHS=4)
        return harness.runtime.run(run_id).status == "dead"

    harness.wait_for(is_dead)
    record = harness.runtime.run(run_id)
    assert record.attempts == len(marks(harness.audit, "struck")) == 4
    assert record.error is not None
    assert "4 workers in a row died" in record.error["text"]
    assert record.owner is None


@pytest.mark.parametrize("point", ["submit: between row and queue", "submit: queued"])
def test_what_was_submitted_is_run_though_whoever_submitted_it_died(
    harness: Harness, point: str
) -> None:
    before = reference(harness)
    harness.cases.append("case-001")
    pid = harness.spawn(
        "submit", point=point, team="crash", message="Settle case-001.", id="case-001"
    )
    harness.wait_for(lambda: harness.exit_code(pid) == -9)
    harness.wait()
    harness.check(reference=before)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_steps_side_by_side_without_an_order_are_refused(harness: Harness) -> None:
    """The negative control: the harness sees it when results can belong to other steps."""
    (before,) = harness.submit(1, team="raw")
    harness.staff(1)
    harness.wait()
    harness.submit(N_OPEN, team="raw")
    for _ in range(6):
        if not harness.open:
            break
        worker = harness.alive[0] if harness.alive else harness.hire()
        n = len(marks(harness.audit, "begin"))
        harness.wait_for(
            lambda n=n: len(marks(harness.audit, "begin")) > n + 25 or not harness.open
        )
        harness.kill(worker)
    harness.staff(1)
    harness.wait()
    faults = list(harness.faults(before))
    assert any("is failed" in fault and "ReplayMismatch" in fault for fault in faults), faults
