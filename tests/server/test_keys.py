"""Keys: made at the command line, told once, and held to what they may do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.server.serving import WAIT_S, Serving
from typer.testing import CliRunner

from autogen.cli.app import app
from autogen.errors import UsageError
from autogen.runtime.runtime import Runtime
from autogen.server import Service

pytestmark = pytest.mark.xdist_group("keys")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('keys') / 'runs.db'}"


@pytest.fixture(scope="module")
def server(database: str) -> Iterator[Serving]:
    serving = Serving(database)
    yield serving
    assert serving.stop() == 0
    assert "an_" not in "".join(serving.said)


def _keys(database: str, *words: str, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(app, ["keys", *words, "--database", database])
    assert done.exit_code == code, done.stderr
    return done.stdout, done.stderr


def test_key_is_told_once_and_kept_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    database = f"sqlite:///{file}"
    out, said = _keys(database, "add", "ann", "--scope", "runs:read", "--days", "1")
    key = out.strip()
    assert key.startswith("an_")
    assert key not in said
    listed, _ = _keys(database, "list", "--json")
    told = json.loads(listed)
    assert (told["name"], told["owner"], told["scopes"]) == ("ann", "ann", ["runs:read"])
    assert key not in listed
    secret = key.split("_", 2)[2].encode()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ann" in kept
    assert secret[-20:] not in kept
    _, said = _keys(database, "revoke", "ann")
    assert "revoked" in said
    _, said = _keys(database, "revoke", "ann", code=2)
    assert "there is no key 'ann'" in said


@pytest.mark.parametrize(
    "words, told",
    [
        (("--scope", "everything"), "there is no scope 'everything'"),
        (("--scope", "runs:read", "--budget", "none"), "there is no budget 'none'"),
        (("--scope", "runs:read", "--budget", "a", "--budget-usd", "1"), "one budget"),
    ],
)
def test_key_that_makes_no_sense_is_refused(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    with Runtime(database) as runtime:
        runtime.budget("a", usd=1)
    _, said = _keys(database, "add", "ann", *words, code=2)
    assert told in said


def test_revoked_key_ends_soon_and_so_does_its_cookie(database: str, server: Serving) -> None:
    with Runtime(database) as runtime:
        key, _ = runtime.keys.add("brief", scopes=["runs:read"])
        opened = server.call("POST", "/api/v1/session", {"token": key}, token=None)
        assert opened.status == 204
        cookie = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}
        assert server.call("GET", "/api/v1/runs", token=None, headers=cookie).status == 200
        runtime.keys.revoke("brief")
    end = time.monotonic() + WAIT_S
    while server.call("GET", "/api/v1/runs", token=key).status != 401:
        assert time.monotonic() < end
    assert server.call("GET", "/api/v1/runs", token=None, headers=cookie).status == 401


def test_caller_who_asks_too_often_is_told_when_to_come_back(
    database: str, server: Serving
) -> None:
    with Runtime(database) as runtime:
        key, _ = runtime.keys.add("eager", scopes=["runs:read"], per_minute=3)
    answers = [server.call("GET", "/api/v1/runs", token=key) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].is_problem
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
    assert server.call("GET", "/api/v1/runs").status == 200


def test_runs_of_a_key_draw_from_its_budget_until_it_is_spent(
    database: str, server: Serving
) -> None:
    with Runtime(database) as runtime:
        runtime.budget("key thrifty", steps=2)
        key, _ = runtime.keys.add(
            "thrifty", scopes=["runs:read", "runs:write"], budget="key thrifty"
        )
    asked = {"team": "talk", "message": "hi"}
    ids = []
    for n in range(10):
        named = {"Idempotency-Key": f"thrifty {n}"}
        made = server.call("POST", "/api/v1/runs", asked, token=key, headers=named)
        if made.status != 201:
            break
        ids.append(made.json["id"])
        path = f"/api/v1/runs/{made.json['id']}/wait?timeout_s=10"
        assert server.call("GET", path, token=key).status == 200
    assert (made.status, made.is_problem) == (402, True)
    # What has begun can be asked for again.
    named = {"Idempotency-Key": "thrifty 0"}
    again = server.call("POST", "/api/v1/runs", asked, token=key, headers=named)
    assert (again.status, again.json["id"]) == (201, ids[0])
    # Nobody else's.
    assert server.ended(server.begin("talk"))["status"] == "finished"


def test_nobody_gives_away_what_they_lack(database: str, server: Serving) -> None:
    with Runtime(database) as runtime:
        key, _ = runtime.keys.add("deputy", scopes=["keys:admin", "runs:read"])
    asked = {"name": "deputys", "scopes": ["runs:read"], "owner": "ann"}
    made = server.call("POST", "/api/v1/keys", asked, token=key)
    assert (made.status, made.json["owner"]) == (201, "deputy")
    more = {"name": "more", "scopes": ["admin"]}
    assert server.call("POST", "/api/v1/keys", more, token=key).status == 403


def test_nobody_makes_a_key_with_wider_limits(database: str, server: Serving) -> None:
    with Runtime(database) as runtime:
        runtime.budget("key clerk", usd=3)
        runtime.budget("key boss", usd=3)
        scopes = ["keys:admin", "runs:read", "runs:write"]
        key, _ = runtime.keys.add("clerk", scopes=scopes, budget="key clerk", per_minute=500)

    def make(name: str, **more: object) -> tuple[int, object]:
        asked = {"name": name, "scopes": ["runs:read"], **more}
        made = server.call("POST", "/api/v1/keys", asked, token=key)
        return made.status, (made.json.get("budget"), made.json.get("per_minute"))

    assert make("plain") == (201, ("key clerk", 500))
    assert make("less", per_minute=5) == (201, ("key clerk", 5))
    assert make("more", per_minute=501)[0] == 403
    server.call("PUT", "/api/v1/budgets/other", {"usd": 1})
    assert make("other", budget="other")[0] == 403
    assert make("none", budget="none")[0] == 422
    assert make("boss", budget="key boss")[0] == 422
    asked = {"name": "x", "scopes": ["runs:read"], "budget": "none"}
    assert server.call("POST", "/api/v1/keys", asked).status == 422
    # Nor has runs pay with the budget of another key.
    begun = server.call("POST", "/api/v1/runs", {"team": "talk", "budget": "key boss"}, token=key)
    assert (begun.status, begun.is_problem) == (422, True)


def test_answer_is_of_the_caller_whatever_it_says(database: str, server: Serving) -> None:
    scopes = ["runs:read", "runs:write", "questions:answer"]
    with Runtime(database) as runtime:
        key, _ = runtime.keys.add("ann", scopes=scopes)
    made = server.call("POST", "/api/v1/runs", {"team": "ask"}, token=key)
    path = f"/api/v1/questions?run_id={made.json['id']}"
    end = time.monotonic() + WAIT_S
    while not (found := server.call("GET", path, token=key).json["items"]):
        assert time.monotonic() < end
    body = {"action": "approve", "by": "boss"}
    answer = server.call("POST", f"/api/v1/questions/{found[0]['id']}/answer", body, token=key)
    assert answer.json["answered_by"] == "ann"


@pytest.mark.parametrize("way", ["stream", "door"])
def test_streams_end_with_the_key_that_opened_them(
    database: str, server: Serving, way: str
) -> None:
    with Runtime(database) as runtime:
        name = f"follower {way}"
        key, _ = runtime.keys.add(name, scopes=["runs:read", "runs:write"])
        asked = {"team": "slow", "message": "hi"}
        if way == "stream":
            made = server.call("POST", "/api/v1/runs", {**asked, "max_turns": 900}, token=key)
            request: tuple[Any, ...] = ("GET", f"/api/v1/runs/{made.json['id']}/events", None)
        else:
            said = [{"role": "user", "content": "hi"}]
            body = {"model": "lasting", "stream": True, "messages": said}
            request = ("POST", "/v1/chat/completions", body)
        method, path, body = request
        at = time.monotonic()

        async def read() -> bytes:
            headers = {**server.bearer(key), "Accept": "text/event-stream"}
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, server.url + path, json=body, headers=headers) as got,
            ):
                assert got.status == 200
                told = await got.content.readline()
                await asyncio.to_thread(runtime.keys.revoke, name)
                async for line in got.content:
                    told += line
                return told

        told = asyncio.run(read())
    # As a stream ends that was cut off: not as if the run had come to its end.
    assert b"event: end" not in told
    assert b"[DONE]" not in told
    assert time.monotonic() - at < WAIT_S


def test_other_addresses_want_keys_and_names(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    with pytest.raises(UsageError, match="autogen keys add"):
        Service(database, host="0.0.0.0", port=0, allowed_hosts=["a.example"], is_worker=False)
    with Runtime(database) as runtime:
        runtime.keys.add("ann", scopes=["runs:read"])
    with pytest.raises(UsageError, match="--allowed-host"):
        Service(database, host="0.0.0.0", port=0)
    service = Service(
        database, host="0.0.0.0", port=0, allowed_hosts=["a.example"], is_worker=False
    )
    try:
        assert service.token is None
    finally:
        service.close()
