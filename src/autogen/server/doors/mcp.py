"""The door of MCP (the Model Context Protocol): each team is a tool, at `/mcp`.

Messages of a run are its progress. A question goes to the person at the client where that can ask
(elicitation), else the tool answers with the question, and `answer_question` takes the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Annotated, Any, TypeAlias, TypeVar

import anyio
from anyio.abc import TaskStatus
from fastapi.concurrency import run_in_threadpool
from mcp.server import MCPServer
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..._version import __version__
from ...errors import AutogenError
from ...store.base import QuestionRecord
from ..callers import Caller, caller_of
from ..common import Parts
from ..guard import MOST_BYTES
from ..problems import Problem
from .answers import asked
from .turn import (
    Standing,
    Turn,
    answered,
    begun,
    may,
    open_questions,
    own_question,
    own_run,
    told_of,
    watched,
)

__all__ = ["McpDoor"]

#: The first version in which a server asks by answering, instead of by a request of its own.
_ASKS_BY_ANSWERING = "2026-07-28"

_OURS = frozenset({"answer_question", "wait_for_run"})


class Told(BaseModel):
    """What a tool answers with."""

    run_id: str
    status: str
    stop_reason: str | None = None
    summary: str
    question: str | None = None


class Words(BaseModel):
    """What a person at the client writes."""

    answer: str = Field(default="", description="Your answer.")


T = TypeVar("T")

_Answer: TypeAlias = Annotated[CallToolResult, Told]
_Message = Annotated[str, Field(description="What the team is told first.")]
_RunId = Annotated[str, Field(description="The run, as a tool told it.")]
_Words = Annotated[str, Field(description="The answer to the question.")]


class McpDoor:
    """An ASGI application; requests are answered while `serve` runs."""

    def __init__(self, parts: Parts):
        self._parts = parts
        with _logging_as_it_was():
            self._server: MCPServer[Any] = MCPServer(
                "autogen",
                version=__version__,
                instructions="Each tool hands a task to a team of agents and tells its result.",
            )
        for name in sorted(parts.teams):
            self._add_team(name)
        self._server.add_tool(self._answer, name="answer_question")
        self._server.add_tool(self._wait, name="wait_for_run")
        # The guard has looked at Host and Origin before.
        unprotected = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self._server.streamable_http_app(
            transport_security=unprotected, max_request_body_size=MOST_BYTES
        )

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Keep the sessions of clients, until it is cancelled."""
        async with self._server.session_manager.run():
            task_status.started()
            await anyio.sleep_forever()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        caller = caller_of(Request(scope))
        may(caller, "runs:read")
        # Sessions are kept apart by whom they belong to.
        token = AccessToken(token="", client_id=caller.id or "", scopes=sorted(caller.scopes))
        scope = {**scope, "user": AuthenticatedUser(token)}
        await self._server.session_manager.handle_request(scope, receive, send)

    def _add_team(self, team: str) -> None:
        async def call(message: _Message, ctx: Context[Any, Any]) -> _Answer | InputRequiredResult:
            caller = _caller(ctx)
            if ctx.input_responses:
                turn = await self._replied(ctx, caller)
            else:
                turn = await _told(begun, self._parts, caller, team, message)
            return await self._followed(ctx, caller, turn)

        description = self._parts.teams[team].description or f"The team {team}."
        name = f"team.{team}" if team in _OURS else team
        self._server.add_tool(call, name=name, description=description)

    async def _answer(
        self, run_id: _RunId, answer: _Words, ctx: Context[Any, Any]
    ) -> _Answer | InputRequiredResult:
        """Answer the question that a run waits with, and wait for what comes of it."""
        caller = _caller(ctx)
        if ctx.input_responses:
            return await self._followed(ctx, caller, await self._replied(ctx, caller))
        await _told(own_run, self._parts, caller, run_id)
        questions = await _told(open_questions, self._parts, run_id)
        if not questions:
            raise ToolError(f"run {run_id!r} asks nothing.")
        turn = await _told(answered, self._parts, caller, questions[0], answer)
        return await self._followed(ctx, caller, turn)

    async def _wait(self, run_id: _RunId, ctx: Context[Any, Any]) -> _Answer | InputRequiredResult:
        """Wait until a run is over, or asks something."""
        caller = _caller(ctx)
        if ctx.input_responses:
            return await self._followed(ctx, caller, await self._replied(ctx, caller))
        await _told(own_run, self._parts, caller, run_id)
        turn = await _told(watched, self._parts, run_id)
        return await self._followed(ctx, caller, turn, is_ours=False)

    async def _replied(self, ctx: Context[Any, Any], caller: Caller) -> Turn:
        """The turn of a person's answer, which came with a repeated call."""
        (question_id, given), *_ = (ctx.input_responses or {}).items()
        question = await _told(own_question, self._parts, caller, question_id)
        words = _words(question, given) if isinstance(given, ElicitResult) else None
        if words is None:
            # Nobody wanted to answer; the question stays open.
            return await _told(watched, self._parts, question.run_id)
        return await _told(answered, self._parts, caller, question, words)

    async def _followed(
        self, ctx: Context[Any, Any], caller: Caller, turn: Turn, *, is_ours: bool = True
    ) -> CallToolResult | InputRequiredResult:
        """What a tool answers with, once the run needs somebody, or nobody any more."""
        is_refused = bool(ctx.input_responses) and turn.is_watching
        while True:
            try:
                standing = await self._followed_once(ctx, turn)
            except anyio.get_cancelled_exc_class():
                if is_ours and not self._parts.feed.is_over:
                    with anyio.CancelScope(shield=True):
                        await run_in_threadpool(self._parts.runtime.cancel, turn.run_id)
                raise
            if not standing.questions or is_refused or not _can_ask(ctx):
                return _result(standing)
            question = standing.questions[0]
            if is_version_at_least(ctx.protocol_version or "", _ASKS_BY_ANSWERING):
                return _request(question)
            given = await ctx.session.elicit_form(
                message=asked(question),
                requested_schema=Words.model_json_schema(),
                related_request_id=ctx.request_id,
            )
            words = _words(question, given)
            if words is None:
                return _result(standing)
            turn = await _told(answered, self._parts, caller, question, words)

    async def _followed_once(self, ctx: Context[Any, Any], turn: Turn) -> Standing:
        try:
            async with aclosing(turn.said()) as saying:
                async for said in saying:
                    if said is not None and said.kind == "end":
                        text = f"{said.agent}: {said.text}"
                        await ctx.report_progress(turn.after + said.n, message=text)
            return await turn.standing()
        except (AutogenError, Problem) as error:
            raise ToolError(told_of(error).detail) from error


