"""The door of AG-UI, with the official models over real HTTP."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
from ag_ui.core import (
    Event,
    EventType,
    ResumeEntry,
    RunAgentInput,
    RunFinishedEvent,
    UserMessage,
)
from pydantic import TypeAdapter
from tests.server.doors import WAIT_S
from tests.server.serving import Serving

EVENT: TypeAdapter[Any] = TypeAdapter(Event)


def asked(text: str | None = None, **more: Any) -> RunAgentInput:
    messages = [] if text is None else [UserMessage(id=uuid.uuid4().hex, content=text)]
    names = {"thread_id": "thread", "run_id": uuid.uuid4().hex}
    return RunAgentInput(**{**names, "messages": messages, **more})


def run(doors: Serving, path: str, given: RunAgentInput) -> list[Any]:
    """The events of a run, each of which the official models take."""

    async def main() -> list[Any]:
        timeout = aiohttp.ClientTimeout(total=WAIT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                doors.url + path,
                headers={**doors.bearer(), "Content-Type": "application/json"},
                data=given.model_dump_json(by_alias=True),
            ) as got,
        ):
            assert got.status == 200, await got.text()
            assert got.content_type == "text/event-stream"
            lines = [line.decode().strip() async for line in got.content]
        return [
            EVENT.validate_json(line.removeprefix("data: "))
            for line in lines
            if line.startswith("data: ")
        ]

    return asyncio.run(main())


def words(events: list[Any]) -> list[str]:
    said: dict[str, str] = {}
    for event in events:
        if event.type == EventType.TEXT_MESSAGE_START:
            said[event.message_id] = ""
        if event.type == EventType.TEXT_MESSAGE_CONTENT:
            said[event.message_id] += event.delta
    return list(said.values())


def end(events: list[Any]) -> RunFinishedEvent:
    assert isinstance(events[-1], RunFinishedEvent), events[-1]
    return events[-1]


def test_a_run_is_told_as_messages(doors: Serving) -> None:
    given = asked("hello")
    events = run(doors, "/ag-ui/two", given)
    assert events[0].type == EventType.RUN_STARTED
    assert (events[0].thread_id, events[0].run_id) == ("thread", given.run_id)
    assert words(events) == ["first words", "go on", "last words TERMINATE"]
    names = [event.name for event in events if event.type == EventType.TEXT_MESSAGE_START]
    assert names == ["writer", "user", "writer"]
    last = end(events)
    assert last.outcome is not None
    assert last.outcome.type == "success"
    assert last.result["summary"] == "last words "
    assert last.usage is not None
    assert (last.usage[0].output_tokens or 0) > 0
    ours = events[0].metadata["autogen"]["run_id"]
    assert doors.get(f"/api/v1/runs/{ours}")["status"] == "finished"
    again = run(doors, "/ag-ui/two", given)
    assert again[0].metadata["autogen"]["run_id"] == ours


def test_live_text_comes_piece_by_piece(doors: Serving) -> None:
    events = run(doors, "/ag-ui/stream", asked("hello"))
    assert words(events) == ["one two three four"]


def test_an_interrupt_is_answered_by_a_new_run(doors: Serving) -> None:
    events = run(doors, "/ag-ui/ask", asked("hello"))
    outcome: Any = end(events).outcome
    assert outcome.type == "interrupt"
    (interrupt,) = outcome.interrupts
    assert "asker asks: " in interrupt.message

    def resume(**entry: Any) -> list[Any]:
        entries = [ResumeEntry(interrupt_id=interrupt.id, **entry)]
        return run(doors, "/ag-ui/ask", asked(resume=entries))

    events = resume(status="resolved", payload={"approved": True})
    assert words(events) == ["a proposal", "go on"]
    outcome = end(events).outcome
    (interrupt,) = outcome.interrupts
    events = resume(status="resolved", payload="my own words")
    assert end(events).result["summary"] == "my own words"


def test_an_interrupt_that_is_abandoned_ends_the_chat(doors: Serving) -> None:
    outcome: Any = end(run(doors, "/ag-ui/ask", asked("hello"))).outcome
    entry = ResumeEntry(interrupt_id=outcome.interrupts[0].id, status="cancelled")
    events = run(doors, "/ag-ui/ask", asked(resume=[entry]))
    assert end(events).result["stop_reason"] == "human_exit"


def test_calls_of_tools_are_told(doors: Serving) -> None:
    events = run(doors, "/ag-ui/tool", asked("hello"))
    kinds = [event.type for event in events]
    at = kinds.index(EventType.TOOL_CALL_START)
    assert kinds[at : at + 4] == [
        EventType.TOOL_CALL_START,
        EventType.TOOL_CALL_ARGS,
        EventType.TOOL_CALL_END,
        EventType.TOOL_CALL_RESULT,
    ]
    assert events[at].tool_call_name == "double"
    assert events[at + 3].content == "42"
    assert words(events) == ["it is 42"]


def test_the_team_may_be_named_in_the_body(doors: Serving) -> None:
    events = run(doors, "/ag-ui", asked("hello", forwarded_props={"team": "two"}))
    assert end(events).result["summary"] == "last words "


def test_failures_are_told(doors: Serving) -> None:
    events = run(doors, "/ag-ui/broken", asked("hello"))
    assert events[-1].type == EventType.RUN_ERROR
    assert "the wheel came off" in events[-1].message
    for path, body, status in (
        ("/ag-ui/nobody", asked("hello"), 404),
        ("/ag-ui", asked("hello"), 422),
        ("/ag-ui/ask", asked(resume=[ResumeEntry(interrupt_id="x", status="cancelled")]), 404),
        ("/ag-ui/ask", asked("half \ud800"), 422),
    ):
        given = body.model_dump(by_alias=True, mode="python")
        answer = doors.call("POST", path, given)
        assert answer.status == status, answer.text
        assert answer.is_problem
    assert doors.call("POST", "/ag-ui/two", {}).status == 422
    assert doors.call("POST", "/ag-ui/two", {}, token=None).status == 401
