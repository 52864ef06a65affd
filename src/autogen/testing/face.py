"""`Face`: one test body, three ways to call the API.

    @pytest.fixture(params=FACES, ids=str)
    def face(request): return request.param

    def test_max_turns(face):
        result = face.initiate_chat(user, assistant, message="hi", max_turns=1)

`sync` calls `user.initiate_chat(...)`; `async` awaits `user.a_initiate_chat(...)`; `notebook` calls
the sync name inside a running event loop, as a notebook cell does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

__all__ = ["FACES", "Face"]


class Face:
    """A way to call the public API. `face.x(agent, ...)` is `agent.x(...)` in that way."""

    def __init__(self, name: Literal["sync", "async", "notebook"]):
        self.name = name

    def __str__(self) -> str:
        return self.name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(target: Any, /, *args: Any, **kwargs: Any) -> Any:
            if self.name == "sync":
                return getattr(target, method)(*args, **kwargs)
            if self.name == "notebook":
                return asyncio.run(_in_cell(getattr(target, method), args, kwargs))
            return asyncio.run(getattr(target, f"a_{method}")(*args, **kwargs))

        return call


async def _in_cell(call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    return call(*args, **kwargs)


#: All three, for a parametrised fixture.
FACES = (Face("sync"), Face("async"), Face("notebook"))
