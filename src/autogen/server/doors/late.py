"""`Late`: an application that is made when it is first asked for.

The libraries of protocols take a second to import, and most servers are never asked for most doors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Late"]


class Late:
    """An ASGI application.

    Args:
        make: Makes what answers; awaited once, by the first request.
    """

    def __init__(self, make: Callable[[], Awaitable[ASGIApp]]):
        self._make = make
        self._app: ASGIApp | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        async with self._lock:
            if self._app is None:
                self._app = await self._make()
        await self._app(scope, receive, send)
