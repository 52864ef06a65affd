"""Doors are for the caller's own runs, and for what the caller may do."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import openai
import pytest
from a2a.types.a2a_pb2 import GetTaskRequest
from a2a.utils.errors import A2AError, TaskNotFoundError
from tests.server.doors import WAIT_S
from tests.server.serving import Answer, Serving
from tests.server.test_a2a_door import agent, said, sent
from tests.server.test_mcp_door import client, text_of

from autogen.server.doors import DOOR_PATHS

WORK = ["runs:read", "runs:write", "questions:answer"]


def key_of(doors: Serving, scopes: list[str], **more: Any) -> str:
    """A key of a caller of its own."""
    name = uuid.uuid4().hex
    answer = doors.call("POST", "/api/v1/keys", {"name": name, "scopes": scopes, **more})
    assert answer.status == 201, answer.text
    return str(answer.json["key"])


def say(doors: Serving, token: str, *texts: str, **more: Any) -> Answer:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    body = {"model": "ask", "messages": messages, **more}
    return doors.call("POST", "/v1/chat/completions", body, token=token)


def resume(doors: Serving, token: str, question: str) -> Answer:
    entry = {"interruptId": question, "status": "resolved", "payload": "hm"}
    body = {"threadId": "t", "runId": uuid.uuid4().hex, "messages": [], "resume": [entry]}
    return doors.call("POST", "/ag-ui/ask", body, token=token)


def test_runs_of_others_are_as_if_there_were_none(doors: Serving) -> None:
    alice, bob = key_of(doors, WORK), key_of(doors, WORK)
    asked = say(doors, alice, "hello")
    text, told = asked.json["choices"][0]["message"]["content"], asked.json["metadata"]
    run_id = told["run_id"]
    assert say(doors, bob, "hm", metadata={"run_id": run_id}).status == 404
    body = {"model": "ask", "input": "hm", "previous_response_id": f"resp_{run_id}-0"}
    assert doors.call("POST", "/v1/responses", body, token=bob).status == 404
    assert resume(doors, bob, told["question_id"]).status == 404
    marked = say(doors, bob, "hello", text, "hm")
    assert marked.status == 200
    assert marked.json["metadata"]["run_id"] != run_id

    async def main() -> None:
        async with client(doors, "auto", token=bob) as mcp:
            for tool in ("answer_question", "wait_for_run"):
                got = await mcp.call_tool(tool, {"run_id": run_id, "answer": "hm"})
                assert got.is_error
                assert "there is no run" in text_of(got)
        async with agent(doors, "ask", token=bob) as peer:
            with pytest.raises(TaskNotFoundError):
                await peer.get_task(GetTaskRequest(id=run_id))
            with pytest.raises(TaskNotFoundError):
                await sent(peer, said("hm", task_id=run_id))

    asyncio.run(main())
    (question,) = doors.get(f"/api/v1/questions?run_id={run_id}")["items"]
    assert question["status"] == "open"
    done = say(doors, alice, "hello", text, "/stop")
    assert done.json["metadata"] == {
        "run_id": run_id,
        "status": "finished",
        "stop_reason": "human_exit",
    }


def test_a_key_does_no_more_than_its_scopes(doors: Serving) -> None:
    reader, asker = key_of(doors, ["runs:read"]), key_of(doors, ["runs:read", "runs:write"])
    refused = say(doors, reader, "hello")
    assert refused.status == 403
    assert refused.json["error"]["type"] == "permission_error"
    asked = say(doors, asker, "hello").json["metadata"]
    assert say(doors, asker, "hm", metadata=asked).status == 403
    assert resume(doors, asker, asked["question_id"]).status == 403

    async def main() -> None:
        async with client(doors, "auto", token=reader) as mcp:
            got = await mcp.call_tool("two", {"message": "hello"})
            assert got.is_error
            assert "runs:write" in text_of(got)
        async with agent(doors, "two", token=reader) as peer:
            with pytest.raises(A2AError, match="runs:write"):
                await sent(peer, said("hello"))

    asyncio.run(main())


@pytest.mark.parametrize("door", DOOR_PATHS, ids=" ".join)
def test_a_key_for_something_else_opens_no_door(doors: Serving, door: tuple[str, str]) -> None:
    method, path = door
    other = key_of(doors, ["metrics:read"])
    body = None if method == "GET" else {}
    answer = doors.call(method, path.replace("{team}", "two"), body, token=other)
    assert answer.status == 403
    assert answer.is_problem


def test_budgets_and_rates_of_keys_hold(doors: Serving) -> None:
    doors.call("PUT", "/api/v1/budgets/tight", {"steps": 1})
    poor, hasty = key_of(doors, WORK, budget="tight"), key_of(doors, WORK, per_minute=1)
    options: Any = {"base_url": f"{doors.url}/v1", "timeout": WAIT_S, "max_retries": 0}
    hello: Any = [{"role": "user", "content": "hello"}]
    with openai.OpenAI(api_key=poor, **options) as made:
        got: Any = made.chat.completions.create(model="two", messages=hello)
        assert got.choices[0].finish_reason == "length"
        assert got.metadata["stop_reason"] == "budget"
        with pytest.raises(openai.APIStatusError, match="tight") as caught:
            made.chat.completions.create(model="two", messages=hello)
        assert (caught.value.status_code, caught.value.type) == (402, "insufficient_quota")
    with openai.OpenAI(api_key=hasty, **options) as made:
        made.models.list()
        with pytest.raises(openai.RateLimitError):
            made.models.list()
