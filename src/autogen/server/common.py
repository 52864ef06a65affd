"""What the routes share: the parts of the service, names in paths, and pages."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator

from ..errors import UnknownRun
from ..runtime.runtime import Runtime
from ..runtime.teams import Team
from ..store.base import RunRecord
from .callers import Caller
from .credentials import Credentials
from .feed import Feed
from .problems import Problem, ProblemOut
from .schemas import MOST_POS
from .slashes import with_slashes
from .strict import StrictRoute
from .telling import as_json

__all__ = [
    "MOST_TIME_S",
    "After",
    "Limit",
    "Parts",
    "PartsOf",
    "RunId",
    "cursor_of",
    "gone",
    "id_of_cursor",
    "made",
    "router",
    "run_of_caller",
    "two_of_cursor",
]

#: No clock of ours goes beyond it (2106).
MOST_TIME_S = 2.0**32

#: Any text that can stand in a path, without control characters.
_ID = r"^[^\x00-\x1f\x7f]+$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes work with.

    Attributes:
        answers: How many answers had which status, since the server began.
    """

    runtime: Runtime
    teams: dict[str, Team]
    feed: Feed
    credentials: Credentials
    answers: Counter[int] = field(default_factory=Counter)


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(_parts)]
RunId = Annotated[
    str, Path(min_length=1, max_length=200, pattern=_ID), AfterValidator(with_slashes)
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=1500)]
After = Annotated[int, Query(ge=0, le=MOST_POS, description="The number of the last known event.")]


def router(*, tag: str, prefix: str = "/api/v1") -> APIRouter:
    """A router whose routes read strictly, and tell every error as a problem."""
    default: dict[int | str, dict[str, Any]] = {
        "default": {"model": ProblemOut, "description": "What is wrong, and what to do about it."}
    }
    return APIRouter(prefix=prefix, tags=[tag], route_class=StrictRoute, responses=default)


def made(told: dict[str, Any]) -> Response:
    """The answer that tells of a new run."""
    return as_json(told, 201, Location=f"/api/v1/runs/{quote(told['id'], safe='')}")


def run_of_caller(parts: Parts, caller: Caller, run_id: str) -> RunRecord:
    """A run of the caller.

    Raises:
        Problem: 404; there is none, or it is somebody else's.
    """
    try:
        record = parts.runtime.run(run_id)
    except UnknownRun:
        record = None
    if record is None or not caller.owns(record.belongs_to):
        raise Problem(404, f"there is no run {run_id!a}.")
    return record


def cursor_of(run_id: str) -> str:
    """Where the next page begins; opaque to clients."""
    return base64.urlsafe_b64encode(run_id.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def id_of_cursor(cursor: str) -> str:
    """The run, or whatever else, that a cursor stands for.

    Raises:
        Problem: 422; it is none of ours.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        run_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        run_id = ""
    if not run_id or "\0" in run_id:
        raise _no_cursor()
    return run_id


def two_of_cursor(cursor: str, *, most: float) -> tuple[float, str]:
    """The number, from 0 to `most`, and the name that a cursor stands for.

    Raises:
        Problem: 422; it is none of ours.
    """
    text, _, name = id_of_cursor(cursor).partition(" ")
    try:
        number = float(text)
    except ValueError:
        raise _no_cursor() from None
    if not (name and 0 <= number <= most):
        raise _no_cursor()
    return number, name


def gone(what: str) -> Problem:
    """What is told of a cursor whose page began after something that is deleted."""
    return Problem(422, f"the {what} of this cursor is gone; list from the beginning.")


def _no_cursor() -> Problem:
    return Problem(422, "the cursor is not one that this server gave.")
