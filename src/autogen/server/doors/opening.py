"""Which doors there are, and how they come into the application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from anyio import create_task_group
from anyio.abc import TaskGroup
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.routing import Route
from starlette.types import ASGIApp

from ..common import Parts
from .late import Late
from .openai_chat import chat
from .openai_errors import ErrorsOfOpenAI
from .openai_responses import responses
from .shallow import Shallow

__all__ = ["DOOR_PATHS", "open_doors"]

#: Methods and paths of all doors, whether they are there or not. All stand behind the guard, and
#: answer 403 to callers who may not even read runs.
DOOR_PATHS = (
    ("GET", "/v1/models"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/responses"),
    ("POST", "/mcp"),
    ("GET", "/mcp"),
    ("DELETE", "/mcp"),
    ("GET", "/a2a/.well-known/agent-card.json"),
    ("GET", "/a2a/{team}/.well-known/agent-card.json"),
    ("POST", "/a2a"),
    ("POST", "/a2a/{team}"),
    ("POST", "/ag-ui"),
    ("POST", "/ag-ui/{team}"),
)


def open_doors(app: FastAPI, parts: Parts) -> None:
    """Add the doors to an application, those whose extras are installed.

    Call it when every other middleware was added: errors of the guard are told in the words of
    OpenAI too.
    """
    app.include_router(chat)
    app.include_router(responses)
    app.add_middleware(ErrorsOfOpenAI)
    if _is_there("mcp"):
        _open_mcp(app, parts)
    if _is_there("a2a", "sse_starlette"):
        _add(app, "/a2a", Shallow(Late(partial(run_in_threadpool, _a2a, parts))))
    if _is_there("ag_ui"):
        _add(app, "/ag-ui", Late(partial(run_in_threadpool, _ag_ui)))


def _is_there(*packages: str) -> bool:
    return all(find_spec(package) is not None for package in packages)


def _add(app: FastAPI, path: str, door: ASGIApp) -> None:
    for below in (path, path + "/{rest:path}"):
        app.router.routes.append(Route(below, door))


def _open_mcp(app: FastAPI, parts: Parts) -> None:
    outside = app.router.lifespan_context
    tasks: TaskGroup | None = None

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        nonlocal tasks
        async with outside(app) as state, create_task_group() as tasks:
            yield state
            tasks.cancel_scope.cancel()

    async def made() -> ASGIApp:
        assert tasks is not None
        door = await run_in_threadpool(_mcp, parts)
        await tasks.start(door.serve)
        answering: ASGIApp = door
        return answering

    app.router.lifespan_context = lifespan
    app.router.routes.append(Route("/mcp", Late(made)))


def _mcp(parts: Parts) -> Any:
    from .mcp import McpDoor

    return McpDoor(parts)


def _a2a(parts: Parts) -> ASGIApp:
    from .a2a import routes_of

    return routes_of(parts)


def _ag_ui() -> ASGIApp:
    from .ag_ui import ag_ui

    return ag_ui
