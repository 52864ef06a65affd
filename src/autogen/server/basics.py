"""Routes beside the work: is the server there, which teams are there, a cookie for a browser."""

from __future__ import annotations

from functools import lru_cache

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from ..errors import UsageError
from ..runtime.describing import described
from ..runtime.teams import Team
from .callers import needs
from .common import PartsOf, router
from .guard import cookie_at
from .problems import Problem, problem_of
from .schemas import HealthOut, SessionIn, TeamDetail, TeamPage
from .telling import as_json

__all__ = ["health", "sessions", "teams"]

health = router(tag="health", prefix="")
sessions = router(tag="session")
teams = router(tag="teams")


@health.get("/healthz", response_model=HealthOut)
async def is_alive() -> Response:
    """Whether the server is there."""
    return as_json({"status": "ok"})


@health.get("/readyz", response_model=HealthOut)
def is_ready(parts: PartsOf) -> Response:
    """Whether the server can reach its database; 503 where it cannot."""
    parts.runtime.runs(limit=1)
    return as_json({"status": "ok"})


@sessions.post("/session", status_code=204)
async def open_session(request: Request, parts: PartsOf, asked: SessionIn) -> Response:
    """Exchange a token or key for a cookie that scripts of pages can't read."""
    value = await parts.credentials.new_session(asked.token)
    if value is None:
        raise Problem(401, "this is neither the token that `autogen serve` printed nor a key.")
    answer = Response(status_code=204)
    # With https in front of the server the cookie is for https alone.
    is_secure = request.headers.get("origin", "").startswith("https:")
    name = cookie_at(request.headers["host"])
    answer.set_cookie(name, value, httponly=True, samesite="strict", secure=is_secure)
    return answer


def _told(name: str, parts: PartsOf) -> dict[str, object]:
    team = parts.teams[name]
    return {"name": name, "description": team.description, "concurrency": team.concurrency}


@teams.get("/teams", response_model=TeamPage, dependencies=[needs("runs:read")])
async def list_teams(parts: PartsOf) -> Response:
    """The teams that runs can be asked of."""
    return as_json({"items": [_told(name, parts) for name in sorted(parts.teams)]})


@teams.get("/teams/{name}", response_model=TeamDetail, dependencies=[needs("runs:read")])
async def get_team(parts: PartsOf, name: str) -> Response:
    """One team, with its agents and who may speak to whom."""
    if name not in parts.teams:
        raise Problem(404, f"there is no team {name!a}.")
    try:
        return as_json(await run_in_threadpool(_described, parts.teams[name]))
    except UsageError as error:
        # What it lacks, such as a key in the environment, is not the caller's to mend.
        raise Problem(500, problem_of(error).detail) from None


@lru_cache(maxsize=1000)
def _described(team: Team) -> dict[str, object]:
    # A team is what its file said when the server started.
    return described(team)