def _caller(ctx: Context[Any, Any]) -> Caller:
    request = ctx.request_context.request
    assert isinstance(request, Request)
    return caller_of(request)


async def _told(function: Callable[..., T], /, *args: Any) -> T:
    """What a function gives in a thread; its errors in the words of tools."""
    try:
        return await run_in_threadpool(function, *args)
    except (AutogenError, Problem) as error:
        raise ToolError(told_of(error).detail) from error


def _can_ask(ctx: Context[Any, Any]) -> bool:
    capabilities = ctx.client_capabilities
    return capabilities is not None and capabilities.elicitation is not None


def _request(question: QuestionRecord) -> InputRequiredResult:
    form = ElicitRequestFormParams(
        message=asked(question), requested_schema=Words.model_json_schema()
    )
    return InputRequiredResult(input_requests={question.id: ElicitRequest(params=form)})


def _words(question: QuestionRecord, given: ElicitResult) -> str | None:
    """What a person answered; None for nothing."""
    if given.action == "accept":
        return str((given.content or {}).get("answer") or "")
    return "/deny" if given.action == "decline" and question.kind == "approve" else None


def _result(standing: Standing) -> CallToolResult:
    run, asks = standing.run, None
    text = standing.trouble or standing.summary or f"The run is {run.status}."
    if standing.questions:
        asks = asked(standing.questions[0])
        text = f"{asks}\n\nAnswer with the tool answer_question, run_id {run.id}."
    told = Told(
        run_id=run.id,
        status=run.status,
        stop_reason=run.stop_reason,
        summary=standing.summary,
        question=asks,
    )
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=told.model_dump(),
        is_error=standing.trouble is not None,
    )


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """Inside the `with` block nobody sets up logging for the whole program."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
