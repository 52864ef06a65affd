"""Errors as `application/problem+json` (RFC 9457): what happened, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ..config.secrets import redact
from ..errors import (
    AlreadyAnswered,
    AutogenError,
    QuestionExpired,
    ReplayMismatch,
    RunBusy,
    UnknownFile,
    UnknownQuestion,
    UnknownRun,
    UsageError,
)

__all__ = ["MEDIA_TYPE", "Problem", "ProblemOut", "handle_errors", "problem_of", "problem_response"]

logger = logging.getLogger("autogen")

MEDIA_TYPE = "application/problem+json"

#: When to ask again where the database is away.
RETRY_AFTER_S = 5

#: The status of each error that a request can bring about; the first that fits counts.
_STATUS: tuple[tuple[type[AutogenError], int], ...] = (
    (UnknownRun, 404),
    (UnknownQuestion, 404),
    (UnknownFile, 404),
    (AlreadyAnswered, 409),
    (QuestionExpired, 410),
    (ReplayMismatch, 409),
    (RunBusy, 409),
    (UsageError, 422),
    # The database is away, or the journal: it may come back.
    (AutogenError, 503),
)


class ProblemOut(BaseModel):
    """The body of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, Any]] | None = None


class Problem(HTTPException):
    """An error that the client is told as it is."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None):
        super().__init__(status, detail, headers)


def problem_response(
    status: int,
    detail: str | None,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer that tells of an error; secrets in its text are masked."""
    problem = ProblemOut(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=None if detail is None else redact(detail),
        errors=errors,
    )
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def handle_errors(app: FastAPI) -> None:
    """Have every error of `app` told as a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(AutogenError, _ours)
    app.add_exception_handler(Exception, _unexpected)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code in (404, 405) and not isinstance(error, Problem):
        detail = f"there is nothing to {request.method} at {request.url.path!a}."
    return problem_response(error.status_code, detail, headers=error.headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Without the values: they may be secrets, and any text at all.
    errors = [
        {
            "at": [ascii(part)[1:-1] if isinstance(part, str) else part for part in one["loc"]],
            "text": ascii(one["msg"])[1:-1],
        }
        for one in error.errors()
    ]
    return problem_response(422, "the request is not what is expected here.", errors=errors)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AutogenError)
    problem = problem_of(error)
    return problem_response(problem.status_code, problem.detail, headers=problem.headers)


def problem_of(error: AutogenError) -> Problem:
    """What a client is told of an error."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if status == 503:
        logger.warning("A request failed: %s", redact(str(error)))
        text = "the database can't be used now; try again in a while."
        return Problem(503, text, headers={"Retry-After": str(RETRY_AFTER_S)})
    return Problem(status, redact(str(error)).encode("ascii", "backslashreplace").decode())


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    return problem_response(500, f"this should not happen ({type(error).__name__}).")
