"""Every route against every caller that must not get through.

The routes are those of the OpenAPI document and of the doors, so that no new one is forgotten: one
without a scope fails here, and so does one about a run whose id nobody taught this file to fill in.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from fastapi.routing import iter_route_contexts
from tests.server.issuer import AUDIENCE, ISSUER, Issuer
from tests.server.serving import WAIT_S, Serving

from autogen.runtime.runtime import Runtime
from autogen.server import Service
from autogen.server.api import scopes_of
from autogen.server.callers import ADMIN, SCOPES
from autogen.server.doors import DOOR_PATHS
from autogen.server.guard import OPEN_PATHS

pytestmark = pytest.mark.xdist_group("matrix")

EVERYTHING = sorted(set(SCOPES) - {ADMIN})

#: What a route wants beside its path, where nothing would be refused as no good request.
BODIES: dict[str, Any] = {
    "/api/v1/questions/{question_id}/answer": {"action": "approve"},
    "/api/v1/runs/{run_id}/egress": {"host": "a.example"},
    "/api/v1/runs/{run_id}/fork": {"at": 1},
    "/api/v1/runs": {"team": "talk"},
    "/api/v1/chats/{name}/messages": {"message": "hi"},
    "/api/v1/keys": {"name": "more", "scopes": ["runs:read"]},
    "/api/v1/budgets/{name}": {"usd": 1},
}

#: Names in paths that are nobody's own.
SHARED = {"/api/v1/teams/{name}", "/api/v1/budgets/{name}"}


class World(NamedTuple):
    """A server, its callers, and what belongs to Ann."""

    server: Serving
    issuer: Issuer
    keys: dict[str, str]
    own: dict[str, str]
    routes: list[tuple[str, str, str | None]]

    def path(self, path: str) -> str:
        """A path with Ann's things in it."""
        filled = re.sub(r"{(\w+)}", lambda found: self.own[self._named(path, found[1])], path)
        asked = {"diff": f"?other={self.own['run_id']}", "wait": "?timeout_s=0"}
        return filled + asked.get(filled.rpartition("/")[2], "")

    @staticmethod
    def _named(path: str, name: str) -> str:
        return "key" if path.startswith("/api/v1/keys/") else name


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    database = f"sqlite:///{tmp_path_factory.mktemp('matrix') / 'runs.db'}"
    issuer = Issuer()
    keys = {}
    with Runtime(database) as runtime:
        for name in ("ann", "ben"):
            keys[name], _ = runtime.keys.add(name, scopes=EVERYTHING)
        for scope in SCOPES:
            but = set(EVERYTHING) - {scope}
            keys[f"all but {scope}"], _ = runtime.keys.add(f"all but {scope}", scopes=but)
        keys["expired"], _ = runtime.keys.add("expired", scopes=[ADMIN], days=1e-9)
        keys["revoked"], _ = runtime.keys.add("revoked", scopes=[ADMIN])
        runtime.keys.revoke("revoked")
        keys["counting"], _ = runtime.keys.add("counting", scopes=["metrics:read"])
    arguments = ["--jwks-url", issuer.url, "--issuer", ISSUER, "--audience", AUDIENCE]
    server = Serving(database, *arguments)
    try:
        described = server.get("/openapi.json")["paths"]
        routes = [
            (method.upper(), path, (operation["security"] or [{"token": [None]}])[0]["token"])
            for path, methods in described.items()
            for method, operation in methods.items()
        ]
        flat = [(method, path, scopes[0] if scopes else None) for method, path, scopes in routes]
        yield World(server, issuer, keys, _own(server, keys["ann"]), flat)
        assert server.stop() == 0
        said = "".join(server.said)
        assert not [key for key in keys.values() if key in said]
    finally:
        server.kill()
        issuer.close()


def _own(server: Serving, key: str) -> dict[str, str]:
    """A run that waits for an answer, its chat, its question, a file, and the id of an artifact."""
    asked = {"team": "ask", "conversation": "talk"}
    made = server.call("POST", "/api/v1/runs", asked, token=key)
    assert made.status == 201, made.text
    run_id = made.json["id"]
    end = time.monotonic() + WAIT_S
    while not (open_ := server.call("GET", "/api/v1/questions", token=key).json["items"]):
        assert time.monotonic() < end, "nobody asks"
    file = server.call("POST", "/api/v1/files?name=of-ann.csv", data=b"a,b", token=key)
    assert file.status == 201, file.text
    place = json.dumps([run_id, 1, 0], separators=(",", ":")).encode()
    return {
        "run_id": run_id,
        "question_id": open_[0]["id"],
        "file_id": file.json["id"],
        "artifact_id": base64.urlsafe_b64encode(place).decode().rstrip("="),
        "key": "ann",
        # Of a team, a budget, and the chat.
        "name": "talk",
        "team": "talk",
    }


