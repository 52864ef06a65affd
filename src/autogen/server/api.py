"""The ASGI application: the routes behind the guard, and their description (OpenAPI)."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from .._version import __version__
from .basics import health, sessions, teams
from .common import Parts
from .events import events
from .guard import OPEN_PATHS, Guard
from .pages import pages
from .problems import MEDIA_TYPE, handle_errors
from .questions import questions
from .runs import runs
from .slashes import Slashes

__all__ = ["application"]


def application(parts: Parts) -> FastAPI:
    """The application for `parts`."""
    # No pages of documentation: theirs load scripts from elsewhere.
    app = FastAPI(title="autogen-next", version=__version__, docs_url=None, redoc_url=None)
    app.state.parts = parts
    for routes in (health, sessions, teams, runs, events, questions, pages):
        app.include_router(routes)
    handle_errors(app)
    app.add_middleware(Slashes)
    app.add_middleware(Guard, credentials=parts.credentials)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Have the description say what holds for every route: problems, and credentials."""
    described = app.openapi()
    described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in described["paths"].items():
        for operation in methods.values():
            content: dict[str, Any] = operation["responses"]["default"]["content"]
            content[MEDIA_TYPE] = content.pop("application/json")
            operation["security"] = [] if path in OPEN_PATHS else [{"token": []}]
