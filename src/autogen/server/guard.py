"""`Guard`: who may ask at all. Stands before everything else, for every kind of answer.

A web page of somebody else must not reach the server through its visitor's browser: requests with
a foreign `Host` (DNS rebinding) or `Origin` are refused, and there is no CORS. Then the caller has
to show the token of the server, or the cookie that it was exchanged for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import Problem, problem_response

__all__ = [
    "COOKIE",
    "LOOPBACK_NAMES",
    "MOST_BYTES",
    "OPEN_PAGES",
    "OPEN_PATHS",
    "Credentials",
    "Guard",
]

#: The names under which a browser on this machine may reach the server.
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})

COOKIE = "autogen_session"

#: The largest body of a request.
MOST_BYTES = 1024 * 1024

#: So much of a larger one is read, and forgotten, before the connection is closed.
_MOST_IGNORED = 16 * MOST_BYTES

#: What anybody on this machine may ask: whether the server is there, and for a cookie.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/api/v1/session"})

#: The pages of the studio, which hold no data: they are how a browser comes to ask for the cookie.
OPEN_PAGES = frozenset({"/", "/studio", "/favicon.svg"})
_OPEN_BELOW = ("/assets/", "/studio/")

#: So many cookies hold at once; the oldest goes first.
_MOST_SESSIONS = 100


class Credentials:
    """The token of a server, and the cookies it was exchanged for. None is kept as it is."""

    def __init__(self, token: str):
        self._token = _digest(token)
        self._sessions: dict[bytes, None] = {}

    def is_token(self, given: str) -> bool:
        """Whether `given` is the token; takes as long whatever it is."""
        return hmac.compare_digest(_digest(given), self._token)

    def new_session(self) -> str:
        """A new value for the cookie."""
        value = secrets.token_urlsafe(32)
        self._sessions[_digest(value)] = None
        if len(self._sessions) > _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return value

    def is_session(self, given: str) -> bool:
        """Whether `given` is the value of a cookie that holds."""
        # Of digests, so what the comparison takes tells nothing about the value.
        return _digest(given) in self._sessions


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class Guard:
    """ASGI middleware: Host, Origin and credentials, in this order; then the size of the body."""

    def __init__(self, app: ASGIApp, *, credentials: Credentials):
        self.app = app
        self.credentials = credentials

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
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            self._check(scope["path"], Headers(scope=scope))
        except Problem as problem:
            answer = problem_response(problem.status_code, problem.detail, headers=problem.headers)
            await answer(scope, receive, guarded)
            return
        await self.app(scope, _limited(receive), guarded)

    def _check(self, path: str, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(f"//{hosts[0]}") not in LOOPBACK_NAMES:
            raise Problem(421, "this server answers under the names of loopback only.")
        origins = headers.getlist("origin")
        if origins and origins != [f"http://{hosts[0]}"]:
            raise Problem(403, "requests of other web pages are not answered.")
        if not _is_open(path) and not self._is_known(headers):
            raise Problem(
                401,
                "show the token that `autogen serve` printed: `Authorization: Bearer TOKEN`.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _is_known(self, headers: Headers) -> bool:
        authorization = headers.getlist("authorization")
        if authorization:
            scheme, _, given = authorization[0].partition(" ")
            return (
                len(authorization) == 1
                and scheme.lower() == "bearer"
                and self.credentials.is_token(given.strip())
            )
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self.credentials.is_session(cookie.value)


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


def _limited(receive: Receive) -> Receive:
    """`receive`, which refuses more than `MOST_BYTES` whatever the headers said."""
    n_bytes = 0

    async def limited() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > MOST_BYTES:
            # Many clients read no answer before they have sent everything.
            while message.get("more_body") and n_bytes < _MOST_IGNORED:
                message = await receive()
                n_bytes += len(message.get("body", b""))
            raise Problem(413, f"the body is larger than {MOST_BYTES} bytes.")
        return message

    return limited
