"""Runs: made once, claimed by one, listed, pruned; signs of life by the clock of the database."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from autogen.errors import RunLost, UnknownRun, UsageError
from autogen.events import Event
from autogen.human.base import Question
from autogen.store.asking import Questions
from autogen.store.base import RunRecord
from autogen.store.sql import SqlStore
from autogen.store.tables import beats, events, runs

REQUEST = {"message": "hé \ud83d \0", "agents": [{"name": "a"}], "max_turns": 2**70}


def aged(store: SqlStore, run_id: str, seconds: float) -> None:
    """Have a run look as if it was made and changed so long ago."""
    then = {"created_at": runs.c.created_at - seconds, "updated_at": runs.c.updated_at - seconds}
    with store.writing("the age of a run") as connection:
        connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**then))


def test_a_run_is_made_once(store: SqlStore) -> None:
    asked = RunRecord(id="r", team="t", request=REQUEST, priority=3, edits={"k": "\0"})
    made, is_new = store.create_run(asked)
    again, is_new_again = store.create_run(RunRecord(id="r", request={"other": 1}))
    assert (is_new, is_new_again) == (True, False)
    assert made == again == store.run("r")
    assert (made.request, made.team, made.priority, made.edits) == (REQUEST, "t", 3, {"k": "\0"})
    assert (made.status, made.attempts, made.owner) == ("queued", 0, None)


def test_times_are_of_the_database_aware_and_in_utc(store: SqlStore) -> None:
    made, _ = store.create_run(RunRecord(id="r"))
    assert made.created_at is not None
    assert made.created_at.tzinfo is UTC
    assert made.created_at == made.updated_at
    assert abs(datetime.now(UTC) - made.created_at) < timedelta(minutes=1)


def test_an_unknown_run_is_named(store: SqlStore) -> None:
    with pytest.raises(UnknownRun, match=r"no run 'nobody' in .*`autogen runs` lists"):
        store.run("nobody")
    with pytest.raises(UnknownRun):
        store.wish("nobody", "cancel")
    assert store.claim("nobody", "w:1:a/1", expected=None) is None


@pytest.mark.parametrize("name", ["a\0b", "a\ud83d"])
def test_a_name_that_databases_do_not_keep_is_refused(store: SqlStore, name: str) -> None:
    with pytest.raises(UsageError, match="use another name"):
        store.create_run(RunRecord(id=name))
    with pytest.raises(UsageError, match="use another name"):
        store.create_run(RunRecord(id="r", team=name))


def test_odd_but_honest_names_are_kept(store: SqlStore) -> None:
    for name in ("é 🎉", "'; drop table x; --", "%s :a ?", "a" * 2000):
        store.create_run(RunRecord(id=name, team=name))
        assert store.run(name).team == name


def test_one_of_many_claims_a_run(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r"))
    won: list[RunRecord] = []
    go = threading.Barrier(8)

    def claim(n: int) -> None:
        go.wait(5)
        found = store.claim("r", f"w:{n}:a/1", expected=None)
        if found is not None:
            won.append(found)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (winner,) = won
    assert winner == store.run("r")
    assert (winner.status, winner.attempts) == ("running", 1)


def test_a_claim_wants_the_owner_it_expects(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r"))
    assert store.claim("r", "w:1:a/1", expected="w:9:z/1") is None
    assert store.claim("r", "w:1:a/1", expected=None) is not None
    assert store.claim("r", "w:2:b/1", expected=None) is None
    taken = store.claim("r", "w:2:b/1", expected="w:1:a/1")
    assert taken is not None
    assert (taken.owner, taken.attempts) == ("w:2:b/1", 2)
    store.update("r", "w:2:b/1", status="finished", leave=True)
    assert store.claim("r", "w:3:c/1", expected=None) is None


def test_what_the_owner_changes_is_kept_and_nobody_else_changes_it(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r"))
    store.claim("r", "w:1:a/1", expected=None)
    result = {"summary": "\0 é", "cost": {"usd": 0.25}}
    store.update("r", "w:1:a/1", status="failed", result=result, error={"type": "E", "text": "x"})
    assert store.run("r").result == result
    store.update("r", "w:1:a/1", error=None, leave=True)
    found = store.run("r")
    assert (found.error, found.owner, found.status) == (None, None, "failed")
    with pytest.raises(RunLost):
        store.update("r", "w:1:a/1", status="finished")


# -- lists -----------------------------------------------------------------------------------------


def test_pages_of_runs_come_newest_first_and_leave_none_out(store: SqlStore) -> None:
    names = [f"r{n:02}" for n in range(23)]
    for n, name in enumerate(names):
        store.create_run(RunRecord(id=name, team="even" if n % 2 == 0 else None))
        # Runs of the same moment are told apart by their ids.
        aged(store, name, 1000 - n // 5)
    with store.writing("times") as connection:
        rows = connection.execute(sa.select(runs.c.id, runs.c.created_at)).all()
        at = {row.id: row.created_at for row in rows}
        for n, name in enumerate(names):
            same = at[names[n - n % 5]]
            connection.execute(sa.update(runs).where(runs.c.id == name).values(created_at=same))
    found: list[str] = []
    while page := store.runs(after=found[-1] if found else None, limit=4):
        found += [record.id for record in page]
        # One that comes in between is newer, and on no later page.
        store.create_run(RunRecord(id=f"late {len(found)}"))
    assert found == names[::-1]
    assert [one.id for one in store.runs(team="even", limit=3)] == ["r22", "r20", "r18"]
    assert store.runs(status="running") == []
    with pytest.raises(UnknownRun, match="no run 'gone'"):
        store.runs(after="gone")


# -- wishes ----------------------------------------------------------------------------------------


def test_a_wish_reaches_who_has_the_run(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r"))
    store.claim("r", "w:1:a/1", expected=None)
    assert store.wish("r", "cancel").wish == "cancel"
    assert store.wishes("w:1:a") == {"r": "cancel"}
    assert store.wishes("w:2:b") == {}
    # Whoever takes it up next has not been asked to stop.
    taken = store.claim("r", "w:2:b/1", expected="w:1:a/1")
    assert taken is not None
    assert taken.wish is None


@pytest.mark.parametrize("wish, status", [("cancel", "cancelled"), ("pause", "paused")])
def test_a_run_that_nobody_has_stops_at_once(store: SqlStore, wish: Any, status: str) -> None:
    store.create_run(RunRecord(id="r"))
    assert store.wish("r", wish).status == status


def test_a_run_that_is_over_cannot_be_stopped(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r"))
    store.claim("r", "w:1:a/1", expected=None)
    store.update("r", "w:1:a/1", status="finished", leave=True)
    assert (store.wish("r", "cancel").wish, store.run("r").status) == (None, "finished")


# -- signs of life ---------------------------------------------------------------------------------


def test_signs_of_life_go_by_the_clock_of_the_database(store: SqlStore) -> None:
    assert not store.beats_since("w", 60)
    store.beat("w")
    store.beat("w")
    assert store.beats_since("w", 60)
    with store.writing("a sign of life") as connection:
        connection.execute(sa.update(beats).values(beat_at=beats.c.beat_at - 30))
    assert not store.beats_since("w", 10)
    assert store.beats_since("w", 60)
    store.beat("w")
    assert store.beats_since("w", 10)
    store.leave("w")
    assert not store.beats_since("w", 60)


def test_runs_of_a_worker_that_died_are_found_and_queued_again_by_one(store: SqlStore) -> None:
    for name, team in (("r", "t"), ("s", "t"), ("program", None)):
        store.create_run(RunRecord(id=name, team=team))
        store.claim(name, f"w:1:a/{name}", expected=None)
    store.update("s", "w:1:a/s", status="waiting")
    assert store.workers_with_runs() == ["w:1:a"]
    assert sorted(record.id for record in store.runs_of("w:1:a")) == ["r", "s"]
    queued = [store.requeue("r", expected="w:1:a/r") for _ in range(2)]
    assert queued[1] is None
    assert queued[0] is not None
    assert (queued[0].status, queued[0].owner, queued[0].attempts) == ("queued", None, 1)
    with pytest.raises(RunLost):
        store.update("r", "w:1:a/r", status="finished")
    assert store.waiting_for_workers(60) == []
    aged(store, "r", 120)
    assert [record.id for record in store.waiting_for_workers(60)] == ["r"]


def test_a_run_that_is_given_up_says_why(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r", team="t"))
    store.claim("r", "w:1:a/1", expected=None)
    store.give_up("r", expected="w:9:z/1", text="no")
    assert store.run("r").status == "running"
    store.give_up("r", expected="w:1:a/1", text="it takes everybody down")
    found = store.run("r")
    assert (found.status, found.owner) == ("dead", None)
    assert found.error == {"type": "WorkerDied", "text": "it takes everybody down"}


def test_who_claims_a_queued_run_has_the_number_of_its_execution(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r", team="t"))
    assert store.claim("r", "w:1:a/1", expected=None, attempt=2) is None
    taken = store.claim("r", "w:1:a/1", expected=None, attempt=1)
    assert taken is not None
    assert (taken.attempts, taken.owner) == (1, "w:1:a/1")
    # The same job once more, and a job of a run that is not queued.
    assert store.claim("r", "w:2:b/1", expected=None, attempt=1) is None
    store.update("r", "w:1:a/1", status="failed", leave=True)
    assert store.claim("r", "w:2:b/1", expected=None, attempt=2) is None


def test_the_number_of_an_execution_that_never_claims_its_run_is_skipped_once(
    store: SqlStore,
) -> None:
    store.create_run(RunRecord(id="r", team="t"))
    skipped = [store.skip("r", 1) for _ in range(2)]
    assert [one and one.attempts for one in skipped] == [1, None]
    assert store.claim("r", "w:1:a/1", expected=None, attempt=1) is None
    assert store.claim("r", "w:1:a/1", expected=None, attempt=2) is not None
    # It was claimed after all.
    assert store.skip("r", 2) is None
    assert store.skip("r", 3) is None


def test_a_sign_of_life_from_the_future_is_none(store: SqlStore) -> None:
    """A clock that was set back must not have dead workers live until it has caught up."""
    store.beat("w")
    store.create_run(RunRecord(id="r", team="t"))
    assert store.waiting_for_workers(60) == []
    aged(store, "r", -3600)
    with store.writing("a sign of life") as connection:
        connection.execute(sa.update(beats).values(beat_at=beats.c.beat_at + 3600))
    assert not store.beats_since("w", 10)
    assert [record.id for record in store.waiting_for_workers(60)] == ["r"]
    store.beat("w")
    assert store.beats_since("w", 10)


@pytest.mark.parametrize("wish, status", [("cancel", "cancelled"), ("pause", "paused")])
def test_what_was_wished_of_a_run_outlives_its_worker(
    store: SqlStore, wish: Any, status: str
) -> None:
    for name in ("dies", "parks"):
        store.create_run(RunRecord(id=name, team="t"))
        store.claim(name, f"w:1:a/{name}", expected=None)
        store.wish(name, wish)
    stopped = store.requeue("dies", expected="w:1:a/dies")
    store.update("parks", "w:1:a/parks", status="waiting", leave=True)
    for found in (stopped, store.run("parks")):
        assert found is not None
        assert (found.status, found.stop_reason, found.owner) == (status, "cancelled", None)
    again = store.requeue("dies", expected=None, status=status)
    assert again is not None
    assert (again.status, again.wish) == ("queued", None)


def test_a_parked_run_that_is_cancelled_asks_nobody_any_more(
    store: SqlStore, questions: Questions
) -> None:
    question = Question(id="q", run_id="r", key="1", agent="a", kind="text", prompt="?")
    store.create_run(RunRecord(id="r", team="t"))
    store.claim("r", "w:1:a/1", expected=None)
    questions.put(question)
    store.update("r", "w:1:a/1", status="waiting", leave=True)
    store.wish("r", "cancel")
    assert questions.questions() == []
    store.requeue("r", expected=None, status="cancelled")
    store.claim("r", "w:1:a/2", expected=None)
    assert questions.put(question).status == "open"


def test_a_name_that_no_index_takes_is_refused(store: SqlStore) -> None:
    with pytest.raises(UsageError, match="is 3,000 bytes long; use one of at most 2,000"):
        store.create_run(RunRecord(id="é" * 1500))


# -- retention -------------------------------------------------------------------------------------


def test_old_runs_go_with_everything_that_belongs_to_them(
    store: SqlStore, questions: Questions
) -> None:
    for name in ("old", "young", "live"):
        store.create_run(RunRecord(id=name))
        store.claim(name, f"w:1:{name}/1", expected=None)
        store.append(name, f"w:1:{name}/1", [(Event(type="run.started", run_id=name, key="1"), 0)])
        questions.put(
            Question(id=f"q {name}", run_id=name, key="1", agent="a", kind="text", prompt="?")
        )
        if name != "live":
            store.update(name, f"w:1:{name}/1", status="finished", leave=True)
    for name in ("old", "live"):
        aged(store, name, 5000)
    for name in ("gone", "w:1:live"):
        store.beat(name)
    with store.writing("signs of life") as connection:
        connection.execute(sa.update(beats).values(beat_at=beats.c.beat_at - 5000))
    assert [record.id for record in store.prune(3600)] == ["old"]
    assert sorted(record.id for record in store.runs()) == ["live", "young"]
    assert sorted(one.run_id for one in questions.questions(status=None)) == ["live", "young"]
    with store.reading("what is left") as connection:
        left = connection.execute(sa.select(events.c.run_id)).scalars()
        assert sorted(left) == ["live", "young"]
        # Of the live run it is still to be seen when its process was last heard of.
        assert list(connection.execute(sa.select(beats.c.worker_id)).scalars()) == ["w:1:live"]
    assert store.prune(3600) == []


def test_a_run_stays_as_long_as_those_that_were_forked_from_it(store: SqlStore) -> None:
    store.create_run(RunRecord(id="parent", status="finished"))
    store.create_run(RunRecord(id="child", status="finished", forked_from="parent", forked_at=3))
    aged(store, "parent", 5000)
    assert store.prune(3600) == []
    aged(store, "child", 5000)
    assert [record.id for record in store.prune(3600)] == ["child"]
    assert [record.id for record in store.prune(3600)] == ["parent"]


def test_what_a_prune_that_was_killed_left_behind_goes_with_the_next_one(store: SqlStore) -> None:
    store.create_run(RunRecord(id="old", status="failed", attempts=2))
    aged(store, "old", 5000)

    def dies(record: RunRecord) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        store.prune(3600, forget=dies)
    # Its log may be gone: nobody goes on with it.
    assert store.claim("old", "w:1:a/1", expected=None) is None
    forgotten: list[tuple[str, int]] = []
    store.prune(3600, forget=lambda record: forgotten.append((record.id, record.attempts)))
    assert (forgotten, store.runs()) == ([("old", 2)], [])


# -- a process that is killed ----------------------------------------------------------------------

KILLED = """
import os, signal, sys
from autogen.events import Event
from autogen.store.base import RunRecord
from autogen.store.sql import SqlStore

store = SqlStore(sys.argv[1])
store.create_run(RunRecord(id="r"))
store.claim("r", "w:1:a/1", expected=None)
for n in range(50):
    event = Event(type="message.sent", run_id="r", key=str(n), data={"text": "x" * 2000})
    store.append("r", "w:1:a/1", [(event, n)])
    print(n, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_takes_nothing_with_it_that_was_written(
    store: SqlStore, database_url: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, database_url], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == -9, done.stderr
    said = [int(line) for line in done.stdout.split()]
    assert said == list(range(50))
    assert store.verify("r")[:2] == (True, 50)
    taken = store.claim("r", "w:2:b/1", expected="w:1:a/1")
    assert taken is not None
