"""What is shown while it happens, what code leaves, and what it is given, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import quote

import aiohttp
import pytest
from tests.postgres import postgres_server, postgres_url  # noqa: F401 fixtures
from tests.server.serving import LIVE_TEAMS, WAIT_S, Answer, Serving

from autogen.coding.walls import probe
from autogen.testing import LoopbackLLM, Reply, Request

wall = pytest.mark.wall
TIMEOUT = aiohttp.ClientTimeout(total=2 * WAIT_S)

WORDS = [f"word{n} " for n in range(40)]

#: What the coder's program is, by a word of the task.
PROGRAMS = {
    "COUNT": "import time\nfor n in range(20):\n    print(n, flush=True)\n    time.sleep(0.02)",
    "WRITE": (
        "open('table.csv', 'w').write('a,b\\n1,2\\n')\n"
        "open('page.html', 'w').write('<script>alert(1)</script>')\n"
        "import os; os.makedirs('deep', exist_ok=True)\n"
        "open('deep/odd\\x07 \\u00fcname.png', 'wb').write(b'\\x89PNG')"
    ),
    "READ": "print(open('data.csv').read())",
    "REACH": (
        "import time, urllib.request, urllib.error\n"
        "for n in range(400):\n"
        "    try:\n        urllib.request.urlopen('http://a.invalid/')\n"
        "    except urllib.error.HTTPError as error:\n"
        "        text = error.read().decode()\n"
        "        if 'not on the list' not in text:\n            print('LET', text)\n"
        "            break\n"
        "    time.sleep(0.02)"
    ),
}


def _said(request: Request) -> Reply:
    asked = [message["content"] for message in request.messages if message["role"] == "user"]
    if request.json["model"] == "teller":
        delay_s = 0.1 if "slowly" in asked[0] else 0.02
        return Reply("".join(WORDS), chunk_delay_s=delay_s, n_chunks=len(WORDS))
    program = next((code for word, code in PROGRAMS.items() if word in asked[0]), "pass")
    return Reply("TERMINATE" if len(asked) > 1 else f"Run this:\n```python\n{program}\n```\n")


@pytest.fixture(scope="session")
def _model() -> Iterator[LoopbackLLM]:
    with LoopbackLLM(_said, keep=0) as served:
        yield served


@pytest.fixture(scope="session")
def environment(_model: LoopbackLLM, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("live")
    return {"AUTOGEN_TEST_MODEL_URL": _model.base_url, "AUTOGEN_TEST_WORK_DIR": str(folder)}


@pytest.fixture(scope="session")
def live(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    url = f"sqlite:///{tmp_path_factory.mktemp('live') / 'runs.db'}"
    serving = Serving(url, teams=LIVE_TEAMS, env=environment)
    yield serving
    assert serving.stop() == 0
    assert "Traceback" not in "".join(serving.said)


@pytest.fixture(scope="session")
def walled(live: Serving, require_part: Callable[..., NoReturn]) -> Serving:
    report = probe()[0]
    if not report.ok:
        require_part("bubblewrap", because=report.why, do=report.remedy)
    return live


def streamed(server: Serving, run_id: str, *, late: int = 0) -> list[tuple[str, Any]]:
    """Everything a follower is told, who comes after so many live events of another one."""

    async def read() -> list[tuple[str, Any]]:
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            first = server.stream(session, run_id)
            n_live = 0
            while n_live < late:
                n_live += (await anext(first))[0] == "live"
            return [event async for event in server.stream(session, run_id)]

    return asyncio.run(read())


def live_text(told: list[tuple[str, Any]], kind: str) -> str:
    """The text as a client that follows the rules has it at the end."""
    text = ""
    for name, event in told:
        if name == "live" and event["type"] == kind:
            text = ("" if event["data"]["is_snapshot"] else text) + event["data"]["text"]
    return text


@pytest.mark.parametrize("late", [0, 5])
def test_tokens_come_as_they_are_made_and_latecomers_get_all_so_far(
    live: Serving, late: int
) -> None:
    told = streamed(live, live.begin("story", "tell"), late=late)
    news = [event for name, event in told if name == "live"]
    assert len(news) > 5
    assert {(event["type"], event["agent"], event["pos"]) for event in news} == {
        ("model.token", "teller", None)
    }
    assert [event["data"]["is_snapshot"] for event in news] == [True, *[False] * (len(news) - 1)]
    assert live_text(told, "model.token") == "".join(WORDS)
    (end,) = [
        at
        for at, (name, event) in enumerate(told)
        if name == "message" and event["type"] == "message.sent" and event["agent"] == "teller"
    ]
    assert all(name != "live" for name, _ in told[end:])
    chat_ids = {event["chat_id"] for event in news}
    assert chat_ids == {told[end][1]["chat_id"]}


def test_tokens_of_another_process_come_by_way_of_postgres(
    postgres_url: str,  # noqa: F811
    environment: dict[str, str],
) -> None:
    worker = Serving(postgres_url, teams=LIVE_TEAMS, env=environment)
    try:
        server = Serving(postgres_url, "--no-worker", teams=LIVE_TEAMS, env=environment)
        try:
            # So that whoever follows is there in time, however busy the machine is.
            told = streamed(server, server.begin("story", "tell slowly"))
            assert live_text(told, "model.token") == "".join(WORDS)
            assert told[-1] == ("end", {"status": "finished", "stop_reason": "max_turns"})
        finally:
            assert server.stop() == 0
    finally:
        assert worker.stop() == 0


@wall
def test_output_comes_while_the_code_runs(walled: Serving) -> None:
    told = streamed(walled, walled.begin("coding", "COUNT"))
    assert live_text(told, "code.output").split() == [str(n) for n in range(20)]
    assert sum(event["type"] == "code.output" for name, event in told if name == "live") > 3


@wall
def test_files_that_code_left_are_kept_and_served_so_that_no_browser_runs_them(
    walled: Serving,
) -> None:
    run_id = walled.begin("coding", "WRITE")
    walled.ended(run_id)
    found = walled.get(f"/api/v1/runs/{run_id}/artifacts")["items"]
    named = {one["name"]: one for one in found}
    assert set(named) == {"table.csv", "page.html", "deep/odd\x07 \u00fcname.png"}
    # Page by page they are the same.
    page = walled.get(f"/api/v1/runs/{run_id}/artifacts?limit=1")
    assert page["items"] == found
    rest = walled.get(f"/api/v1/runs/{run_id}/artifacts?after={page['next']}")
    assert rest == {"items": [], "next": None}
    for one in found:
        answer = walled.call("GET", f"/api/v1/artifacts/{one['id']}")
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        way, _, name = answer.headers["Content-Disposition"].partition("; ")
        assert way == ("inline" if one["media_type"] == "image/png" else "attachment")
        assert name == f"filename*=UTF-8''{quote(one['name'].rpartition('/')[2], safe='')}"
    page = walled.call("GET", f"/api/v1/artifacts/{named['table.csv']['id']}")
    assert page.text == "a,b\n1,2\n"
    assert hashlib.sha256(page.text.encode()).hexdigest() == named["table.csv"]["sha256"]
    for odd in (
        "x",
        "W10",
        "WyJhIiwxLDBd",
        "..%2f..%2fetc%2fpasswd",
        named["table.csv"]["id"] + "A",
    ):
        answer = walled.call("GET", f"/api/v1/artifacts/{odd}")
        assert (answer.status, answer.is_problem) == (404, True)


def hand_in(server: Serving, name: str, data: bytes) -> Answer:
    return server.call("POST", f"/api/v1/files?name={quote(name, safe='')}", data=data)


@wall
def test_code_finds_the_files_that_its_run_was_begun_with(walled: Serving) -> None:
    answer = hand_in(walled, "data.csv", b"x,y\n3,4\n")
    assert answer.status == 201
    file = answer.json
    assert (file["name"], file["size"], file["media_type"]) == ("data.csv", 8, "text/csv")
    assert walled.get(f"/api/v1/files/{file['id']}") == file
    run_id = walled.begin("coding", "READ", files=[file["id"]])
    assert walled.call("DELETE", f"/api/v1/files/{file['id']}").status == 204
    assert walled.call("GET", f"/api/v1/files/{file['id']}").status == 404
    assert walled.call("DELETE", f"/api/v1/files/{file['id']}").status == 404
    walled.ended(run_id)
    messages = walled.get(f"/api/v1/runs/{run_id}/messages")["items"]
    assert messages[0]["message"]["content"] == "READ\n\nFiles in the working directory: data.csv"
    assert "3,4" in messages[2]["message"]["content"]


@pytest.mark.parametrize(
    "name",
    ["../up", "a/b", "a\\b", "..", ".", "  ", "", "a\0b", "a\nb", "\x7f", "n" * 201, "é" * 150],
)
def test_a_file_has_the_name_of_a_file(live: Serving, name: str) -> None:
    answer = hand_in(live, name, b"x")
    assert (answer.status, answer.is_problem) == (422, True)


def test_an_empty_file_is_a_file_and_a_large_one_is_refused(live: Serving) -> None:
    assert hand_in(live, "empty", b"").json["size"] == 0
    large = hand_in(live, "large", bytes(3 * 1024 * 1024))
    assert (large.status, large.json["size"]) == (201, 3 * 1024 * 1024)
    answer = hand_in(live, "too-large", bytes(32 * 1024 * 1024 + 1))
    assert (answer.status, answer.is_problem) == (413, True)
    answer = live.call(
        "POST", "/api/v1/runs", {"team": "story", "message": "x", "files": ["ab" * 16]}
    )
    assert (answer.status, answer.is_problem) == (404, True)


def test_files_are_listed_to_whoever_handed_them_in_also_while_they_go(live: Serving) -> None:
    asked = {"name": "clerk", "scopes": ["files:write"]}
    key = live.call("POST", "/api/v1/keys", asked).json["key"]

    def ask(method: str, path: str, data: bytes | None = None) -> Answer:
        return live.call(method, f"/api/v1/files{path}", data=data, token=key)

    assert hand_in(live, "of somebody else", b"x").status == 201
    names = [f"{n}.txt" for n in range(5)]
    made = [ask("POST", f"?name={name}", name.encode()).json for name in names]
    assert ask("GET", "").json == {"items": made[::-1], "next": None}
    page = ask("GET", "?limit=2").json
    assert page["items"] == [made[4], made[3]]
    for file in page["items"]:
        assert ask("DELETE", f"/{file['id']}").status == 204
    page = ask("GET", f"?limit=2&cursor={page['next']}").json
    assert page["items"] == [made[2], made[1]]
    rest = ask("GET", f"?limit=2&cursor={page['next']}").json
    assert rest == {"items": [made[0]], "next": None}
    for cursor in ("x", "MQ", "bmFuIGE", "LTEgYQ"):
        answer = ask("GET", f"?cursor={cursor}")
        assert (answer.status, answer.is_problem) == (422, True)
    everybodys = [file["name"] for file in live.get("/api/v1/files")["items"]]
    assert {"0.txt", "of somebody else"} <= set(everybodys)


@wall
def test_somebody_who_watches_allows_a_host_to_the_code_that_runs(walled: Serving) -> None:
    run_id = walled.begin("reaching", "REACH")

    async def read() -> list[tuple[str, Any]]:
        seen, is_allowed = [], False
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            async for name, event in walled.stream(session, run_id):
                seen.append((name, event))
                # Of those that come after it the code may have ended already.
                if event.get("type") == "egress.refused" and not is_allowed:
                    is_allowed = True
                    body = {"host": event["data"]["host"], "port": None}
                    path = f"{walled.url}/api/v1/runs/{run_id}/egress"
                    for asked, status in (({"host": "b.invalid"}, 422), (body, 200)):
                        async with session.post(
                            path, json=asked, headers=walled.bearer()
                        ) as answer:
                            assert answer.status == status, await answer.text()
        return seen

    told = [event for name, event in asyncio.run(read()) if name == "message"]
    (allowed,) = [event for event in told if event["type"] == "egress.allowed"]
    assert (allowed["agent"], allowed["data"]["host"]) == ("user", "a.invalid")
    (ran,) = [event for event in told if event["type"] == "code.finished"]
    assert "LET" in ran["data"]["output"]
    answer = walled.call("POST", f"/api/v1/runs/{run_id}/egress", {"host": "a.invalid"})
    assert (answer.status, answer.is_problem) == (409, True)


def test_runs_tell_what_they_cost_and_usage_sums_it_up(live: Serving) -> None:
    run_id = live.begin("story", "Tell me\n a story " + "x" * 100, budget={"usd": 9, "steps": 3})
    run = live.ended(run_id)
    assert run["title"].startswith("Tell me a story xxx") and run["title"].endswith("\u2026")
    assert (run["n_steps"], run["n_open_questions"]) == (1, 0)
    used = live.get(f"/api/v1/runs/{run_id}/usage")
    assert run["n_tokens"] == used["prompt_tokens"] + used["completion_tokens"] > 0
    assert run["cost_usd"] == used["cost_usd"] > 0
    assert run["budget"]["limits"]["usd"] == 9
    assert run["budget"]["spent"]["steps"] == 1
    for by in ("model", "agent", "day"):
        sums = live.get(f"/api/v1/usage?by={by}&team=story")
        assert sums["by"] == by
        assert sum(row["n_calls"] for row in sums["items"]) >= 1
    assert live.get("/api/v1/usage?since=2100-01-01T00:00:00Z")["items"] == []
    fork = live.call("POST", f"/api/v1/runs/{run_id}/fork", {"at": len(_events(live, run_id))})
    told = live.ended(fork.json["id"])
    assert (told["n_steps"], told["n_tokens"], told["cost_usd"]) == (0, 0, 0)


def _events(server: Serving, run_id: str) -> list[Any]:
    found: list[Any] = server.get(f"/api/v1/runs/{run_id}/events?limit=1000")["items"]
    return found


def test_a_budget_that_is_spent_begins_nothing(live: Serving) -> None:
    assert live.call("GET", "/api/v1/budgets/june").status == 404
    asked = {"team": "story", "message": "x", "budget": "june"}
    assert live.call("POST", "/api/v1/runs", asked).status == 422
    assert live.call("PUT", "/api/v1/budgets/june", {}).status == 422
    made = live.call("PUT", "/api/v1/budgets/june", {"steps": 1})
    assert (made.status, made.json["is_spent"]) == (200, False)
    run = live.ended(live.call("POST", "/api/v1/runs", asked).json["id"])
    assert run["budget"]["is_spent"] is True
    answer = live.call("POST", "/api/v1/runs", asked)
    assert (answer.status, answer.is_problem) == (402, True)
    live.call("PUT", "/api/v1/budgets/june", {"steps": 5})
    assert live.call("POST", "/api/v1/runs", asked).status == 201
    # Those of single runs are not shared, and not told; `Run x` is none of them.
    live.ended(live.begin("story", "x", budget={"steps": 9}))
    for name in ("Run", "july"):
        live.call("PUT", f"/api/v1/budgets/{name}%20x", {"usd": 1})
    names = [budget["name"] for budget in live.get("/api/v1/budgets")["items"]]
    assert {"june", "july x", "Run x"} <= set(names)
    assert not [name for name in names if name.startswith("run ")]
    pages = live.pages("/api/v1/budgets", limit=1)
    assert [budget["name"] for page in pages for budget in page] == names


def test_two_runs_are_compared_by_what_was_said(live: Serving) -> None:
    one, two = (live.begin("story", words) for words in ("x", "y"))
    for run_id in (one, two):
        live.ended(run_id)
    assert live.get(f"/api/v1/runs/{one}/diff?other={one}")["is_same"] is True
    found = live.get(f"/api/v1/runs/{one}/diff?other={two}")
    assert (found["is_same"], found["n_same"]) == (False, 0)
    said = {event["pos"]: event for event in _events(live, one)}
    assert said[found["left_pos"]]["data"]["message"]["content"] == "x"
    assert live.call("GET", f"/api/v1/runs/{one}/diff?other=none").status == 404


def test_of_a_conversation_one_run_is_under_way(live: Serving) -> None:
    def ask(how: str, name: str = "talk") -> Answer:
        body = {"team": "story", "message": how, "conversation": name, "on_conflict": how}
        return live.call("POST", "/api/v1/runs", body)

    first = ask("reject")
    assert (first.status, first.json["conversation"]) == (201, "talk")
    refused = ask("reject")
    assert (refused.status, refused.is_problem) == (409, True)
    assert ask("reject", "other").status == 201
    second, third = ask("enqueue"), ask("enqueue")
    assert (second.json["status"], third.json["status"]) == ("queued", "queued")
    ended = [live.ended(one.json["id"]) for one in (first, second, third)]
    assert [run["status"] for run in ended] == ["finished"] * 3
    begins = [_events(live, run["id"])[0]["at"] for run in ended]
    ends = [_events(live, run["id"])[-1]["at"] for run in ended]
    assert begins[1] >= ends[0] and begins[2] >= ends[1]
    running = ask("reject")
    instead = ask("interrupt")
    assert instead.status == 201
    assert live.ended(running.json["id"])["status"] == "cancelled"
    assert live.ended(instead.json["id"])["status"] == "finished"


def test_metrics_are_told_in_the_text_of_prometheus(live: Serving) -> None:
    live.ended(live.begin("story", "x"))
    assert live.call("GET", "/api/v1/runs", token="nobody").status == 401
    answer = live.call("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    named = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(named['autogen_runs{status="finished"}']) >= 1
    assert float(named['autogen_model_calls_total{cached="false"}']) >= 1
    assert float(named["autogen_workers"]) == 1
    for status in (200, 201, 401):
        assert float(named[f'autogen_http_answers_total{{status="{status}"}}']) >= 1
    assert all(float(value) >= 0 for value in named.values())
    kinds = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {name.partition("{")[0] for name in named} <= kinds


def test_teams_are_told_in_detail(live: Serving) -> None:
    told = live.get("/api/v1/teams/coding")
    assert told["agents"][0] | {"description": ""} == {
        "name": "user",
        "kind": "user",
        "description": "",
        "model": None,
        "runs_code": True,
        "tools": [],
    }
    assert (told["agents"][1]["kind"], told["agents"][1]["model"]) == ("assistant", "coder")
    assert told["version"] == live.get("/api/v1/teams/coding")["version"]
    assert "api_key" not in json.dumps(told)


@wall
def test_a_person_edits_code_before_it_runs(walled: Serving) -> None:
    run_id = walled.begin("checked", "COUNT")

    def told_of_questions() -> list[Any]:
        return [event for event in _events(walled, run_id) if event["type"] == "question.asked"]

    deadline_s = time.monotonic() + WAIT_S
    # The question is there just before the event tells of it.
    while not (told := told_of_questions()):
        assert time.monotonic() < deadline_s
    (asked,) = told
    (question,) = walled.get(f"/api/v1/questions?run_id={run_id}")["items"]
    assert (question["id"], question["kind"]) == (asked["data"]["id"], "approve")
    about = walled.get(f"/api/v1/runs/{run_id}/events?after={question['pos'] - 1}")["items"][0]
    assert "for n in range(20)" in about["data"]["message"]["content"]
    path = f"/api/v1/questions/{question['id']}/answer"
    assert walled.call("POST", path, {"action": "edit"}).status == 422
    text = "```python\nprint('mine')\n```"
    answer = walled.call("POST", path, {"action": "edit", "text": text})
    assert (answer.status, answer.json["is_edit"]) == (200, True)
    told = [event for name, event in streamed(walled, run_id) if name == "message"]
    (edited,) = [event for event in told if event["type"] == "message.edited"]
    assert edited["data"]["message"]["content"] == text
    (ran,) = [event for event in told if event["type"] == "code.finished"]
    assert ran["data"]["output"] == "mine\n"
