"""Request bodies as JSON that everything behind can keep: no NUL, no lone surrogate, no giant."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from .problems import Problem

__all__ = ["MOST_DEPTH", "StrictRoute", "read_json"]

#: How deep lists and objects may be nested.
MOST_DEPTH = 64

_MOST_WHOLE = 2**63


class StrictRoute(APIRoute):
    """A route that reads its body with `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of requests."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """The value of a body.

    Raises:
        Problem: 422; it is no JSON, or a value of it cannot be kept everywhere.
    """
    try:
        value = json.loads(body, parse_int=_whole, parse_float=_finite, parse_constant=_constant)
    except RecursionError:
        raise Problem(422, f"the body is nested deeper than {MOST_DEPTH} levels.") from None
    except ValueError as error:
        raise Problem(422, f"the body is no JSON: {ascii(str(error))[1:-1]}.") from None
    _check(value, 0)
    return value


def _whole(text: str) -> int:
    # Python refuses to read thousands of digits, which is a ValueError as well.
    value = int(text)
    if not -_MOST_WHOLE <= value < _MOST_WHOLE:
        raise Problem(422, "the body has a whole number beyond 64 bits; give it as text.")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Problem(422, "the body has a number that is too large.")
    return value


def _constant(text: str) -> NoReturn:
    raise Problem(422, f"the body has {text}, which is no JSON.")


def _check(value: Any, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise Problem(422, f"the body is nested deeper than {MOST_DEPTH} levels.")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check(item, depth + 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Problem(422, "the body has a text with a NUL character, which databases don't keep.")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Problem(422, "the body has a text with half of a surrogate pair, which is no text.")
