"""A server that is killed in the middle of a request at each door, and what asking again gives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.server.doors import TEAMS
from tests.server.serving import WAIT_S, Serving
from tests.server.test_mcp_door import client, text_of

pytestmark = [pytest.mark.timeout(180)]

TEAM = "while"

#: The runs are 30 turns of 50 ms; the machine may have other things to do.
END_S = 90.0

Door = Callable[[Serving, aiohttp.ClientSession], Awaitable[str]]


async def _post(
    server: Serving, session: aiohttp.ClientSession, path: str, body: Any, **headers: str
) -> str:
    async with session.post(server.url + path, json=body, headers=headers) as got:
        text = await got.text()
        assert got.status in (200, 201), text
        return text


async def _native(server: Serving, session: aiohttp.ClientSession) -> str:
    asked = {"team": TEAM, "message": "hello"}
    made = await _post(server, session, "/api/v1/runs", asked, **{"Idempotency-Key": "one"})
    run_id = str(json.loads(made)["id"])
    while True:
        path = f"{server.url}/api/v1/runs/{run_id}/wait?timeout_s=20"
        async with session.get(path) as got:
            assert got.status == 200
            if (await got.json())["status"] == "finished":
                return run_id


async def _chat(server: Serving, session: aiohttp.ClientSession) -> str:
    asked = {"model": TEAM, "messages": [{"role": "user", "content": "hello"}]}
    key = {"Idempotency-Key": "two"}
    told = json.loads(await _post(server, session, "/v1/chat/completions", asked, **key))
    assert told["choices"][0]["message"]["content"] == "word"
    return str(told["metadata"]["run_id"])


async def _responses(server: Serving, session: aiohttp.ClientSession) -> str:
    asked = {"model": TEAM, "input": "hello"}
    key = {"Idempotency-Key": "three"}
    told = json.loads(await _post(server, session, "/v1/responses", asked, **key))
    assert told["status"] == "completed"
    return str(told["metadata"]["run_id"])


async def _a2a(server: Serving, session: aiohttp.ClientSession) -> str:
    message = {"messageId": "four", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    version = {"A2A-Version": "1.0"}
    told = json.loads(await _post(server, session, f"/a2a/{TEAM}", asked, **version))
    task = told["result"]["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    return str(task["id"])


async def _ag_ui(server: Serving, session: aiohttp.ClientSession) -> str:
    said = [{"id": "1", "role": "user", "content": "hello"}]
    asked = {"threadId": "five", "runId": "five", "messages": said}
    told = await _post(server, session, f"/ag-ui/{TEAM}", asked)
    last = [line for line in told.splitlines() if line.startswith("data: ")][-1]
    result = json.loads(last.removeprefix("data: "))["result"]
    assert (result["status"], result["summary"]) == ("finished", "word")
    return str(result["run_id"])


DOORS: tuple[Door, ...] = (_native, _chat, _responses, _a2a, _ag_ui)


def _messages(server: Serving) -> list[int]:
    """How many messages each run has."""
    runs = server.get("/api/v1/runs")["items"]
    paths = [f"/api/v1/runs/{run['id']}/messages?limit=1000" for run in runs]
    return [len(server.get(path)["items"]) for path in paths]


async def _through_all(server: Serving) -> list[Any]:
    timeout = aiohttp.ClientTimeout(total=END_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=server.bearer()) as session:
        asked = (door(server, session) for door in DOORS)
        return await asyncio.gather(*asked, return_exceptions=True)


def test_asking_again_gives_the_run_that_went_on(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    first = Serving(database, teams=TEAMS)

    async def broken_off() -> list[Any]:
        asking = asyncio.create_task(_through_all(first))
        end = time.monotonic() + END_S
        while True:
            said = await asyncio.to_thread(_messages, first)
            if len(said) == len(DOORS) and min(said) >= 5:
                break
            assert time.monotonic() < end and not asking.done(), said
        await asyncio.to_thread(first.kill)
        return await asking

    try:
        found = asyncio.run(broken_off())
    finally:
        first.kill()
    # Clients know that they were not answered.
    assert all(isinstance(one, aiohttp.ClientError) for one in found), found
    second = Serving(database, port=first.port, teams=TEAMS)
    try:
        ids = asyncio.run(_through_all(second))
        assert all(isinstance(one, str) for one in ids), ids
        assert len(set(ids)) == len(DOORS)
        runs = second.get("/api/v1/runs")["items"]
        assert {run["id"] for run in runs} == set(ids)
        assert {(run["status"], run["attempts"]) for run in runs} == {("finished", 2)}
        # Nothing was said twice.
        assert set(_messages(second)) == {60}
        assert second.stop() == 0
    finally:
        second.kill()


def test_a_call_of_mcp_that_broke_off_is_waited_for_by_its_run(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    first = Serving(database, teams=TEAMS)

    async def broken_off() -> None:
        began = asyncio.Event()

        async def progress(_n: float, _of: float | None, _message: str | None) -> None:
            began.set()

        async with client(first, "auto") as mcp:
            asked = {"message": "hello"}
            call = asyncio.create_task(mcp.call_tool(TEAM, asked, progress_callback=progress))
            await asyncio.wait_for(began.wait(), WAIT_S)
            await asyncio.to_thread(first.kill)
            await call

    try:
        # The library's own error, in groups of its tasks.
        with pytest.raises(Exception):  # noqa: B017
            asyncio.run(broken_off())
    finally:
        first.kill()
    second = Serving(database, port=first.port, teams=TEAMS)
    try:

        async def wait() -> str:
            (run,) = (await asyncio.to_thread(second.get, "/api/v1/runs"))["items"]
            async with client(second, "auto") as mcp:
                end = time.monotonic() + END_S
                while time.monotonic() < end:
                    got: Any = await mcp.call_tool("wait_for_run", {"run_id": run["id"]})
                    if got.structured_content["status"] == "finished":
                        return text_of(got)
                raise AssertionError(got)

        assert asyncio.run(wait()) == "word"
        assert _messages(second) == [60]
        assert second.stop() == 0
    finally:
        second.kill()
