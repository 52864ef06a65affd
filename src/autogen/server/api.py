"""The ASGI application: the routes behind the guard, and their description (OpenAPI)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from .._version import __version__
from .artifacts import artifacts
from .basics import health, sessions, teams
from .budgets import budgets
from .callers import Needs
from .chats import chats
from .common import Parts
from .doors import open_doors
from .events import events
from .files import files
from .guard import LOOPBACK_NAMES, OPEN_PATHS, Guard
from .keys import keys
from .metrics import metrics
from .pages import pages
from .problems import MEDIA_TYPE, handle_errors
from .questions import questions
from .runs import runs
from .slashes import Slashes
from .steering import steering
from .usage import usage

__all__ = ["application", "scopes_of"]


def application(
    parts: Parts, *, names: Collection[str] = LOOPBACK_NAMES, most_each: int | None = None
) -> FastAPI:
    """The application for `parts`, under the host names `names`; `most_each` as for `Guard`."""
    # No pages of documentation: theirs load scripts from elsewhere.
    app = _Application(title="autogen-next", version=__version__, docs_url=None, redoc_url=None)
    app.state.parts = parts
    for routes in (
        *(health, metrics, sessions, teams, chats, runs, steering, events, questions),
        *(files, artifacts, usage, budgets, keys, pages),
    ):
        app.include_router(routes)
    handle_errors(app)
    app.add_middleware(Slashes)
    app.add_middleware(
        Guard,
        credentials=parts.credentials,
        names=names,
        most_each=most_each,
        answers=parts.answers,
    )
    open_doors(app, parts)
    return app


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The description, made when it is first asked for: programs add routes of their own."""
        if self.openapi_schema is None:
            _describe(super().openapi(), scopes_of(self))
        return super().openapi()


def scopes_of(app: FastAPI) -> dict[tuple[str, str], str]:
    """The scope that each route needs, by its path and its method."""
    found = {}
    for route in iter_route_contexts(app.routes):
        for wanted in getattr(route, "dependencies", ()):
            if isinstance(wanted.dependency, Needs):
                for method in route.methods or ():
                    found[route.path_format or "", method.lower()] = wanted.dependency.scope
    return found


def _describe(described: dict[str, Any], scopes: Mapping[tuple[str, str], str]) -> None:
    """Have the description say what holds for every route: problems, credentials and scopes."""
    components = described.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation["responses"].get("default", {}).get("content", {})
            if "application/json" in content:
                content[MEDIA_TYPE] = content.pop("application/json")
            scope = scopes.get((path, method))
            wanted = [{"token": [] if scope is None else [scope]}]
            operation["security"] = [] if path in OPEN_PATHS else wanted
