"""The door of A2A (Agent2Agent): each team is an agent at `/a2a/TEAM`, each run a task.

A task that needs input is a run with an open question; a message with its `task_id` answers it.
Nothing is kept here: a task is told from the run and its events, whichever server is asked.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

from a2a.helpers import get_message_text, new_text_artifact, new_text_message
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.server.routes import DefaultServerCallContextBuilder, create_jsonrpc_routes
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskArtifactUpdateEvent,
    TaskPushNotificationConfig,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    ExtendedAgentCardNotConfiguredError,
    InternalError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.routing import Route

from ...errors import AutogenError, UnknownRun
from ...runtime.runtime import STILL
from ...store.base import RunRecord
from ..callers import Caller, caller_of, needs
from ..common import Parts, PartsOf
from ..problems import Problem
from ..telling import as_json
from .a2a_cards import card_of
from .answers import asked
from .speech import text_of_message
from .turn import (
    Standing,
    Turn,
    answered,
    begun,
    context_of,
    id_of_key,
    may,
    open_questions,
    own_run,
    said_in,
    told_of,
    watched,
)

__all__ = ["routes_of"]

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_DISPATCHER = "a2a.server.routes.jsonrpc_dispatcher"

#: How long a request to cancel waits for the run to stop.
_CANCEL_S = 5.0

#: So many runs are looked through for what was said before in a context.
_MOST_RUNS = 100

_STATES = {
    "queued": TaskState.TASK_STATE_SUBMITTED,
    "running": TaskState.TASK_STATE_WORKING,
    "waiting": TaskState.TASK_STATE_INPUT_REQUIRED,
    # With more time or money it goes on.
    "paused": TaskState.TASK_STATE_INPUT_REQUIRED,
    "finished": TaskState.TASK_STATE_COMPLETED,
    "cancelled": TaskState.TASK_STATE_CANCELED,
}

cards = APIRouter(prefix="/a2a", include_in_schema=False)


@cards.get("/.well-known/agent-card.json", dependencies=[needs("runs:read")])
async def card(parts: PartsOf, request: Request) -> Response:
    """The agent whose skills are all teams."""
    return as_json(agent_card_to_dict(card_of(parts, str(request.base_url), None)))


@cards.get("/{team}/.well-known/agent-card.json", dependencies=[needs("runs:read")])
async def card_of_team(parts: PartsOf, request: Request, team: str) -> Response:
    """The agent that one team is."""
    if team not in parts.teams:
        raise Problem(404, f"there is no team {team!a}.")
    return as_json(agent_card_to_dict(card_of(parts, str(request.base_url), team)))


def routes_of(parts: Parts) -> APIRouter:
    """The routes of all agents, and of their cards."""
    found = APIRouter()
    found.include_router(cards)
    for team in (None, *sorted(parts.teams)):
        path = "/a2a" if team is None else f"/a2a/{team}"
        for route in create_jsonrpc_routes(_Runs(parts, team), path, context_builder=_Callers()):
            found.routes.append(Route(path, _for_readers(route.endpoint), methods=["POST"]))
    logging.getLogger(_DISPATCHER).addFilter(_is_news)
    return found


def _for_readers(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        may(caller_of(request), "runs:read")
        return await endpoint(request)

    return answer


def _is_news(record: logging.LogRecord) -> bool:
    """Keeps requests that are not as the protocol has them out of the log: clients are told."""
    return not str(record.msg).startswith(("Failed to", "Request Error"))


class _Callers(DefaultServerCallContextBuilder):
    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        context.state["caller"] = caller_of(request)
        return context


class _Runs(RequestHandler):
    """Tells the runs of one team as tasks; of all teams where that is None."""

    def __init__(self, parts: Parts, team: str | None):
        self._parts = parts
        self._team = team

    # -- messages

    @validate_request_params
    async def on_message_send(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> Task | Message:
        """Begin or go on with a task; gives it when it needs input, or is over."""
        async with _in_words_of_a2a():
            turn = await run_in_threadpool(self._turn, params, _caller(context))
            if not params.configuration.return_immediately:
                async with aclosing(turn.events()) as events:
                    async for _ in events:
                        pass
            return await self._told(turn.run_id, _length(params.configuration))

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Begin or go on with a task, and tell what happens."""
        async with _in_words_of_a2a():
            turn = await run_in_threadpool(self._turn, params, _caller(context))
            async for event in self._followed(turn):
                yield event

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Tell what happens in a task from now on."""
        async with _in_words_of_a2a():
            record = await run_in_threadpool(self._own, _caller(context), params.id)
            if record.status in STILL:
                raise UnsupportedOperationError(f"the task is {record.status}; get it instead.")
            turn = await run_in_threadpool(watched, self._parts, params.id)
            async for event in self._followed(turn):
                yield event

    def _turn(self, params: SendMessageRequest, caller: Caller) -> Turn:
        message = params.message
        if any(part.WhichOneof("content") != "text" for part in message.parts):
            raise ContentTypeNotSupportedError("teams take parts with text only.")
        text = get_message_text(message)
        if message.task_id:
            record = self._own(caller, message.task_id)
            questions = open_questions(self._parts, record.id)
            if not questions:
                raise UnsupportedOperationError(
                    f"the task is {record.status} and asks nothing; leave out the task_id to "
                    "begin another one."
                )
            return answered(self._parts, caller, questions[0], text)
        team = self._team or _team_of(message, self._parts)
        key = id_of_key("a2a", caller.id, team, message.context_id, message.message_id)
        earlier = self._said_before(caller, team, message)
        run_id = f"{_checked(message.context_id)}-{key}" if message.context_id else key
        return begun(self._parts, caller, team, text, context=context_of(earlier), id=run_id)

    def _said_before(self, caller: Caller, team: str, message: Message) -> list[tuple[str, str]]:
        for run_id in reversed(message.reference_task_ids):
            return said_in(self._own(caller, run_id))
        if not message.context_id:
            return []
        for record in self._parts.runtime.runs(
            team=team, belongs_to=caller.sees, status="finished", limit=_MOST_RUNS
        ):
            if _context_of_run(record.id) == message.context_id:
                return said_in(record)
        return []

    async def _followed(self, turn: Turn) -> AsyncGenerator[Event]:
        task = await self._told(turn.run_id, None)
        yield task
        where: dict[str, Any] = {"task_id": task.id, "context_id": task.context_id}
        async with aclosing(turn.said()) as saying:
            async for said in saying:
                if said is not None and said.kind == "end":
                    message = new_text_message(said.text, **where, role=Role.ROLE_AGENT)
                    message.metadata["agent"] = said.agent
                    status = TaskStatus(state=TaskState.TASK_STATE_WORKING, message=message)
                    yield TaskStatusUpdateEvent(**where, status=status)
        task = await self._told(turn.run_id, 0)
        for artifact in task.artifacts:
            yield TaskArtifactUpdateEvent(artifact=artifact, last_chunk=True, **where)
        yield TaskStatusUpdateEvent(**where, status=task.status)

    # -- tasks

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        """A task as it stands."""
        async with _in_words_of_a2a():
            await run_in_threadpool(self._own, _caller(context), params.id)
            return await self._told(params.id, _length(params))

    @validate_request_params
    async def on_list_tasks(
        self, params: ListTasksRequest, context: ServerCallContext
    ) -> ListTasksResponse:
        """Tasks, the newest first; a page may have fewer of them than there are further on."""
        size = params.page_size or 50
        if not 1 <= size <= 100:
            raise InvalidParamsError(f"page_size is {size}; give 1 to 100.")
        async with _in_words_of_a2a():
            caller = _caller(context)
            may(caller, "runs:read")
            after = _checked(params.page_token) or None
            if after is not None:
                await run_in_threadpool(self._own, caller, after)
            records = await run_in_threadpool(
                self._parts.runtime.runs,
                team=self._team,
                belongs_to=caller.sees,
                after=after,
                limit=size,
            )
            tasks = []
            for record in records:
                is_its = params.context_id in ("", _context_of_run(record.id))
                if is_its and params.status in (0, _state_of(record)):
                    standing = await Turn.at(self._parts, record.id).standing()
                    tasks.append(_task(standing))
            more = records[-1].id if len(records) == size else ""
            return ListTasksResponse(
                tasks=tasks, next_page_token=more, page_size=size, total_size=len(tasks)
            )

    @validate_request_params
    async def on_cancel_task(
        self, params: CancelTaskRequest, context: ServerCallContext
    ) -> Task | None:
        """Have a run stop."""
        async with _in_words_of_a2a():
            caller = _caller(context)
            may(caller, "runs:write")
            record = await run_in_threadpool(self._own, caller, params.id)
            if record.status in STILL:
                raise TaskNotCancelableError(f"the task is {record.status}.")
            await run_in_threadpool(self._parts.runtime.cancel, params.id)
            await Turn.at(self._parts, params.id).stopped(_CANCEL_S)
            return await self._told(params.id, 0)

    def _own(self, caller: Caller, run_id: str) -> RunRecord:
        may(caller, "runs:read")
        record = own_run(self._parts, caller, run_id)
        if self._team is not None and record.team != self._team:
            raise TaskNotFoundError
        return record

    async def _told(self, run_id: str, n_messages: int | None) -> Task:
        task = _task(await Turn.at(self._parts, run_id).standing())
        if n_messages != 0:
            said = await run_in_threadpool(_history, self._parts, task)
            task.history.extend(said if n_messages is None else said[-n_messages:])
        return task

    # -- what there is none of

    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """There are none."""
        raise PushNotificationNotSupportedError

    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """There are none."""
        raise PushNotificationNotSupportedError

    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """There are none."""
        raise PushNotificationNotSupportedError

    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """There are none."""
        raise PushNotificationNotSupportedError

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """There is none."""
        raise ExtendedAgentCardNotConfiguredError


def _caller(context: ServerCallContext) -> Caller:
    found = context.state["caller"]
    assert isinstance(found, Caller)
    return found


def _team_of(message: Message, parts: Parts) -> str:
    given = dict(message.metadata).get("team")
    if isinstance(given, str):
        return given
    if len(parts.teams) == 1:
        return next(iter(parts.teams))
    raise InvalidParamsError(
        "several teams are here: name one as 'team' in the metadata of the message, or ask at "
        "/a2a/TEAM."
    )


def _checked(given: str) -> str:
    if len(given) > 150 or not given.isprintable():
        raise InvalidParamsError("an id is longer than 150 letters, or has control characters.")
    return given


def _context_of_run(run_id: str) -> str:
    return run_id.rpartition("-")[0] or run_id


def _length(params: Any) -> int | None:
    return params.history_length if params.HasField("history_length") else None


def _state_of(record: RunRecord) -> Any:
    return _STATES.get(record.status, TaskState.TASK_STATE_FAILED)


def _task(standing: Standing) -> Task:
    run = standing.run
    where = {"task_id": run.id, "context_id": _context_of_run(run.id)}
    status = TaskStatus(state=_state_of(run))
    if run.updated_at is not None:
        status.timestamp.FromDatetime(run.updated_at)
    words = standing.trouble
    if standing.questions:
        words = asked(standing.questions[0])
    elif run.status == "paused":
        words = f"The run is paused ({run.stop_reason}); it goes on when it is resumed."
    if words is not None:
        status.message.CopyFrom(new_text_message(words, **where, role=Role.ROLE_AGENT))
    task = Task(id=run.id, context_id=where["context_id"], status=status)
    if run.status == "finished":
        artifact = new_text_artifact("summary", standing.summary, artifact_id=f"{run.id}-summary")
        task.artifacts.append(artifact)
    task.metadata.update({"team": run.team or "", "stop_reason": run.stop_reason or ""})
    return task


def _history(parts: Parts, task: Task) -> list[Message]:
    found: list[Message] = []
    after = 0
    while page := parts.runtime.events(task.id, after=after):
        after = page[-1].pos or after
        for event in page:
            if event.type != "message.sent" or event.parent is not None:
                continue
            text = text_of_message(event.data.get("message") or {})
            if text:
                message = new_text_message(
                    text,
                    task_id=task.id,
                    context_id=task.context_id,
                    role=Role.ROLE_AGENT if found else Role.ROLE_USER,
                )
                message.message_id = f"{task.id}-{event.pos}"
                message.metadata["agent"] = str(event.data.get("sender") or "")
                found.append(message)
    return found


@asynccontextmanager
async def _in_words_of_a2a() -> AsyncIterator[None]:
    """Inside the `async with` block errors are those of the protocol."""
    try:
        yield
    except UnknownRun:
        raise TaskNotFoundError from None
    except (AutogenError, Problem) as error:
        problem = told_of(error)
        kind: Callable[[str], A2AError] = (
            InternalError if problem.status_code >= 500 else (InvalidParamsError)
        )
        raise kind(problem.detail) from error
