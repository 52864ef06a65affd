"""`Guard`: who may ask at all. Stands before everything else, for every kind of answer.

A web page of somebody else must not reach the server through its visitor's browser: requests with
a foreign `Host` (DNS rebinding) or `Origin` are refused, and there is no CORS. Then the caller has
to show a token or a key, or the cookie that one was exchanged for; who it is stands in the scope.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import AutogenError
from .callers import Caller
from .credentials import Credentials
from .exchange import Exchange
from .problems import Problem
from .underway import Shown, Underway

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

#: What anybody on this machine may ask: whether the server is there, and for a cookie.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/api/v1/session"})

#: The pages of the studio, which hold no data: they are how a browser comes to ask for the cookie.
OPEN_PAGES = frozenset({"/", "/studio", "/favicon.svg"})
_OPEN_BELOW = ("/assets/", "/studio/")

#: What a browser says of requests that no page of this server made (`Sec-Fetch-Site`). Another
#: port of this machine is the same site, to which it sends cookies.
_FOREIGN = frozenset({"cross-site", "same-site"})


class Guard:
    """ASGI middleware: Host, Origin and credentials, in this order; then the size of the body.

    Args:
        app: What stands behind it.
        credentials: Who may ask.
        names: The names that `Host` may have.
        most_each: So many requests of one caller are answered at once; None for any number.
        answers: Where the statuses of all answers are counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        credentials: Credentials,
        names: Collection[str] = LOOPBACK_NAMES,
        most_each: int | None = None,
        answers: Counter[int] | None = None,
    ):
        self.app = app
        self.answers = Counter() if answers is None else answers
        self.credentials = credentials
        self.names = frozenset(names)
        self.underway = Underway(self._caller_of, most=most_each)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            # There are no WebSockets here.
            await send({"type": "websocket.close", "code": 1008})
            return

        headers, most = Headers(scope=scope), _LARGE.get(scope["path"], MOST_BYTES)
        exchange = Exchange(scope, receive, send, most=most, answers=self.answers)
        with ExitStack() as stack:
            try:
                self._check(headers)
                shown = _shown(headers)
                caller = None if shown is None else await self._caller_of(shown)
                if caller is not None and shown is not None:
                    self.credentials.count(caller)
                    scope["caller"] = caller
                    stack.enter_context(self.underway.answering(exchange, caller, shown))
                elif not _is_open(scope["path"]):
                    raise Problem(
                        401,
                        "show the token that `autogen serve` printed, or a key: "
                        "`Authorization: Bearer TOKEN`.",
                        headers={"WWW-Authenticate": "Bearer"},
                    )
            except Problem as problem:
                await exchange.tell(problem)
            except AutogenError:
                text = "the database of the keys can't be read now; try again in a while."
                await exchange.tell(Problem(503, text, headers={"Retry-After": "5"}))
            else:
                await exchange.lead_to(self.app)

    def _check(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(f"//{hosts[0]}") not in self.names:
            raise Problem(421, "this server does not answer under this name.")
        origins = headers.getlist("origin")
        if origins and origins not in ([f"http://{hosts[0]}"], [f"https://{hosts[0]}"]):
            raise Problem(403, "requests of other web pages are not answered.")

    async def _caller_of(self, shown: Shown) -> Caller | None:
        kind, text = shown
        if kind == "bearer":
            return await self.credentials.caller_of(text)
        return await self.credentials.caller_of_session(text)


def _shown(headers: Headers) -> Shown | None:
    """What a request shows, if it shows anything that may count."""
    authorization = headers.getlist("authorization")
    if authorization:
        scheme, _, given = authorization[0].partition(" ")
        is_ours = len(authorization) == 1 and scheme.lower() == "bearer"
        return ("bearer", given.strip()) if is_ours else None
    if headers.get("sec-fetch-site", "") in _FOREIGN:
        return None
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_at(headers["host"]))
    except CookieError:
        return None
    return None if cookie is None else ("cookie", cookie.value)


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