def _ask(
    world: World, routes: list[tuple[str, str]], headers: dict[str, str], token: str | None
) -> dict[tuple[str, str], tuple[int, str, str]]:
    """The status, the kind and the text that each route answers with."""

    async def all_of_them() -> dict[tuple[str, str], tuple[int, str, str]]:
        found = {}
        sent = {**headers, "Content-Type": "application/json"}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        timeout = aiohttp.ClientTimeout(total=4 * WAIT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for method, path in routes:
                has_body = method in ("POST", "PUT")
                body = json.dumps(BODIES.get(path, {})).encode() if has_body else None
                url = world.server.url + world.path(path)
                async with session.request(method, url, headers=sent, data=body) as got:
                    text = await got.text(errors="replace")
                    found[method, path] = got.status, got.content_type, text
        return found

    return asyncio.run(all_of_them())


def _all(world: World) -> list[tuple[str, str]]:
    return [(method, path) for method, path, _ in world.routes] + list(DOOR_PATHS)


REFUSED = {
    "no key": 401,
    "a bad key": 401,
    "half of a key": 401,
    "an expired key": 401,
    "a revoked key": 401,
    "alg=none": 401,
    "mixed-up algorithms": 401,
    "an algorithm that the key has not": 401,
    "somebody else's signature": 401,
    "a foreign Origin": 403,
    "no Origin": 403,
    "a foreign Host": 421,
}


def _shown(world: World, who: str) -> tuple[dict[str, str], str | None]:
    issuer, keys = world.issuer, world.keys
    return {
        "no key": ({}, None),
        "a bad key": ({}, "an_000000000000_" + "x" * 43),
        "half of a key": ({}, keys["ann"][:-1]),
        "an expired key": ({}, keys["expired"]),
        "a revoked key": ({}, keys["revoked"]),
        "alg=none": ({}, issuer.unsigned()),
        "mixed-up algorithms": ({}, issuer.mixed_up()),
        "an algorithm that the key has not": ({}, issuer.mixed_up("ES256")),
        "somebody else's signature": ({}, issuer.token()[:-8] + "AAAAAAAA"),
        "a foreign Origin": ({"Origin": "https://evil.example"}, keys["ann"]),
        "no Origin": ({"Origin": "null"}, keys["ann"]),
        "a foreign Host": ({"Host": "evil.example"}, keys["ann"]),
    }[who]


@pytest.mark.parametrize("who", REFUSED)
def test_every_route_refuses(world: World, who: str) -> None:
    headers, token = _shown(world, who)
    routes = [
        (method, path)
        for method, path in _all(world)
        if path not in OPEN_PATHS or REFUSED[who] != 401
    ]
    answers = _ask(world, routes, headers, token)
    assert len(answers) >= 35
    odd = {route: got for route, got in answers.items() if got[0] != REFUSED[who]}
    assert not odd
    assert token is None or token not in str(answers)


@pytest.mark.parametrize("scope", EVERYTHING)
def test_every_route_refuses_who_lacks_its_scope(world: World, scope: str) -> None:
    routes = [(method, path) for method, path, wanted in world.routes if wanted == scope]
    assert routes, "no route wants this scope"
    answers = _ask(world, routes, {}, world.keys[f"all but {scope}"])
    assert {status for status, _, _ in answers.values()} == {403}, answers
    assert all(kind == "application/problem+json" for _, kind, _ in answers.values())


def test_every_door_refuses_who_may_not_read_runs(world: World) -> None:
    answers = _ask(world, list(DOOR_PATHS), {}, world.keys["counting"])
    assert {status for status, _, _ in answers.values()} == {403}, answers


def test_what_is_somebody_elses_is_not_there(world: World) -> None:
    named = [
        (method, path) for method, path, _ in world.routes if "{" in path and path not in SHARED
    ]
    assert len(named) >= 15
    answers = _ask(world, named, {}, world.keys["ben"])
    assert {route: got for route, got in answers.items() if got[0] != 404} == {}
    # They are there: for Ann.
    reads = [(method, path) for method, path in named if method == "GET"]
    seen = _ask(world, [r for r in reads if "artifact_id" not in r[1]], {}, world.keys["ann"])
    assert {route: got for route, got in seen.items() if got[0] != 200} == {}


def test_lists_hold_nothing_of_somebody_else(world: World) -> None:
    lists = [
        (method, path)
        for method, path, _ in world.routes
        if method == "GET" and "{" not in path and path.startswith("/api/")
    ]
    assert {path for _, path in lists} >= {"/api/v1/runs", "/api/v1/questions", "/api/v1/keys"}
    hers = [world.own[name] for name in ("run_id", "question_id", "file_id")] + ['"ann"']
    answers = _ask(world, lists, {}, world.keys["ben"])
    assert {status for status, _, _ in answers.values()} == {200}, answers
    assert not [one for one in hers for _, _, text in answers.values() if one in text]
    told = _ask(world, lists, {}, world.keys["ann"])
    assert hers[0] in told["GET", "/api/v1/runs"][2]


def test_every_route_says_what_it_needs(world: World) -> None:
    without = [path for _, path, scope in world.routes if scope not in SCOPES]
    assert sorted(set(without)) == sorted(OPEN_PATHS)


def test_no_route_is_hidden_from_this_table(tmp_path: Path, world: World) -> None:
    service = Service(f"sqlite:///{tmp_path / 'runs.db'}", port=0, is_worker=False)
    try:
        known = {path for _, path in _all(world)} | {"/openapi.json"}
        scopes = {path for path, _ in scopes_of(service.app)}
        known_patterns = {re.sub(r"{.*?}", "*", path) for path in known}
        for route in iter_route_contexts(service.app.routes):
            path = str(route.path)
            is_team = path.startswith(("/a2a/", "/ag-ui/"))
            is_page = path in ("/", "/studio", "/studio/{path:path}", "/assets/{name}")
            is_known = re.sub(r"{.*?}", "*", path) in known_patterns or path in scopes
            assert is_known or is_team or is_page or path == "/favicon.svg", path
    finally:
        service.close()
