"""Events: numbered, chained, written once, refused from who lost the run."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from autogen.errors import JournalError, RunLost, UnknownRun
from autogen.events import Event
from autogen.store.base import RunRecord
from autogen.store.sql import SqlStore
from autogen.store.tables import events, runs


def said(key: str, text: str = "hi", **data: Any) -> tuple[Event, int]:
    """An event, after seven steps."""
    data = {"message": {"role": "user", "content": text}, **data}
    return Event(type="message.sent", run_id="r", key=key, at=1.5, agent="a", data=data), 7


def claimed(store: SqlStore, run_id: str = "r") -> str:
    store.create_run(RunRecord(id=run_id))
    owner = f"worker:1:a/{run_id}"
    assert store.claim(run_id, owner, expected=None) is not None
    return owner


def test_several_events_are_one_statement(store: SqlStore) -> None:
    """A process that stands still between two would keep its run locked on Postgres."""
    owner, n_rows = claimed(store), list[int]()

    def executed(*told: Any) -> None:
        if told[2].startswith(f"INSERT INTO {events.name}"):
            n_rows.append(told[2].count("), (") + 1)

    sa.event.listen(store._engine, "before_cursor_execute", executed)
    store.append("r", owner, [said("1"), said("2"), said("3")])
    # SQLite, in this process, takes them one by one.
    assert n_rows == [3 if store.url.startswith("postgres") else 1]


def test_events_are_numbered_from_one_in_their_run(store: SqlStore) -> None:
    owner, other = claimed(store), claimed(store, "s")
    first = store.append("r", owner, [said("1"), said("2")])
    store.append("s", other, [said("1")])
    second = store.append("r", owner, [said("3")])
    assert [event.pos for event in first + second] == [1, 2, 3]
    assert store.events("r") == first + second
    assert store.events("r", after=1, limit=1) == first[1:]
    assert [event.pos for event in store.events("s")] == [1]


def test_an_event_knows_how_many_steps_came_before_it(store: SqlStore) -> None:
    owner = claimed(store)
    written = store.append("r", owner, [said("1"), said("2")])
    assert store.event_at("r", 2) == (written[1], 7)
    with pytest.raises(UnknownRun, match="run 'r' has no event 3; its events are 1 to 2"):
        store.event_at("r", 3)
    with pytest.raises(UnknownRun, match="there is no run 'nobody'"):
        store.event_at("nobody", 1)


def test_a_replay_writes_no_event_twice(store: SqlStore) -> None:
    owner = claimed(store)
    store.append("r", owner, [said("1"), said("2")])
    written = store.append("r", owner, [said("1"), said("2"), said("3"), said("3")])
    assert [(event.pos, event.key) for event in written] == [(3, "3")]
    assert store.append("r", owner, [said("2")]) == []
    assert store.append("r", owner, []) == []
    assert store.verify("r") == (True, 3, None, "all 3 events are as they were written")


def test_who_lost_the_run_writes_nothing_more(store: SqlStore) -> None:
    """A process that was stopped for a while and goes on must not write into what moved on."""
    owner = claimed(store)
    store.append("r", owner, [said("1")])
    assert store.claim("r", "worker:2:b/x", expected=owner) is not None
    with pytest.raises(RunLost, match="'r' belongs to another execution by now"):
        store.append("r", owner, [said("2")])
    with pytest.raises(RunLost):
        store.update("r", owner, status="finished")
    store.append("r", "worker:2:b/x", [said("2", "mine")])
    assert [event.key for event in store.events("r")] == ["1", "2"]
    assert store.run("r").status == "running"
    with pytest.raises(RunLost):
        store.append("nobody's", owner, [said("1")])


def test_two_executions_that_write_at_once_leave_one_chain(store: SqlStore) -> None:
    """The loser is refused in the middle of its writing, and the chain stays whole."""
    owner = claimed(store)
    go, lost = threading.Barrier(2), []

    def write() -> None:
        go.wait(5)
        try:
            for n in range(200):
                store.append("r", owner, [said(f"old {n}")])
        except RunLost as error:
            lost.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    go.wait(5)
    assert store.claim("r", "w:2:b/x", expected=owner) is not None
    for n in range(20):
        store.append("r", "w:2:b/x", [said(f"new {n}")])
    thread.join(20)
    assert lost
    verdict = store.verify("r")
    assert verdict.is_whole
    keys = [str(event.key) for event in store.events("r")]
    assert keys[-20:] == [f"new {n}" for n in range(20)]
    assert len(keys) == verdict.n_events < 220


def test_chats_in_many_threads_do_not_lock_each_other_out(store: SqlStore) -> None:
    owners = {f"r{n}": claimed(store, f"r{n}") for n in range(16)}
    failed: list[Exception] = []

    def write(run_id: str, owner: str) -> None:
        try:
            for n in range(10):
                new = [
                    (replace(event, run_id=run_id), 7) for event, _ in map(said, (f"{n}a", f"{n}b"))
                ]
                store.append(run_id, owner, new)
                store.run(run_id)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=item) for item in owners.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert failed == []
    assert all(store.verify(run_id)[:2] == (True, 20) for run_id in owners)


def test_a_run_can_be_verified_while_it_is_written(store: SqlStore) -> None:
    """What comes in the middle of the look is not taken for something that was put in."""
    owner = claimed(store)
    over = threading.Event()

    def write() -> None:
        n = 0
        while not over.is_set() and n < 2000:
            store.append("r", owner, [said(str(n))])
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        verdicts = [store.verify("r") for _ in range(60)]
    finally:
        over.set()
        thread.join(20)
    assert [verdict for verdict in verdicts if not verdict.is_whole] == []


ODD = {
    "nul": "a\0b",
    "lone surrogate": "a\ud83d b",
    "emoji": "é 🎉   \x7f",
    "quotes": "'; drop table autogen_runs; -- \\ \" %s :x ?",
    "huge": 2**200,
    "negative": -(2**63) - 1,
    "tiny": 5e-324,
    "nested": {"": [None, True, {"a": []}]},
}


def test_every_text_and_number_comes_back_as_it_was(store: SqlStore) -> None:
    owner = claimed(store)
    written = store.append("r", owner, [said("1", **ODD)])
    assert store.events("r") == written
    assert {key: written[0].data[key] for key in ODD} == ODD
    assert store.verify("r").is_whole


def test_what_is_no_json_is_told_in_words(store: SqlStore) -> None:
    owner = claimed(store)
    circle: list[Any] = [1]
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    data = {"nan": math.nan, "inf": [-math.inf], "circle": circle, "set": {7}, "bytes": b"\xff"}
    store.append("r", owner, [said("1", **data, odd={(1, 2): 3}), said("2", deep=deep)])
    found = store.events("r")[0].data
    del found["message"]
    assert found == {
        "nan": "nan",
        "inf": ["-inf"],
        "circle": [1, "..."],
        "set": "{7}",
        "bytes": "b'\\xff'",
        "odd": {"(1, 2)": 3},
    }
    assert len(store.events("r")) == 2
    assert store.verify("r").is_whole


def test_a_message_of_megabytes_is_kept(store: SqlStore) -> None:
    owner = claimed(store)
    text = "0123456789abcdé🎉" * 200_000
    store.append("r", owner, [said("1", text)])
    assert store.events("r")[0].data["message"]["content"] == text
    assert store.verify("r").is_whole


# -- somebody edits the database -------------------------------------------------------------------


def five(store: SqlStore) -> str:
    owner = claimed(store)
    store.append("r", owner, [said(str(n), f"text {n}") for n in range(1, 6)])
    return owner


def edited(store: SqlStore, *statements: Any) -> tuple[bool, int | None, str]:
    with store.writing("an edit") as connection:
        for statement in statements:
            connection.execute(statement)
    verdict = store.verify("r")
    return verdict.is_whole, verdict.pos, verdict.text


def at(pos: int) -> Any:
    return sa.and_(events.c.run_id == "r", events.c.pos == pos)


def body(store: SqlStore, pos: int) -> str:
    with store.reading("a body") as connection:
        found: str = connection.execute(sa.select(events.c.body).where(at(pos))).scalar_one()
        return found


def test_a_changed_text_is_found(store: SqlStore) -> None:
    five(store)
    changed = body(store, 3).replace("text 3", "text X")
    statement = sa.update(events).where(at(3)).values(body=changed)
    assert edited(store, statement) == (False, 3, "event 3 is not as it was written")


@pytest.mark.parametrize("column", ["key", "type", "body", "n_steps", "hash"])
def test_each_column_is_looked_at(store: SqlStore, column: str) -> None:
    five(store)
    other = {"body": body(store, 4), "n_steps": 8}.get(column, "x")
    statement = sa.update(events).where(at(3)).values({column: other})
    assert edited(store, statement) == (False, 3, "event 3 is not as it was written")


def test_a_removed_event_is_found(store: SqlStore) -> None:
    five(store)
    assert edited(store, sa.delete(events).where(at(2))) == (False, 2, "event 2 is missing")


def test_removed_last_events_are_found(store: SqlStore) -> None:
    five(store)
    found = edited(store, sa.delete(events).where(at(4)), sa.delete(events).where(at(5)))
    assert found == (False, 4, "event 4 and those after it are missing")


def test_events_that_changed_places_are_found(store: SqlStore) -> None:
    five(store)
    moves = [(2, 99), (3, 2), (99, 3)]
    statements = [sa.update(events).where(at(a)).values(pos=b) for a, b in moves]
    assert edited(store, *statements) == (False, 2, "event 2 is not as it was written")


@pytest.mark.parametrize("pos", [0, 6])
def test_an_event_that_was_put_in_is_found(store: SqlStore, pos: int) -> None:
    five(store)
    row = {"run_id": "r", "pos": pos, "key": "new", "type": "message.sent", "n_steps": 7}
    statement = sa.insert(events).values(**row, hash="0" * 64, body=body(store, 3))
    is_whole, where, text = edited(store, statement)
    assert (is_whole, where) == (False, pos)
    assert "put in" in text or "not as it was written" in text


def test_an_end_that_was_moved_is_found(store: SqlStore) -> None:
    """Cutting off the last events and the end of the chain with them does not fit the hash."""
    five(store)
    cut = sa.update(runs).where(runs.c.id == "r").values(last_pos=4)
    found = edited(store, sa.delete(events).where(at(5)), cut)
    assert found == (False, 4, "event 4 is not as it was written")


def test_a_body_that_is_no_event_any_more_says_how_to_look(store: SqlStore) -> None:
    five(store)
    for changed in ("{", "[]", '{"v": 1, "type": "message.sent", "x": 1}'):
        edited(store, sa.update(events).where(at(3)).values(body=changed))
        with pytest.raises(JournalError, match=r"event 3 cannot be read: .*autogen verify"):
            store.events("r")


def test_there_is_nothing_to_verify_of_no_run(store: SqlStore) -> None:
    with pytest.raises(UnknownRun, match="there is no run 'nobody'"):
        store.verify("nobody")
    store.create_run(RunRecord(id="empty"))
    assert store.verify("empty")[:3] == (True, 0, None)


# -- what it costs ---------------------------------------------------------------------------------


def test_an_append_reads_no_more_of_a_long_run_than_of_a_short_one(store: SqlStore) -> None:
    """The same statements, each answered by a key: nothing grows with the run."""
    owner = claimed(store)
    statements: list[tuple[str, Any]] = []

    @sa.event.listens_for(store._engine, "before_cursor_execute")
    def _seen(connection: Any, cursor: Any, text: str, values: Any, *rest: Any) -> None:
        statements.append((text, values))

    store.append("r", owner, [said("1"), said("2"), said("3")])
    short = [text for text, _ in statements]
    for n in range(100):
        store.append("r", owner, [said(f"{n} {m}") for m in range(10)])
    statements.clear()
    store.append("r", owner, [said("a"), said("b"), said("c")])
    assert [text for text, _ in statements] == short
    if store._engine.dialect.name == "sqlite":
        reads = [one for one in statements if one[0].startswith("SELECT")]
        with store.reading("plans") as connection:
            for text, values in reads:
                plan = connection.exec_driver_sql(f"explain query plan {text}", values)
                assert all("USING" in row[3] and "INDEX" in row[3] for row in plan)


def test_a_short_turn_takes_less_than_four_kilobytes(store: SqlStore, database_url: str) -> None:
    owner = claimed(store)
    for n in range(500):
        turn = [said(f"{n} {m}", "What is the weather in Paris?") for m in range(3)]
        store.append("r", owner, turn)
    with store.writing("size") as connection:
        if store._engine.dialect.name == "sqlite":
            pages = connection.exec_driver_sql("pragma page_count").scalar_one()
            size = pages * connection.exec_driver_sql("pragma page_size").scalar_one()
        else:
            names = ("autogen_events", "autogen_runs")
            query = sa.select(sum(sa.func.pg_total_relation_size(name) for name in names))
            size = connection.execute(query).scalar_one()
    assert size / 500 < 4096
