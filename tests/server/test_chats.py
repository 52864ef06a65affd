"""Chats over HTTP: runs of one conversation, whose agents know what was said before."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from tests.server.doors import WAIT_S
from tests.server.serving import Serving

CHATS = "/api/v1/chats"


def say(server: Serving, chat: str, text: str, *, key: str = "", **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    path = f"{CHATS}/{quote(chat, safe='')}/messages"
    return server.call("POST", path, {"message": text, **more}, headers=headers)


def said_in(server: Serving, chat: str, query: str = "") -> Any:
    return server.get(f"{CHATS}/{quote(chat, safe='')}/messages{query}")


def test_the_next_run_of_a_chat_knows_what_was_said(doors: Serving) -> None:
    first = say(doors, "birds", "who are you?", team="echo")
    assert first.status == 201
    assert first.headers["Location"] == f"/api/v1/runs/{first.json['id']}"
    assert first.json["conversation"] == "birds"
    doors.ended(first.json["id"])
    second = say(doors, "birds", "and since when?")
    ended = doors.ended(second.json["id"])
    assert ended["status"] == "finished"
    heard = ended["result"]["summary"]
    assert heard.startswith("heard: and since when?\nContext:")
    assert "user: who are you?" in heard
    assert "assistant: heard: who are you?" in heard

    told = said_in(doors, "birds")
    both = [first.json["id"], second.json["id"]]
    assert [one["run_id"] for one in told["items"]] == [both[0]] * 2 + [both[1]] * 2
    assert [one["sender"] for one in told["items"]] == ["user", "parrot"] * 2
    chat = doors.get(f"{CHATS}/birds")
    assert (chat["team"], chat["status"], chat["n_runs"]) == ("echo", "finished", 2)
    assert [run["id"] for run in chat["runs"]] == both[::-1]
    assert chat["updated_at"] == chat["runs"][0]["updated_at"]


def test_what_was_said_is_that_of_runs_which_were_under_way(doors: Serving) -> None:
    first = say(doors, "waiting", "hello", team="ask").json["id"]
    second = say(doors, "waiting", "me too", team="echo").json["id"]
    for words in ("not yet", "said by a person"):
        question = asked_by(doors, first)
        assert doors.get(f"/api/v1/runs/{second}")["status"] == "queued"
        path = f"/api/v1/questions/{question}/answer"
        assert doors.call("POST", path, {"action": "text", "text": words}).status == 200
    assert doors.ended(first)["status"] == "finished"
    heard = doors.ended(second)["result"]["summary"]
    assert "user: hello" in heard
    assert "assistant: said by a person" in heard


def asked_by(server: Serving, run_id: str) -> str:
    """The open question of a run, once it has one."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        for question in server.get(f"/api/v1/questions?status=open&run_id={run_id}")["items"]:
            return str(question["id"])
    raise AssertionError("nobody asked")


def test_run_under_way_can_be_a_conflict_or_be_ended(doors: Serving) -> None:
    first = say(doors, "hasty", "hello", team="ask").json["id"]
    refused = say(doors, "hasty", "again", on_conflict="reject")
    assert (refused.status, refused.is_problem) == (409, True)
    second = say(doors, "hasty", "now", team="echo", on_conflict="interrupt").json["id"]
    assert doors.ended(first)["status"] == "cancelled"
    assert "user: hello" in doors.ended(second)["result"]["summary"]


def test_message_sent_again_is_the_same_run(doors: Serving) -> None:
    first = say(doors, "twice", "hello", key="chat 1", team="echo").json["id"]
    doors.ended(first)
    second = say(doors, "twice", "on", key="chat 2").json["id"]
    doors.ended(second)
    assert say(doors, "twice", "on", key="chat 2").json["id"] == second
    assert say(doors, "twice", "off", key="chat 2").status == 409
    assert say(doors, "other", "on", key="chat 2", team="echo").status == 409
    assert doors.get(f"{CHATS}/twice")["n_runs"] == 2


