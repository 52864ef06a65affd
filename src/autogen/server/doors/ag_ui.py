"""The door of AG-UI (the Agent User Interaction Protocol): `POST /ag-ui/TEAM` streams a run.

A question to people ends the protocol's run with an interrupt; a new run whose `resume` answers it
goes on with the same run of ours.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from ag_ui.core import (
    PROTOCOL_VERSION,
    BaseEvent,
    CustomEvent,
    Interrupt,
    ResumeEntry,
    RunAgentInput,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from ag_ui.encoder import EventEncoder
from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from ...errors import AutogenError
from ...events import Event
from ...store.base import QuestionRecord
from ..callers import Caller, CallerOf, needs
from ..common import Parts, PartsOf
from ..problems import Problem
from ..strict import StrictRoute
from .answers import asked, clean
from .speech import Said, text_of_content
from .turn import Standing, Turn, answered, begun, context_of, id_of_key, own_question, told_of

__all__ = ["ag_ui"]

ag_ui = APIRouter(route_class=StrictRoute, include_in_schema=False)

_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}

#: What an interrupt wants back.
_ANSWER = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}


@ag_ui.post("/ag-ui", dependencies=[needs("runs:write")])
async def run_some_team(parts: PartsOf, caller: CallerOf, given: RunAgentInput) -> Response:
    """Run the team that `forwardedProps` names, or the only one."""
    props = given.forwarded_props
    team = props.get("team") if isinstance(props, dict) else None
    if not isinstance(team, str):
        if len(parts.teams) != 1:
            raise Problem(422, "several teams are here: name one, as in /ag-ui/TEAM.")
        team = next(iter(parts.teams))
    return await run_team(parts, caller, team, given)


@ag_ui.post("/ag-ui/{team}", dependencies=[needs("runs:write")])
async def run_team(parts: PartsOf, caller: CallerOf, team: str, given: RunAgentInput) -> Response:
    """Begin a run of a team, or answer what one asks, and tell what happens."""
    turn = await run_in_threadpool(_turn, parts, caller, team, given)
    told = _Telling(turn, given).lines()
    return StreamingResponse(told, media_type="text/event-stream", headers=_HEADERS)


def _turn(parts: Parts, caller: Caller, team: str, given: RunAgentInput) -> Turn:
    if given.resume:
        return _resumed(parts, caller, given.resume)
    said = [(one.role, _text(getattr(one, "content", None))) for one in given.messages]
    last = next((n for n in reversed(range(len(said))) if said[n][0] == "user"), None)
    message = None if last is None else said[last][1]
    earlier = [(one.description, one.value) for one in given.context or ()]
    earlier += said[:last] if last is not None else said
    key = id_of_key("ag-ui", caller.id, team, given.thread_id, given.run_id)
    return begun(parts, caller, team, message, context=context_of(earlier), id=key)


def _text(content: Any) -> str:
    if isinstance(content, list):
        if any(part.type != "text" for part in content):
            raise Problem(422, "teams take messages with text only here.")
        content = "\n".join(part.text for part in content)
    return content if isinstance(content, str) else ""


def _resumed(parts: Parts, caller: Caller, resume: list[ResumeEntry]) -> Turn:
    questions = [own_question(parts, caller, entry.interrupt_id) for entry in resume]
    if len({question.run_id for question in questions}) > 1:
        raise Problem(422, "the answers are to questions of several runs; give those of one.")
    turn: Turn | None = None
    for question, entry in zip(questions, resume, strict=True):
        one = answered(parts, caller, question, _words(question, entry))
        turn = turn or one
    assert turn is not None
    return turn


def _words(question: QuestionRecord, entry: ResumeEntry) -> str:
    """What an entry answers, in the words of people."""
    if entry.status == "cancelled":
        return "/deny" if question.kind == "approve" else "/stop"
    payload = entry.payload
    if isinstance(payload, dict):
        if isinstance(payload.get("approved"), bool) and "answer" not in payload:
            return "/approve" if payload["approved"] else "/deny"
        payload = payload.get("answer")
    if not isinstance(payload, str):
        raise Problem(422, 'answer an interrupt with a text, or with {"answer": TEXT}.')
    return payload


class _Telling:
    """Tells a turn as events of the protocol."""

    def __init__(self, turn: Turn, given: RunAgentInput):
        self._turn = turn
        self._where: dict[str, Any] = {"thread_id": given.thread_id, "run_id": given.run_id}
        self._encoder = EventEncoder()
        self._steps: list[str] = []
        self._calls: set[str] = set()

    async def lines(self) -> AsyncGenerator[str]:
        """The stream."""
        started = RunStartedEvent(
            **self._where,
            protocol_version=PROTOCOL_VERSION,
            metadata={"autogen": {"run_id": self._turn.run_id}},
        )
        yield self._encoder.encode(started)
        try:
            async with aclosing(self._turn.events()) as events:
                async for event in events:
                    if event is None:
                        yield ": still here\n\n"
                        continue
                    for told in self._told(event):
                        yield self._encoder.encode(told)
            for told in self._closing():
                yield self._encoder.encode(told)
            last = self._end(await self._turn.standing())
        except (AutogenError, Problem) as error:
            problem = told_of(error)
            last = RunErrorEvent(message=problem.detail, code=str(problem.status_code))
        yield self._encoder.encode(last)

    def _told(self, event: Event) -> Iterator[BaseEvent]:
        for said in self._turn.speech.hear(event):
            yield self._message(said)
        match event.type:
            case "tool.called" | "tool.answered":
                yield from self._call(event)
            case "code.started":
                self._steps.append(f"code of {event.agent} ({event.pos})")
                yield StepStartedEvent(step_name=self._steps[-1])
            case "code.finished" if self._steps:
                yield StepFinishedEvent(step_name=self._steps.pop())
            case "code.output":
                value = {"agent": event.agent, "text": clean(str(event.data.get("text") or ""))}
                yield CustomEvent(name="code.output", value=value)

    def _closing(self) -> Iterator[BaseEvent]:
        for said in self._turn.speech.close():
            yield self._message(said)
        while self._steps:
            yield StepFinishedEvent(step_name=self._steps.pop())

    def _message(self, said: Said) -> BaseEvent:
        name = f"{self._turn.run_id}-{self._turn.after}-{said.n}"
        if said.kind == "begin":
            return TextMessageStartEvent(message_id=name, role="assistant", name=said.agent)
        if said.kind == "text":
            return TextMessageContentEvent(message_id=name, delta=said.text)
        return TextMessageEndEvent(message_id=name)

    def _call(self, event: Event) -> Iterator[BaseEvent]:
        data = event.data
        call_id = f"{self._turn.run_id}-{data.get('id') or data.get('name')}"
        if call_id not in self._calls:
            self._calls.add(call_id)
            arguments = json.dumps(data.get("arguments") or {})
            yield ToolCallStartEvent(tool_call_id=call_id, tool_call_name=str(data.get("name")))
            yield ToolCallArgsEvent(tool_call_id=call_id, delta=arguments)
            yield ToolCallEndEvent(tool_call_id=call_id)
        if event.type == "tool.answered":
            yield ToolCallResultEvent(
                message_id=f"{self._turn.run_id}-{event.pos}",
                tool_call_id=call_id,
                content=text_of_content(data.get("content")),
                role="tool",
            )
            # The same function may be called again, where calls have no ids.
            self._calls.discard(call_id)

    def _end(self, standing: Standing) -> BaseEvent:
        run, sent, got = standing.run, self._turn.prompt_tokens, self._turn.completion_tokens
        usage = [TokenUsage(input_tokens=sent, output_tokens=got, total_tokens=sent + got)]
        result = {
            "run_id": run.id,
            "status": run.status,
            "stop_reason": run.stop_reason,
            "summary": standing.summary,
        }
        finished: dict[str, Any] = {**self._where, "result": result, "usage": usage}
        if standing.questions:
            interrupts = [_interrupt(question) for question in standing.questions]
            return RunFinishedEvent(
                **finished, outcome=RunFinishedInterruptOutcome(interrupts=interrupts)
            )
        if run.status == "cancelled":
            return RunFinishedEvent(**finished, outcome=RunFinishedCancelledOutcome())
        if run.status == "finished":
            return RunFinishedEvent(**finished, outcome=RunFinishedSuccessOutcome())
        paused = f"the run is {run.status} ({run.stop_reason}); it goes on when it is resumed."
        return RunErrorEvent(message=standing.trouble or paused, code=run.status, usage=usage)


def _interrupt(question: QuestionRecord) -> Interrupt:
    deadline = question.deadline_at
    return Interrupt(
        id=question.id,
        reason=question.kind,
        message=asked(question),
        response_schema=_ANSWER,
        expires_at=None if deadline is None else deadline.isoformat(),
        metadata={"autogen": {"run_id": question.run_id, "agent": clean(question.agent)}},
    )
