"""Streams of events: each one once and in order, whatever happens to connection and server."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.postgres import postgres_server, postgres_url  # noqa: F401 fixtures
from tests.server.serving import WAIT_S, Serving

TIMEOUT = aiohttp.ClientTimeout(total=3 * WAIT_S)


def _streamed(server: Serving, run_id: str, last: int | None = None) -> list[tuple[str, Any]]:
    async def read() -> list[tuple[str, Any]]:
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            return [event async for event in server.stream(session, run_id, last)]

    return asyncio.run(read())


def test_stream_has_every_event_and_ends_with_the_run(server: Serving) -> None:
    run_id = server.begin("talk")
    *events, end = _streamed(server, run_id)
    assert end == ("end", {"status": "finished", "stop_reason": "max_turns"})
    assert [event["pos"] for _, event in events] == list(range(1, len(events) + 1))
    assert events[0][1]["type"] == "run.started"
    assert events[-1][1]["type"] == "run.finished"

    page = server.get(f"/api/v1/runs/{run_id}/events?limit=1000")
    assert page["items"] == [event for _, event in events]
    assert page["next"] == len(events)
    assert server.get(f"/api/v1/runs/{run_id}/events?after={len(events)}")["items"] == []


def test_question_can_be_answered_as_soon_as_it_is_told(server: Serving) -> None:
    async def answer_at_once(run_id: str) -> int:
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            async for _, event in server.stream(session, run_id):
                if event.get("type") == "question.asked":
                    path = f"/api/v1/questions/{event['data']['id']}/answer"
                    async with session.post(
                        server.url + path, json={"action": "stop"}, headers=server.bearer()
                    ) as got:
                        return got.status
        raise AssertionError("nobody asked")

    for _ in range(3):
        run_id = server.begin("ask")
        assert asyncio.run(answer_at_once(run_id)) == 200
        assert server.ended(run_id)["stop_reason"] == "human_exit"


def test_stream_goes_on_after_the_event_that_the_client_names(server: Serving) -> None:
    run_id = server.begin("talk")
    server.ended(run_id)
    *events, _ = _streamed(server, run_id, last=3)
    assert events[0][1]["pos"] == 4
    last = events[-1][1]["pos"]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
    path = f"/api/v1/runs/{run_id}/events"
    assert server.call("GET", path, headers=headers).status == 204
    for odd in ("-1", "x", "9" * 40, "²"):
        answer = server.call("GET", path, headers={**headers, "Last-Event-ID": odd})
        assert (answer.status, answer.is_problem) == (422, True)


def test_many_clients_see_the_same(server: Serving) -> None:
    run_id = server.begin("slow", max_turns=4)

    async def read() -> list[list[int]]:
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:

            async def one() -> list[int]:
                stream = server.stream(session, run_id)
                return [event["pos"] async for name, event in stream if name == "message"]

            return await asyncio.gather(*(one() for _ in range(20)))

    seen = asyncio.run(read())
    assert all(one == seen[0] == list(range(1, len(seen[0]) + 1)) for one in seen)


def test_a_client_that_reads_nothing_stops_nobody(server: Serving) -> None:
    run_id = server.begin("slow", max_turns=4)

    async def stall() -> str:
        async with aiohttp.ClientSession(timeout=TIMEOUT, read_bufsize=64) as session:
            url = f"{server.url}/api/v1/runs/{run_id}/events"
            headers = {**server.bearer(), "Accept": "text/event-stream"}
            async with session.get(url, headers=headers):
                return str((await asyncio.to_thread(server.ended, run_id))["status"])

    assert asyncio.run(stall()) == "finished"


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_client_sees_each_event_once_across_servers(tmp_path: Path, way: str) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    first = Serving(database)
    seen: list[int] = []

    async def until(server: Serving, run_id: str, n: int | None) -> Any:
        ending = None
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            async for name, event in server.stream(session, run_id, seen[-1] if seen else None):
                if name == "end":
                    return event
                seen.append(event["pos"])
                if n is not None and len(seen) >= n:
                    # In the middle of the chat, and of the stream.
                    ending = asyncio.create_task(asyncio.to_thread(getattr(server, way)))
                    n = None
            if ending is not None:
                await ending
        return None

    try:
        run_id = first.begin("slow")
        with suppress(aiohttp.ClientError):
            assert asyncio.run(until(first, run_id, 20)) is None
    finally:
        first.kill()
    second = Serving(database, port=first.port)
    try:
        end = asyncio.run(until(second, run_id, None))
        assert end == {"status": "finished", "stop_reason": "max_turns"}
        assert seen == list(range(1, len(seen) + 1))
        assert second.get(f"/api/v1/runs/{run_id}")["attempts"] == 2
        assert len(second.get(f"/api/v1/runs/{run_id}/messages?limit=1000")["items"]) == 60
    finally:
        assert second.stop() == 0


def test_open_streams_do_not_hold_up_the_end(tmp_path: Path) -> None:
    server = Serving(f"sqlite:///{tmp_path / 'runs.db'}")
    try:
        run_id = server.begin("ask")

        async def watch() -> list[str]:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                stream = server.stream(session, run_id)
                names = [(await anext(stream))[0]]
                ended = asyncio.create_task(asyncio.to_thread(server.stop))
                names += [name async for name, _ in stream]
                assert await ended == 0
                return names

        assert "end" not in asyncio.run(watch())
    finally:
        server.kill()


def test_a_thousand_followers_miss_nothing(server: Serving) -> None:
    """They come before and while the run goes on; each sees every event once and in order."""
    n_followers = 1000
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 8192), limits[1]))
    run_id = server.begin("slow", max_turns=20)

    async def read() -> list[list[int]]:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

            async def one() -> list[int]:
                stream = server.stream(session, run_id)
                return [event["pos"] async for name, event in stream if name == "message"]

            return await asyncio.gather(*(one() for _ in range(n_followers)))

    try:
        seen = asyncio.run(read())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    n_events = len(server.get(f"/api/v1/runs/{run_id}/events?limit=1000")["items"])
    assert n_events > 60
    assert all(one == list(range(1, n_events + 1)) for one in seen)


@pytest.mark.timeout(180)
def test_servers_and_workers_share_a_database(
    postgres_url: str,  # noqa: F811
) -> None:
    """One of them is killed in the middle; followers of the others see each event once."""
    servers = [Serving(postgres_url), Serving(postgres_url)]
    try:
        door = Serving(postgres_url, "--no-worker")
        servers.append(door)
        run_ids = [server.begin("slow", max_turns=12) for server in servers for _ in range(2)]

        async def read() -> dict[str, list[int]]:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:

                async def one(run_id: str) -> list[int]:
                    seen = []
                    async for name, event in door.stream(session, run_id):
                        if name == "message":
                            seen.append(event["pos"])
                        if len(seen) == 10 and run_id == run_ids[0]:
                            await asyncio.to_thread(servers[0].kill)
                    return seen

                return dict(zip(run_ids, await asyncio.gather(*map(one, run_ids)), strict=True))

        for run_id, seen in asyncio.run(read()).items():
            assert seen == list(range(1, len(seen) + 1))
            run = servers[1].get(f"/api/v1/runs/{run_id}")
            assert (run["status"], run["stop_reason"]) == ("finished", "max_turns")
            messages = door.get(f"/api/v1/runs/{run_id}/messages?limit=1000")["items"]
            assert len(messages) == 24
    finally:
        servers[0].kill()
        assert [server.stop() for server in servers[1:]] == [0] * (len(servers) - 1)
