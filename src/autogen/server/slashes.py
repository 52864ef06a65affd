"""Ids with a slash in paths: `/api/v1/runs/hello%2F1` is the run `hello/1`.

Servers hand paths on decoded, in which that slash would be one between parts. Here it stays
encoded until the path has been taken apart.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Slashes", "with_slashes"]

_KEPT = "%2F"
_ENCODED = re.compile(b"%2f", re.IGNORECASE)


class Slashes:
    """ASGI middleware that keeps encoded slashes as they are; `with_slashes` decodes them."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and _ENCODED.search(raw):
            parts = (unquote(part.decode("ascii", "replace")) for part in _ENCODED.split(raw))
            scope = {**scope, "path": _KEPT.join(parts)}
        await self.app(scope, receive, send)


def with_slashes(part: str) -> str:
    """A part of a path as it was meant."""
    return part.replace(_KEPT, "/")
