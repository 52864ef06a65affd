"""`Shallow`: no body is nested so deep that the library behind a door gives up over it.

Libraries of protocols read bodies themselves, and tell what they do not understand in the words of
their protocol. What Python cannot read at all is refused before them.
"""

from __future__ import annotations

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..problems import problem_response
from ..strict import MOST_DEPTH

__all__ = ["Shallow"]


class Shallow:
    """ASGI middleware for a door whose bodies are read as a whole anyway."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, unless its body is too deep."""
        body, has_more = b"", True
        while has_more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
        try:
            json.loads(body)
        except json.JSONDecodeError:
            # The door says so as its protocol does.
            pass
        except (RecursionError, ValueError):
            text = f"the body is no JSON of less than {MOST_DEPTH} levels, with numbers of 64 bits."
            await problem_response(422, text)(scope, receive, send)
            return
        is_read = False

        async def again() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)
