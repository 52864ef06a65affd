"""What is said, out of events in every order that they may come in."""

from __future__ import annotations

from typing import Any

from autogen.events import Event
from autogen.server.doors.speech import Said, Speech


def live(agent: str, text: str, *, is_snapshot: bool = False, **more: Any) -> Event:
    data = {"text": text, "is_snapshot": is_snapshot}
    return Event(type="model.token", agent=agent, data=data, **{"chat_id": "1", **more})


def sent(agent: str, content: Any, *, role: str = "assistant", **more: Any) -> Event:
    data = {"sender": agent, "message": {"role": role, "content": content}}
    return Event(type="message.sent", agent=agent, data=data, **{"chat_id": "1", **more})


def heard(*events: Event, **options: Any) -> list[Said]:
    speech = Speech(**options)
    return [said for event in events for said in speech.hear(event)] + speech.close()


def messages(*events: Event, **options: Any) -> list[tuple[str, str]]:
    """Each message as a listener puts it together, which is also what its end says."""
    told: dict[int, str] = {}
    found = []
    for said in heard(*events, **options):
        told[said.n] = told.get(said.n, "") + (said.text if said.kind == "text" else "")
        if said.kind == "end":
            assert told[said.n] == said.text
            found.append((said.agent, said.text))
    return found


def test_a_message_without_live_text_is_told_whole() -> None:
    assert heard(sent("a", "hello")) == [
        Said("begin", "a", "", 1),
        Said("text", "a", "hello", 1),
        Said("end", "a", "hello", 1),
    ]


def test_a_message_brings_what_did_not_come_live() -> None:
    events = live("a", "one ", is_snapshot=True), live("a", "two "), sent("a", "one two three")
    assert messages(*events) == [("a", "one two three")]
    assert [said.text for said in heard(*events) if said.kind == "text"] == [
        "one ",
        "two ",
        "three",
    ]


def test_a_message_that_is_another_than_came_live_is_not_told_again() -> None:
    assert messages(live("a", "draft"), sent("a", "final")) == [("a", "draft")]


def test_another_call_of_an_agent_begins_anew() -> None:
    told = messages(live("a", "first"), live("a", "second", is_snapshot=True), sent("a", "second"))
    assert told == [("a", "first"), ("a", "second")]


def test_in_one_chat_whoever_speaks_next_ends_what_was_begun() -> None:
    told = messages(live("a", "half"), sent("b", "whole"), live("a", "more"))
    assert told == [("a", "half"), ("b", "whole"), ("a", "more")]


def test_messages_of_other_chats_wait_until_a_speaker_is_done() -> None:
    other = sent("b", "meanwhile", chat_id="2")
    ended = Event(type="chat.finished", chat_id="1")
    assert messages(live("a", "one"), other, sent("a", "one two")) == [
        ("a", "one two"),
        ("b", "meanwhile"),
    ]
    assert messages(live("a", "one"), other, ended) == [("a", "one"), ("b", "meanwhile")]
    assert messages(live("a", "one"), other) == [("a", "one"), ("b", "meanwhile")]


def test_what_the_client_said_itself_is_not_told() -> None:
    assert messages(sent("u", "hi"), sent("a", "ho"), has_opening=True) == [("a", "ho")]
    told = messages(sent("a", "my words"), sent("b", "my words"), answer="my words")
    assert told == [("b", "my words")]


def test_the_inside_of_chats_and_what_tools_answer_is_not_told() -> None:
    inside = sent("a", "inside", parent="1"), live("a", "inside", parent="1")
    nothing = sent("a", None), sent("a", "  "), sent("a", "42", role="tool")
    assert messages(*inside, *nothing) == []


def test_texts_are_what_every_encoding_takes() -> None:
    parts = [{"type": "text", "text": "half \ud800"}, {"type": "image_url", "image_url": {}}]
    assert messages(sent("a", parts)) == [("a", "half ?")]
    assert messages(live("a", "half \ud800")) == [("a", "half ?")]
