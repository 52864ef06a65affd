"""Which doors there are, and how they come into the application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from ..common import Parts
from .openai_chat import chat
from .openai_errors import ErrorsOfOpenAI
from .openai_responses import responses

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
    if find_spec("mcp") is not None:
        _open_mcp(app, parts)
    if find_spec("a2a") is not None and find_spec("sse_starlette") is not None:
        _open_a2a(app, parts)
    if find_spec("ag_ui") is not None:
        _open_ag_ui(app)


def _open_mcp(app: FastAPI, parts: Parts) -> None:
    from .mcp import McpDoor

    door = McpDoor(parts)
    app.router.routes.append(Route("/mcp", door, name="mcp"))
    outside = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with outside(app) as state, door.open():
            yield state

    app.router.lifespan_context = lifespan


def _open_a2a(app: FastAPI, parts: Parts) -> None:
    from .a2a import cards, routes_of

    app.include_router(cards)
    app.router.routes.extend(routes_of(parts))


def _open_ag_ui(app: FastAPI) -> None:
    from .ag_ui import ag_ui

    app.include_router(ag_ui)
