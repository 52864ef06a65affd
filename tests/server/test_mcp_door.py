"""The door of MCP, by the official client over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestFormParams, ElicitResult
from tests.server.doors import WAIT_S
from tests.server.serving import Serving

#: The protocol of 2026, in which a server asks by answering; and the one with sessions.
MODES = ("auto", "legacy")


@asynccontextmanager
async def client(
    doors: Serving, mode: str, *, token: str = "", **options: Any
) -> AsyncIterator[Client]:
    timeout = httpx2.Timeout(WAIT_S)
    async with httpx2.AsyncClient(headers=doors.bearer(token), timeout=timeout) as http:
        transport = streamable_http_client(f"{doors.url}/mcp", http_client=http)
        async with Client(transport, mode=mode, **options) as made:
            yield made


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content)


@pytest.mark.parametrize("mode", MODES)
def test_teams_are_tools(doors: Serving, mode: str) -> None:
    async def main() -> None:
        async with client(doors, mode) as mcp:
            tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
            assert {"echo", "two", "answer_question", "wait_for_run"} <= set(tools)
            assert tools["two"].description == "Answers twice."
            assert tools["two"].input_schema["required"] == ["message"]

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_tells_the_summary_and_its_progress(doors: Serving, mode: str) -> None:
    told: list[str | None] = []

    async def progress(_n: float, _of: float | None, message: str | None) -> None:
        told.append(message)

    async def main() -> None:
        async with client(doors, mode) as mcp:
            got: Any = await mcp.call_tool("two", {"message": "hello"}, progress_callback=progress)
            assert text_of(got) == "last words "
            assert got.structured_content["status"] == "finished"
            run = got.structured_content["run_id"]
            assert (await asyncio.to_thread(doors.get, f"/api/v1/runs/{run}"))["team"] == "two"

    asyncio.run(main())
    assert told[0] == "writer: first words"
    assert told[-1] == "writer: last words TERMINATE"


@pytest.mark.parametrize("mode", MODES)
def test_questions_go_to_the_person_at_the_client(doors: Serving, mode: str) -> None:
    asked: list[str] = []

    async def ask(_context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        answers = ["/approve", "my own words"]
        return ElicitResult(action="accept", content={"answer": answers[len(asked) - 1]})

    async def main() -> None:
        async with client(doors, mode, elicitation_callback=ask) as mcp:
            got = await mcp.call_tool("ask", {"message": "hello"})
            assert text_of(got) == "my own words"

    asyncio.run(main())
    assert len(asked) == 2
    assert all(text.startswith("asker asks: ") for text in asked)


@pytest.mark.parametrize("mode", MODES)
def test_a_question_that_nobody_answers_stays_open(doors: Serving, mode: str) -> None:
    async def ask(_context: Any, _params: Any) -> ElicitResult:
        return ElicitResult(action="cancel")

    async def main() -> None:
        async with client(doors, mode, elicitation_callback=ask) as mcp:
            got: Any = await mcp.call_tool("ask", {"message": "hello"})
            run = got.structured_content
            assert run["status"] == "waiting"
            again: Any = await mcp.call_tool(
                "answer_question", {"run_id": run["run_id"], "answer": "/stop"}
            )
            assert again.structured_content["status"] == "finished"

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_cannot_ask_gets_the_question(doors: Serving, mode: str) -> None:
    async def main() -> None:
        async with client(doors, mode) as mcp:
            got: Any = await mcp.call_tool("ask", {"message": "hello"})
            assert "asker asks: " in text_of(got)
            assert "answer_question" in text_of(got)
            run = got.structured_content["run_id"]
            got = await mcp.call_tool("answer_question", {"run_id": run, "answer": "/approve"})
            assert got.structured_content["question"] is not None
            got = await mcp.call_tool("answer_question", {"run_id": run, "answer": "bye"})
            assert text_of(got) == "bye"
            got = await mcp.call_tool("wait_for_run", {"run_id": run})
            assert text_of(got) == "bye"
            got = await mcp.call_tool("answer_question", {"run_id": run, "answer": "more"})
            assert got.is_error
            assert "asks nothing" in text_of(got)

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_failures_are_errors_of_the_tool(doors: Serving, mode: str) -> None:
    async def main() -> None:
        async with client(doors, mode) as mcp:
            got = await mcp.call_tool("broken", {"message": "hello"})
            assert got.is_error
            assert "the wheel came off" in text_of(got)
            got = await mcp.call_tool("wait_for_run", {"run_id": "nobody"})
            assert got.is_error
            assert "nobody" in text_of(got)

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_a_call_that_is_cancelled_cancels_the_run(doors: Serving, mode: str) -> None:
    async def main() -> None:
        began = asyncio.Event()

        async def progress(_n: float, _of: float | None, _message: str | None) -> None:
            began.set()

        async with client(doors, mode) as mcp:
            call = asyncio.create_task(
                mcp.call_tool("slow", {"message": "hello"}, progress_callback=progress)
            )
            await asyncio.wait_for(began.wait(), WAIT_S)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            run = (await asyncio.to_thread(doors.get, "/api/v1/runs?team=slow"))["items"][0]
            ended = await asyncio.to_thread(doors.ended, run["id"])
            assert ended["status"] == "cancelled"

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_a_call_ends_with_its_key_and_the_run_goes_on(doors: Serving, mode: str) -> None:
    asked = {"name": f"brief {mode}", "scopes": ["runs:read", "runs:write"]}
    key = doors.call("POST", "/api/v1/keys", asked).json["key"]

    async def main() -> None:
        began = asyncio.Event()

        async def progress(_n: float, _of: float | None, _message: str | None) -> None:
            began.set()

        async with client(doors, mode, token=key) as mcp:
            call = asyncio.create_task(
                mcp.call_tool("slow", {"message": "hello"}, progress_callback=progress)
            )
            await asyncio.wait_for(began.wait(), WAIT_S)
            await asyncio.to_thread(doors.call, "DELETE", f"/api/v1/keys/brief%20{mode}")
            with pytest.raises(MCPError, match="ended without a response"):
                await asyncio.wait_for(call, WAIT_S)

    asyncio.run(main())
    run = doors.get("/api/v1/runs?team=slow")["items"][0]
    assert run["status"] == "running"
    doors.call("POST", f"/api/v1/runs/{run['id']}/cancel")


def test_nobody_gets_in_without_a_token(doors: Serving) -> None:
    answer = doors.call("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"}, token=None)
    assert answer.status == 401
    assert answer.is_problem