def test_run_of_a_chat_is_replayed_and_forked_as_it_was(doors: Serving) -> None:
    doors.ended(say(doors, "forked", "hello", team="echo").json["id"])
    run_id = say(doors, "forked", "on").json["id"]
    doors.ended(run_id)
    at = said_in(doors, "forked")["items"][2]["pos"]
    fork = doors.call("POST", f"/api/v1/runs/{run_id}/fork", {"at": at})
    assert fork.status == 201, fork.text
    assert "user: hello" in doors.ended(fork.json["id"])["result"]["summary"]
    assert doors.get(f"{CHATS}/forked")["n_runs"] == 2


def test_chats_are_listed_in_pages(doors: Serving) -> None:
    names = ["page 1/a", "page 2 é", "page 3"]
    for name in names:
        doors.ended(say(doors, name, "hello", team="echo").json["id"])
    doors.ended(say(doors, names[0], "more").json["id"])
    found = [chat["name"] for page in doors.pages(CHATS, limit=2) for chat in page]
    assert len(found) == len(set(found))
    assert [name for name in found if name in names] == [names[0], names[2], names[1]]


def test_messages_and_runs_of_a_chat_come_in_pages(doors: Serving) -> None:
    for text in ("one", "two", "three"):
        doors.ended(say(doors, "long", text, team="echo").json["id"])
    whole = said_in(doors, "long")["items"]
    assert len(whole) == 6
    found = doors.pages(f"{CHATS}/long/messages", limit=1)
    assert [one for page in found for one in page] == whole
    first = doors.get(f"{CHATS}/long?limit=2")
    rest = doors.get(f"{CHATS}/long?limit=2&cursor={first['next']}")
    titles = [run["title"] for run in [*first["runs"], *rest["runs"]]]
    assert titles == ["three", "two", "one"]
    assert rest["next"] is None


def test_chat_that_is_not_there_needs_a_team(doors: Serving) -> None:
    answer = say(doors, "nowhere", "hello")
    assert (answer.status, answer.is_problem) == (404, True)
    assert "name a `team`" in answer.json["detail"]
    assert say(doors, "nowhere", "hello", team="nobody").status == 422
    for path in ("nowhere", "nowhere/messages"):
        assert doors.call("GET", f"{CHATS}/{path}").status == 404
    assert say(doors, "x" * 201, "hello", team="echo").status == 422


def test_foreign_cursors_are_refused(doors: Serving) -> None:
    doors.ended(say(doors, "cursed", "hello", team="echo").json["id"])
    for path in ("chats", "chats/cursed", "chats/cursed/messages"):
        for cursor in ("bmFuIHg", "MWU5OSB4", "eA", "%25", "OTk5OTk5OTk5OTk5IHg"):
            answer = doors.call("GET", f"/api/v1/{path}?cursor={cursor}")
            assert (answer.status, answer.is_problem) == (422, True), (path, cursor)


def test_chats_of_equal_names_are_each_callers_own(doors: Serving) -> None:
    keys = {}
    for name in ("cleo", "dora"):
        asked = {"name": f"chat {name}", "scopes": ["runs:read", "runs:write"]}
        keys[name] = doors.call("POST", "/api/v1/keys", asked).json["key"]
    path = f"{CHATS}/secret/messages"
    for name, token in keys.items():
        body = {"message": f"I am {name}", "team": "echo"}
        for _ in range(2):
            made = doors.call("POST", path, body, token=token)
            assert made.status == 201, made.text
            wait = f"/api/v1/runs/{made.json['id']}/wait?timeout_s=10"
            ended = doors.call("GET", wait, token=token).json
            assert ended["status"] == "finished"
        assert f"user: I am {name}" in ended["result"]["summary"]
        assert sum(other in ended["result"]["summary"] for other in keys) == 1
    for token in keys.values():
        [chat] = doors.call("GET", CHATS, token=token).json["items"]
        assert (chat["name"], chat["n_runs"]) == ("secret", 2)
    assert doors.call("GET", f"{CHATS}/secret").status == 404
