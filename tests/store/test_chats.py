"""Conversations of runs, on both databases: their lists, their runs, their messages."""

from __future__ import annotations

from autogen.events import Event
from autogen.store.base import RunRecord
from autogen.store.chats import Chats
from autogen.store.sql import SqlStore


def begun(store: SqlStore, run_id: str, chat: str, *, whose: str | None = None) -> None:
    """A run of a chat in which one thing was said."""
    store.create_run(RunRecord(id=run_id, team="t", conversation=chat, belongs_to=whose))
    store.claim(run_id, f"w:1:a/{run_id}", expected=None)
    said = {"sender": "a", "recipient": "b", "message": {"content": f"words of {run_id}"}}
    event = Event(type="message.sent", run_id=run_id, key="k", at=1.0, data=said)
    store.append(run_id, f"w:1:a/{run_id}", [(event, 0)])


def test_chats_are_listed_by_their_newest_run_in_pages(store: SqlStore) -> None:
    chats = Chats(store)
    for run_id, name in (("1", "first"), ("2", "second"), ("3", "first"), ("4", "third")):
        begun(store, run_id, name)
    everything = chats.chats(None)
    assert [(one.name, one.n_runs) for one in everything] == [
        ("third", 1),
        ("first", 2),
        ("second", 1),
    ]
    begun(store, "5", "of somebody", whose="ann")
    assert [one.name for one in chats.chats("ann")] == ["of somebody"]
    assert len(chats.chats(None)) == 3
    assert [one.name for one in chats.chats(None, name="first")] == ["first"]


def test_runs_and_messages_of_a_chat_come_in_their_order(store: SqlStore) -> None:
    chats = Chats(store)
    for run_id in ("x", "y"):
        begun(store, run_id, "talk")
    begun(store, "z", "talk", whose="ann")
    assert {record.id for record in chats.runs(None, "talk")} == {"x", "y"}
    assert [record.id for record in chats.runs("ann", "talk")] == ["z"]
    assert [record.id for record in chats.runs(None, "talk", before="y")] == ["x"]
    told = chats.messages(None, "talk")
    assert [event.data["message"]["content"] for event in told] == ["words of x", "words of y"]
    (later,) = chats.messages(None, "talk", after=("x", 1))
    assert later.run_id == "y"
