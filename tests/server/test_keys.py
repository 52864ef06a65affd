"""Keys: made at the command line, told once, and held to what they may do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.serving import START_S, WAIT_S, Serving

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
    done = subprocess.run(
        [sys.executable, "-m", "autogen.cli", "keys", *words, "--database", database],
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == code, done.stderr
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
    for _ in range(10):
        made = server.call("POST", "/api/v1/runs", {"team": "talk", "message": "hi"}, token=key)
        if made.status != 201:
            break
        path = f"/api/v1/runs/{made.json['id']}/wait?timeout_s=10"
        assert server.call("GET", path, token=key).status == 200
    assert (made.status, made.is_problem) == (402, True)
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
