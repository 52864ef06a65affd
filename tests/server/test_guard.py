"""Who may ask, and what every error looks like: held against every route that is described."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.server.serving import Serving

from autogen.errors import UsageError
from autogen.server import Service
from autogen.server.callers import SCOPES
from autogen.server.guard import MOST_BYTES, OPEN_PATHS

METHODS = {"delete", "get", "patch", "post", "put"}


def _routes(server: Serving) -> list[tuple[str, str]]:
    """Every route that is described, with a value for each name of its path."""
    described = server.get("/openapi.json")["paths"]
    return [
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if method in METHODS
    ]


CALLERS: dict[str, tuple[dict[str, Any], int]] = {
    "without a token": ({"token": None}, 401),
    "with another token": ({"token": "x" * 43}, 401),
    "with an empty token": ({"token": None, "headers": {"Authorization": "Bearer "}}, 401),
    "with another scheme": ({"token": None, "headers": {"Authorization": "Basic eDp5"}}, 401),
    "with a foreign cookie": ({"token": None, "headers": {"Cookie": "autogen_session=x"}}, 401),
    "under a foreign name": ({"headers": {"Host": "evil.example"}}, 421),
    "under a name that looks like ours": ({"headers": {"Host": "127.0.0.1.evil.example"}}, 421),
    "under no readable name": ({"headers": {"Host": "localhost:x"}}, 421),
    "for a foreign page": ({"headers": {"Origin": "http://evil.example"}}, 403),
    "for a page of another port": ({"headers": {"Origin": "http://127.0.0.1:1"}}, 403),
    "for a page of nowhere": ({"headers": {"Origin": "null"}}, 403),
}


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_refuses(server: Serving, caller: str) -> None:
    asked, status = CALLERS[caller]
    routes = _routes(server)
    assert len(routes) >= 18
    for method, path in [*routes, ("GET", "/openapi.json"), ("GET", "/nowhere")]:
        is_open = status == 401 and path in OPEN_PATHS
        answer = server.call(method, path.replace("{", "").replace("}", ""), **asked)
        if is_open:
            # Open to callers, but not to bodies that are none.
            assert answer.status == (422 if method == "POST" else 200), path
        else:
            assert (answer.status, answer.is_problem) == (status, True), path


def test_streams_are_guarded_too(server: Serving) -> None:
    run_id = server.begin("talk")
    stream = {"Accept": "text/event-stream"}
    path = f"/api/v1/runs/{run_id}/events"
    assert server.call("GET", path, headers=stream, token=None).status == 401
    for foreign in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert server.call("GET", path, headers={**stream, **foreign}).status in (403, 421)


def test_own_names_and_pages_are_let_in(server: Serving) -> None:
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}", "[::1]:1"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert server.call("GET", "/api/v1/teams", headers=headers).status == 200


def test_token_is_exchanged_for_a_cookie_of_this_server(server: Serving) -> None:
    wrong = server.call("POST", "/api/v1/session", {"token": "wrong"}, token=None)
    assert (wrong.status, wrong.is_problem) == (401, True)
    right = server.call("POST", "/api/v1/session", {"token": server.token}, token=None)
    assert right.status == 204
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert server.token not in cookie
    headers = {"Cookie": cookie.partition(";")[0]}
    assert server.call("GET", "/api/v1/teams", headers=headers, token=None).status == 200


def test_cookie_is_for_pages_of_this_server_alone(server: Serving) -> None:
    right = server.call("POST", "/api/v1/session", {"token": server.token}, token=None)
    cookie = {"Cookie": right.headers["Set-Cookie"].partition(";")[0]}
    for site, status in (
        ("same-origin", 200),
        # What is typed, or comes from a bookmark.
        ("none", 200),
        ("cross-site", 401),
        ("same-site", 401),
    ):
        headers = {**cookie, "Sec-Fetch-Site": site}
        assert server.call("GET", "/api/v1/teams", headers=headers, token=None).status == status
        # Tokens are nothing that browsers send by themselves.
        assert server.call("GET", "/api/v1/teams", headers={"Sec-Fetch-Site": site}).status == 200
        # A link from elsewhere leads to the page, which then asks for itself.
        page = server.call("GET", "/studio", headers=headers, token=None)
        assert (page.status, "<!doctype html>" in page.text.lower()) == (200, True)


def test_no_other_origin_may_read(server: Serving) -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = server.call("OPTIONS", "/api/v1/runs", headers=headers, token=None)
    assert answer.status == 403
    named = [*answer.headers, *server.call("GET", "/api/v1/teams").headers]
    assert not [name for name in named if name.lower().startswith("access-control")]


def test_addresses_that_others_reach_are_refused(tmp_path: Any) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):
        with pytest.raises(UsageError, match="can be reached from elsewhere"):
            Service(f"sqlite:///{tmp_path / 'runs.db'}", host=host)


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"team": "\xff"}',
    "not a number": b'{"team": "talk", "timeout_s": NaN}',
    "an endless number": b'{"team": "talk", "timeout_s": 1e999}',
    "a number beyond 64 bits": b'{"team": "talk", "message": {"n": 9223372036854775808}}',
    "a number of many digits": b'{"team": "talk", "message": {"n": ' + b"9" * 10_000 + b"}}",
    "half of a pair": b'{"team": "talk", "message": "\\ud800"}',
    "half of a pair as a name": b'{"team": "talk", "message": {"\\udfff": 1}}',
    "a NUL": b'{"team": "talk", "message": "a\\u0000b"}',
    "a NUL as a team": b'{"team": "\\u0000"}',
    "a deep list": b'{"team": "talk", "message": {"n": ' + b"[" * 100_000 + b"}",
    "a rather deep list": b'{"message": {"n": ' + b"[" * 80 + b"]" * 80 + b"}}",
    "another team": b'{"team": "nobody"}',
    "another field": b'{"team": "talk", "work_dir": "/etc"}',
    "a budget below zero": b'{"team": "talk", "budget": {"usd": -1}}',
    "a text for a number": b'{"team": "talk", "max_turns": "3"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_body_is_refused(server: Serving, name: str) -> None:
    answer = server.call("POST", "/api/v1/runs", data=BODIES[name])
    assert (answer.status, answer.is_problem) == (422, True), answer.text


def test_large_bodies_are_refused_whatever_they_say(server: Serving) -> None:
    large = b'{"team": "' + b"x" * MOST_BYTES + b'"}'
    answer = server.call("POST", "/api/v1/runs", data=large)
    assert (answer.status, answer.is_problem) == (413, True)

    async def in_pieces() -> tuple[int, str]:
        async def pieces() -> Any:
            for start in range(0, len(large), 65536):
                yield large[start : start + 65536]

        headers = {**server.bearer(), "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/api/v1/runs", data=pieces(), headers=headers) as got,
        ):
            return got.status, got.content_type

    assert asyncio.run(in_pieces()) == (413, "application/problem+json")


ODD_REQUESTS = (
    ("GET", "/api/v1/nothing", 404),
    ("GET", "/api/v1/runs/none", 404),
    ("GET", "/api/v1/teams/none", 404),
    ("POST", "/api/v1/questions/none/answer", 422),
    ("DELETE", "/api/v1/runs", 405),
    ("GET", "/api/v1/runs/%00", 422),
    ("GET", "/api/v1/runs/%ff", 404),
    ("GET", "/api/v1/runs?cursor=%00", 422),
    ("GET", "/api/v1/runs?cursor=bm9uZQ", 422),
    ("GET", "/api/v1/runs?status=odd", 422),
    ("GET", "/api/v1/runs?limit=99999999999999999999", 422),
    ("GET", "/api/v1/runs/none/events?after=99999999999999999999", 422),
    ("GET", "/api/v1/runs/none/wait?timeout_s=nan", 422),
    ("GET", "/api/v1/questions?run_id=%00", 422),
    ("GET", "/api/v1/runs/none/usage", 404),
)


@pytest.mark.parametrize("method, path, status", ODD_REQUESTS)
def test_every_error_is_a_problem(server: Serving, method: str, path: str, status: int) -> None:
    answer = server.call(method, path)
    assert (answer.status, answer.is_problem) == (status, True), answer.text


def test_health_is_open_and_every_route_tells_of_problems(server: Serving) -> None:
    for path in ("/healthz", "/readyz"):
        assert server.call("GET", path, token=None).json == {"status": "ok"}
    for path, methods in server.get("/openapi.json")["paths"].items():
        for operation in methods.values():
            content = operation["responses"]["default"]["content"]
            assert list(content) == ["application/problem+json"]
            wanted = operation["security"]
            if path in OPEN_PATHS:
                assert wanted == []
            else:
                ((scope,),) = [one["token"] for one in wanted]
                assert scope in SCOPES
