"""Requests that take long: they end with what let them in, and nobody has all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.server.serving import WAIT_S, Serving

from autogen.runtime.runtime import Runtime
from autogen.server.stream import KEEP_ALIVE_S

pytestmark = pytest.mark.xdist_group("underway")

SCOPES = ["runs:read", "runs:write"]
MOST = 3

#: Far more than it takes to notice, and less than anything says a word in.
MOST_S = 10.0


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('underway') / 'runs.db'}"


@pytest.fixture(scope="module")
def server(database: str) -> Iterator[Serving]:
    serving = Serving(database, "--per-caller", str(MOST))
    yield serving
    assert serving.stop() == 0
    assert "Traceback" not in "".join(serving.said)


@pytest.fixture
def runtime(database: str) -> Iterator[Runtime]:
    with Runtime(database) as opened:
        yield opened


def _waiting_run(server: Serving, key: str) -> str:
    """A run that waits for a person, and says nothing meanwhile."""
    made = server.call("POST", "/api/v1/runs", {"team": "ask", "message": "hi"}, token=key)
    assert made.status == 201
    run_id = str(made.json["id"])
    while not server.get(f"/api/v1/questions?status=open&run_id={run_id}")["items"]:
        pass
    return run_id


def _requests(server: Serving, key: str) -> dict[str, Callable[[], tuple[str, str, Any]]]:
    said = [{"role": "user", "content": "hi"}]

    def chat() -> tuple[str, str, Any]:
        return "POST", "/v1/chat/completions", {"model": "lasting", "messages": said}

    def wait() -> tuple[str, str, Any]:
        return "GET", f"/api/v1/runs/{_waiting_run(server, key)}/wait?timeout_s=60", None

    def stream() -> tuple[str, str, Any]:
        return "GET", f"/api/v1/runs/{_waiting_run(server, key)}/events", None

    return {"wait": wait, "door": chat, "stream": stream}


@asynccontextmanager
async def _asked(
    server: Serving, key: str, method: str, path: str, body: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {**server.bearer(key), "Accept": "text/event-stream"}
    timeout = aiohttp.ClientTimeout(total=MOST_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, server.url + path, json=body, headers=headers) as got,
    ):
        yield got


@pytest.mark.parametrize("way", ["wait", "door"])
def test_answer_that_takes_long_ends_with_the_key(
    server: Serving, runtime: Runtime, way: str
) -> None:
    key, _ = runtime.keys.add(f"patient {way}", scopes=SCOPES)
    method, path, body = _requests(server, key)[way]()

    async def ask() -> tuple[int, str, Any]:
        async with _asked(server, key, method, path, body) as got:
            return got.status, got.headers["Content-Type"], await got.json(content_type=None)

    async def both() -> tuple[int, str, Any]:
        before = await asyncio.to_thread(_n_followers, server)
        asking = asyncio.create_task(ask())
        while await asyncio.to_thread(_n_followers, server) == before:
            assert not asking.done()
        await asyncio.to_thread(runtime.keys.revoke, f"patient {way}")
        return await asking

    status, media_type, told = asyncio.run(both())
    assert (status, media_type) == (401, "application/problem+json")
    assert "holds no longer" in told["detail"]


def _n_followers(server: Serving) -> int:
    lines = server.call("GET", "/metrics").text.splitlines()
    (line,) = (line for line in lines if line.startswith("autogen_streams "))
    return int(line.split()[1])


def test_silent_stream_ends_with_the_key_before_it_says_anything_again(
    server: Serving, runtime: Runtime
) -> None:
    key, _ = runtime.keys.add("silent", scopes=SCOPES)
    method, path, body = _requests(server, key)["stream"]()

    async def read() -> bytes:
        told = b""
        async with _asked(server, key, method, path, body) as got:
            assert got.status == 200
            async for line in got.content:
                told += line
                if b"question.asked" in line:
                    await asyncio.to_thread(runtime.keys.revoke, "silent")
        return told

    assert MOST_S < KEEP_ALIVE_S
    told = asyncio.run(read())
    assert b"question.asked" in told
    # As a stream ends that was cut off.
    assert b"event: end" not in told
    assert b"still here" not in told


def test_one_caller_leaves_room_for_others(server: Serving, runtime: Runtime) -> None:
    key, _ = runtime.keys.add("greedy", scopes=SCOPES)
    second, _ = runtime.keys.add("greedy too", scopes=SCOPES, owner="greedy")
    modest, _ = runtime.keys.add("modest", scopes=SCOPES)
    path = f"/api/v1/runs/{_waiting_run(server, key)}/events"

    async def hold() -> None:
        async with AsyncExitStack() as held:
            for _ in range(MOST):
                got = await held.enter_async_context(_asked(server, key, "GET", path, None))
                assert got.status == 200
            for its in (key, second):
                refused = await asyncio.to_thread(server.call, "GET", "/api/v1/runs", token=its)
                assert (refused.status, refused.is_problem) == (429, True)
                assert 0 < int(refused.headers["Retry-After"]) <= 60
                assert f"{MOST} requests and streams" in refused.json["detail"]
            for others in (modest, server.token):
                answer = await asyncio.to_thread(server.call, "GET", "/api/v1/runs", token=others)
                assert answer.status == 200
        # What it let go of is its again.
        again = 429
        while again == 429:
            again = (await asyncio.to_thread(server.call, "GET", "/api/v1/runs", token=key)).status
        assert again == 200

    asyncio.run(asyncio.wait_for(hold(), 2 * WAIT_S))


def test_token_of_this_machine_has_no_limit(server: Serving) -> None:
    path = f"/api/v1/runs/{server.begin('ask')}/events"

    async def hold() -> list[int]:
        async with AsyncExitStack() as held:
            asked = [_asked(server, server.token, "GET", path, None) for _ in range(3 * MOST)]
            return [(await held.enter_async_context(one)).status for one in asked]

    assert asyncio.run(hold()) == [200] * 3 * MOST
