"""The door of A2A, by the official client over real HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from tests.server.doors import WAIT_S
from tests.server.serving import Serving


@asynccontextmanager
async def agent(
    doors: Serving, team: str | None, *, is_streaming: bool = False, token: str = ""
) -> AsyncIterator[Client]:
    url = f"{doors.url}/a2a" if team is None else f"{doors.url}/a2a/{team}"
    async with httpx.AsyncClient(headers=doors.bearer(token), timeout=WAIT_S) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        config = ClientConfig(httpx_client=http, streaming=is_streaming)
        yield ClientFactory(config).create(card)


def said(text: str, *, team: str | None = None, **more: Any) -> SendMessageRequest:
    message = new_text_message(text, role=Role.ROLE_USER, **more)
    if team is not None:
        message.metadata["team"] = team
    return SendMessageRequest(message=message)


async def sent(client: Client, request: SendMessageRequest) -> Task:
    (answer,) = [answer async for answer in client.send_message(request)]
    return answer.task


def test_a_card_tells_of_a_team_and_of_all(doors: Serving) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(headers=doors.bearer()) as http:
            card = await A2ACardResolver(http, f"{doors.url}/a2a/two").get_agent_card()
            assert (card.name, card.description) == ("two", "Answers twice.")
            assert card.supported_interfaces[0].url == f"{doors.url}/a2a/two"
            assert card.capabilities.streaming
            every = await A2ACardResolver(http, f"{doors.url}/a2a").get_agent_card()
            assert {"echo", "two"} <= {skill.id for skill in every.skills}

    asyncio.run(main())
    assert doors.call("GET", "/a2a/nobody/.well-known/agent-card.json").status == 404


def test_a_message_is_a_task_whose_artifact_is_the_summary(doors: Serving) -> None:
    async def main() -> None:
        async with agent(doors, "two") as client:
            task = await sent(client, said("hello"))
            assert task.status.state == TaskState.TASK_STATE_COMPLETED
            assert get_artifact_text(task.artifacts[0]) == "last words "
            assert [get_message_text(one) for one in task.history] == [
                "hello",
                "first words",
                "go on",
                "last words TERMINATE",
            ]
            got = await client.get_task(GetTaskRequest(id=task.id, history_length=1))
            assert [get_message_text(one) for one in got.history] == ["last words TERMINATE"]
            with pytest.raises(UnsupportedOperationError):
                await sent(client, said("more", task_id=task.id))

    asyncio.run(main())


def test_a_stream_tells_every_message(doors: Serving) -> None:
    async def main() -> list[Any]:
        async with agent(doors, "two", is_streaming=True) as client:
            return [answer async for answer in client.send_message(said("hello"))]

    told = asyncio.run(main())
    assert told[0].HasField("task")
    updates = [one.status_update for one in told if one.HasField("status_update")]
    words = [get_message_text(one.status.message) for one in updates[:-1]]
    assert words == ["first words", "go on", "last words TERMINATE"]
    assert updates[-1].status.state == TaskState.TASK_STATE_COMPLETED
    (artifact,) = [one.artifact_update for one in told if one.HasField("artifact_update")]
    assert get_artifact_text(artifact.artifact) == "last words "


def test_a_question_is_a_task_that_needs_input(doors: Serving) -> None:
    async def main() -> None:
        async with agent(doors, "ask") as client:
            task = await sent(client, said("hello"))
            assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
            assert "asker asks: " in get_message_text(task.status.message)
            task = await sent(client, said("/approve", task_id=task.id))
            assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
            task = await sent(client, said("my own words", task_id=task.id))
            assert task.status.state == TaskState.TASK_STATE_COMPLETED
            assert get_artifact_text(task.artifacts[0]) == "my own words"

    asyncio.run(main())


def test_messages_of_a_context_know_what_was_said_in_it(doors: Serving) -> None:
    context = str(uuid.uuid4())

    async def main() -> None:
        async with agent(doors, None) as client:
            first = await sent(client, said("who?", team="echo", context_id=context))
            assert first.context_id == context
            second = await sent(client, said("and when?", team="echo", context_id=context))
            assert second.context_id == context
            text = get_artifact_text(second.artifacts[0])
            assert text.startswith("heard: and when?\nContext:")
            assert "user: who?" in text
            third = await sent(client, said("hm", team="echo"))
            assert "who?" not in get_artifact_text(third.artifacts[0])
            listed = await client.list_tasks(ListTasksRequest(context_id=context))
            assert [one.id for one in listed.tasks] == [second.id, first.id]

    asyncio.run(main())


def test_a_message_that_is_sent_again_is_the_same_task(doors: Serving) -> None:
    async def main() -> None:
        async with agent(doors, "two") as client:
            request = said("hello")
            assert (await sent(client, request)).id == (await sent(client, request)).id

    asyncio.run(main())


def test_a_task_is_cancelled_only_by_request(doors: Serving) -> None:
    async def main() -> None:
        async with agent(doors, "slow", is_streaming=True) as client:
            stream = client.send_message(said("hello"))
            task = (await anext(aiter(stream))).task
            await stream.aclose()  # type: ignore[attr-defined]
            got = await client.get_task(GetTaskRequest(id=task.id))
            assert got.status.state in (
                TaskState.TASK_STATE_SUBMITTED,
                TaskState.TASK_STATE_WORKING,
            )
            follow = client.subscribe(SubscribeToTaskRequest(id=task.id))
            assert (await anext(aiter(follow))).task.id == task.id
            ended = await client.cancel_task(CancelTaskRequest(id=task.id))
            assert ended.status.state == TaskState.TASK_STATE_CANCELED
            rest = [one async for one in follow]
            assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
            with pytest.raises(TaskNotCancelableError):
                await client.cancel_task(CancelTaskRequest(id=task.id))

    asyncio.run(main())


def test_failures_are_told(doors: Serving) -> None:
    async def main() -> None:
        async with agent(doors, "broken") as client:
            task = await sent(client, said("hello"))
            assert task.status.state == TaskState.TASK_STATE_FAILED
            assert "the wheel came off" in get_message_text(task.status.message)
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id="nobody"))
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id="no\0body"))
        async with agent(doors, "two") as client:
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id=task.id))
        async with agent(doors, None) as client:
            with pytest.raises(A2AError, match="name one"):
                await sent(client, said("hello"))
            with pytest.raises(A2AError, match="no team 'nobody'"):
                await sent(client, said("hello", team="nobody"))

    asyncio.run(main())


def test_nobody_gets_in_without_a_token(doors: Serving) -> None:
    for method, path in (("POST", "/a2a"), ("GET", "/a2a/.well-known/agent-card.json")):
        answer = doors.call(method, path, token=None)
        assert answer.status == 401
        assert answer.is_problem
