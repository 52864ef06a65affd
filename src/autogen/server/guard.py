"""`Guard`: who may ask at all. Stands before everything else, for every kind of answer.

A web page of somebody else must not reach the server through its visitor's browser: requests with
a foreign `Host` (DNS rebinding) or `Origin` are refused, and there is no CORS. Then the caller has
to show a token or a key, or the cookie that one was exchanged for; who it is stands in the scope.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import AutogenError
from .callers import Caller
from .credentials import Credentials
from .problems import Problem, problem_response

__all__ = [
    "LOOPBACK_NAMES",
    "MOST_BYTES",
    "OPEN_PAGES",
    "OPEN_PATHS",
    "Guard",
    "cookie_at",
]

#: The names under which a browser on this machine may reach the server.
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})

_COOKIE = "autogen_session"

#: The largest body of a request.
MOST_BYTES = 1024 * 1024

#: Where larger ones are taken: files, whose route counts for itself.
_LARGE = {"/api/v1/files": 33 * MOST_BYTES}

#: So much of a larger one is read, and forgotten, before the connection is closed.
_MOST_IGNORED = 16 * MOST_BYTES

#: What anybody on this machine may ask: whether the server is there, and for a cookie.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/api/v1/session"})

#: The pages of the studio, which hold no data: they are how a browser comes to ask for the cookie.
OPEN_PAGES = frozenset({"/", "/studio", "/favicon.svg"})
_OPEN_BELOW = ("/assets/", "/studio/")

#: What a browser says of requests that no page of this server made (`Sec-Fetch-Site`). Another
#: port of this machine is the same site, to which it sends cookies.
_FOREIGN = frozenset({"cross-site", "same-site"})

#: Whether whoever reads a stream may still do so is looked at so often.
_AGAIN_S = 5.0


class Guard:
    """ASGI middleware: Host, Origin and credentials, in this order; then the size of the body."""

    def __init__(
        self, app: ASGIApp, *, credentials: Credentials, names: Collection[str] = LOOPBACK_NAMES
    ):
        self.app = app
        self.credentials = credentials
        self.names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            # There are no WebSockets here.
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = MutableHeaders(scope=message)
                named.setdefault("Cache-Control", "no-store")
                named["X-Content-Type-Options"] = "nosniff"
            await send(message)

        headers, most = Headers(scope=scope), _LARGE.get(scope["path"], MOST_BYTES)
        try:
            self._check(headers)
            caller = await self._caller(headers)
            if caller is not None:
                self.credentials.count(caller)
                scope["caller"] = caller
                _check_length(headers, most)
            elif not _is_open(scope["path"]):
                raise Problem(
                    401,
                    "show the token that `autogen serve` printed, or a key: "
                    "`Authorization: Bearer TOKEN`.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        except Problem as problem:
            answer = problem_response(problem.status_code, problem.detail, headers=problem.headers)
            await answer(scope, receive, guarded)
            return
        except AutogenError:
            text = "the database of the keys can't be read now; try again in a while."
            answer = problem_response(503, text, headers={"Retry-After": "5"})
            await answer(scope, receive, guarded)
            return
        limited = _limited(receive, most)
        if caller is None:
            await self.app(scope, limited, guarded)
            return
        watched = _Watched(guarded, partial(self._holds, headers, caller))
        try:
            await self.app(scope, limited, watched)
        except _Over:
            pass
        except Exception:
            if not watched.is_over:
                raise

    async def _holds(self, headers: Headers, caller: Caller) -> bool:
        """Whether what let a caller in still does."""
        try:
            return await self._caller(headers) == caller
        except Problem:
            return False
        except AutogenError:
            # The database is away, and was not when the caller came.
            return True

    def _check(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(f"//{hosts[0]}") not in self.names:
            raise Problem(421, "this server does not answer under this name.")
        origins = headers.getlist("origin")
        if origins and origins not in ([f"http://{hosts[0]}"], [f"https://{hosts[0]}"]):
            raise Problem(403, "requests of other web pages are not answered.")

    async def _caller(self, headers: Headers) -> Caller | None:
        authorization = headers.getlist("authorization")
        if authorization:
            scheme, _, given = authorization[0].partition(" ")
            if len(authorization) != 1 or scheme.lower() != "bearer":
                return None
            return await self.credentials.caller_of(given.strip())
        if headers.get("sec-fetch-site", "") in _FOREIGN:
            return None
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_at(headers["host"]))
        except CookieError:
            return None
        return None if cookie is None else await self.credentials.caller_of_session(cookie.value)


class _Over(Exception):
    """Nobody may read on."""


class _Watched:
    """Sends an answer; a stream ends as soon as whoever reads it may not any more."""

    def __init__(self, send: Send, holds: Callable[[], Awaitable[bool]]):
        self.is_over = False
        self._is_stream = False
        self._send = send
        self._holds = holds
        self._looked_at = time.monotonic()

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer.

        Raises:
            _Over: The answer has ended before.
        """
        if self.is_over:
            raise _Over
        now = time.monotonic()
        if message["type"] == "http.response.start":
            self._is_stream = "content-length" not in MutableHeaders(scope=message)
        elif self._is_stream and now - self._looked_at > _AGAIN_S:
            self._looked_at = now
            if not await self._holds():
                self.is_over = True
                await self._send({"type": "http.response.body", "body": b""})
                raise _Over
        await self._send(message)


def cookie_at(host: str) -> str:
    """The name of the cookie for a value of `Host`: browsers send cookies to every port of it."""
    return f"{_COOKIE}_{urlsplit(f'//{host}').port or ''}".rstrip("_")


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path in OPEN_PAGES or path.startswith(_OPEN_BELOW)


def _name_of(address: str) -> str | None:
    try:
        parts: Any = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    is_plain = not (parts.path or parts.query or parts.fragment or parts.username is not None)
    name: str | None = parts.hostname
    return name if is_plain else None


def _check_length(headers: Headers, most: int) -> None:
    """Refuse at once what is so large that it would not even be read.

    Raises:
        Problem: 413; it is.
    """
    told = headers.get("content-length", "0")
    if told.isdecimal() and int(told[:20]) > most + _MOST_IGNORED:
        raise Problem(413, f"the body is larger than {most} bytes.")


def _limited(receive: Receive, most: int) -> Receive:
    """`receive`, which refuses more than `most` bytes whatever the headers said."""
    n_bytes = 0

    async def limited() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > most:
            # Many clients read no answer before they have sent everything.
            while message.get("more_body") and n_bytes < most + _MOST_IGNORED:
                message = await receive()
                n_bytes += len(message.get("body", b""))
            raise Problem(413, f"the body is larger than {most} bytes.")
        return message

    return limited
