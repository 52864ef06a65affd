"""Runs over HTTP: from their beginning to their end, through real requests to a real server."""

from __future__ import annotations

import time

from tests.server.serving import Serving


def test_run_with_a_question_is_answered_and_ends(server: Serving) -> None:
    run_id = server.begin("ask")
    [question] = _open_questions(server, run_id)
    assert (question["agent"], question["kind"], question["status"]) == ("b", "text", "open")
    path = f"/api/v1/questions/{question['id']}/answer"

    answer = server.call("POST", path, {"action": "text", "text": "from a person", "by": "ann"})
    assert (answer.status, answer.json["answered_by"]) == (200, "ann")
    again = server.call("POST", path, {"action": "approve"})
    assert again.status == 409
    assert again.is_problem

    assert server.ended(run_id)["status"] == "finished"
    told = server.get(f"/api/v1/runs/{run_id}/messages")
    assert [(one["sender"], one["message"]["content"]) for one in told["items"]] == [
        ("a", "hi"),
        ("b", "from a person"),
    ]
    assert told["next"] is None
    assert _open_questions(server, run_id, wait=False) == []


def test_question_can_be_approved_denied_and_stopped(server: Serving) -> None:
    said = {}
    for action in ({"action": "approve"}, {"action": "deny", "text": "no"}, {"action": "stop"}):
        run_id = server.begin("ask")
        [question] = _open_questions(server, run_id)
        path = f"/api/v1/questions/{question['id']}/answer"
        assert server.call("POST", path, action).status == 200
        run = server.ended(run_id)
        said[action["action"]] = (run["stop_reason"], run["result"]["summary"])
    assert said["approve"][1] == "word 2"
    assert said["deny"][1] == "Denied: no"
    assert said["stop"][0] == "human_exit"


def _open_questions(server: Serving, run_id: str, *, wait: bool = True) -> list[dict[str, str]]:
    deadline = time.monotonic() + 10
    while True:
        found = server.get(f"/api/v1/questions?status=open&run_id={run_id}")["items"]
        if found or not wait:
            return found
        assert time.monotonic() < deadline, "nobody asked"


def test_answer_for_a_cancelled_run_is_gone(server: Serving) -> None:
    run_id = server.begin("ask")
    [question] = _open_questions(server, run_id)
    server.call("POST", f"/api/v1/runs/{run_id}/cancel")
    assert server.ended(run_id)["status"] == "cancelled"
    path = f"/api/v1/questions/{question['id']}/answer"
    answer = server.call("POST", path, {"action": "approve"})
    assert (answer.status, answer.is_problem) == (410, True)


def test_same_idempotency_key_is_the_same_run(server: Serving) -> None:
    headers = {"Idempotency-Key": "order 66"}
    body = {"team": "talk", "message": "hi"}
    first = server.call("POST", "/api/v1/runs", body, headers=headers)
    again = server.call("POST", "/api/v1/runs", body, headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert first.json["id"] == again.json["id"]
    assert first.headers["Location"] == f"/api/v1/runs/{first.json['id']}"
    other = server.call("POST", "/api/v1/runs", {**body, "message": "bye"}, headers=headers)
    assert (other.status, other.is_problem) == (409, True)
    server.ended(first.json["id"])
    assert len(server.get(f"/api/v1/runs/{first.json['id']}/messages")["items"]) == 4


def test_pages_of_runs_have_each_run_once(server: Serving) -> None:
    made = {server.begin("alone") for _ in range(5)}
    for run_id in made:
        server.ended(run_id)
    pages = server.pages("/api/v1/runs?team=alone&status=finished", limit=2)
    found = [run["id"] for page in pages for run in page]
    assert len(found) == len(set(found))
    assert made <= set(found)


def test_paused_run_goes_on_when_resumed(server: Serving) -> None:
    run_id = server.begin("slow")
    assert server.call("POST", f"/api/v1/runs/{run_id}/resume").status == 409
    assert server.call("POST", f"/api/v1/runs/{run_id}/pause").status == 200
    assert server.ended(run_id)["status"] == "paused"
    assert server.call("POST", f"/api/v1/runs/{run_id}/resume").status == 200
    run = server.ended(run_id)
    assert (run["status"], run["stop_reason"]) == ("finished", "max_turns")


def test_fork_shares_the_beginning(server: Serving) -> None:
    run_id = server.begin("talk")
    server.ended(run_id)
    events = server.get(f"/api/v1/runs/{run_id}/events")["items"]
    at = next(event["pos"] for event in events if event["type"] == "model.answered") + 1
    fork = server.call("POST", f"/api/v1/runs/{run_id}/fork", {"at": at, "edit": "else"})
    assert fork.status == 201
    run = server.ended(fork.json["id"])
    assert run["forked_from"] == run_id
    told = server.get(f"/api/v1/runs/{run['id']}/messages")["items"]
    assert [one["message"]["content"] for one in told][:2] == ["hi", "else"]
    assert server.call("POST", f"/api/v1/runs/{run_id}/fork", {"at": 4000}).status == 404


def test_budget_and_usage_are_those_of_the_run(server: Serving) -> None:
    run_id = server.begin("talk", budget={"steps": 1})
    run = server.ended(run_id)
    assert (run["status"], run["stop_reason"]) == ("paused", "budget")
    usage = server.get(f"/api/v1/runs/{run_id}/usage")
    assert usage["n_calls"] == 1
    assert usage["prompt_tokens"] > 0
    body = {"budget": {"steps": 10}}
    assert server.call("POST", f"/api/v1/runs/{run_id}/resume", body).status == 200
    assert server.ended(run_id)["status"] == "finished"
    assert server.get(f"/api/v1/runs/{run_id}/usage")["n_calls"] == 2


def test_what_is_no_text_is_told_all_the_same(server: Serving) -> None:
    run_id = server.begin("odd")
    assert server.ended(run_id)["result"]["summary"] == "half \ud800"
    told = server.get(f"/api/v1/runs/{run_id}/messages")["items"]
    assert told[-1]["message"]["content"] == "half \ud800"


def test_teams_are_listed(server: Serving) -> None:
    named = {team["name"]: team for team in server.get("/api/v1/teams")["items"]}
    told = server.get("/api/v1/teams/alone")
    assert named["alone"].items() <= told.items()
    assert [agent["name"] for agent in told["agents"]] == ["a", "b"]
    assert told["edges"] == [["a", "b"], ["b", "a"]]
    assert (named["alone"]["concurrency"], named["talk"]["description"]) == (1, "Two who talk.")


def test_wait_gives_up_in_time(server: Serving) -> None:
    run_id = server.begin("ask")
    assert server.get(f"/api/v1/runs/{run_id}/wait?timeout_s=0")["status"] != "finished"
    server.call("POST", f"/api/v1/runs/{run_id}/cancel")
    server.ended(run_id)
