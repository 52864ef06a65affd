"""Model clients of the user's own, in the form AutoGen 0.2 gave them (`models.base.ModelClient`).

`CustomClient` is what the router talks to. It also takes clients that leave out everything but
`create`, and clients whose `create` is `async def` or that have an `a_create` beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .._kernel.ops import Call
from ..errors import UsageError, UsageTypeError
from .base import ModelClient

__all__ = ["ClientNotRegistered", "CustomClient"]


class ClientNotRegistered(UsageError, RuntimeError):
    """A config entry names a `model_client_cls` that nobody registered."""


class CustomClient:
    """A user's client, its optional parts filled in.

    Attributes:
        client: The user's object.
        counts: Whether it says itself what a response used; if not, `response.usage` and the price
            tables do.
        name: Of its class.
    """

    __slots__ = (
        "_async",
        "_cost",
        "_retrieve",
        "_sync",
        "_usage",
        "_usage_keys",
        "client",
        "counts",
        "name",
    )

    def __init__(self, client: Any):
        create = getattr(client, "create", None)
        a_create = getattr(client, "a_create", None)
        if not callable(create) and not callable(a_create):
            raise UsageTypeError(
                f"the model client {type(client).__name__!r} has no create(params) method; see "
                "autogen.ModelClient for what a client needs."
            )
        self.client = client
        self.name = type(client).__name__
        self._sync: Callable[..., Any] | None = create
        self._async: Callable[..., Awaitable[Any]] | None = a_create
        if inspect.iscoroutinefunction(create):
            self._sync, self._async = None, a_create or create
        self._retrieve: Callable[[Any], list[Any]] = (
            getattr(client, "message_retrieval", None) or _texts
        )
        self._cost: Callable[[Any], float] | None = getattr(client, "cost", None)
        self._usage: Callable[[Any], Mapping[str, Any]] | None = getattr(client, "get_usage", None)
        self.counts = self._usage is not None
        self._usage_keys = getattr(client, "RESPONSE_USAGE_KEYS", ModelClient.RESPONSE_USAGE_KEYS)

    def create(self, params: dict[str, Any]) -> Call[Any]:
        """The call itself: sync clients stay in the caller's thread on the sync face."""
        return Call(self._sync, self._async, (params,))

    @property
    def retrieve(self) -> Callable[[Any], list[Any]]:
        """Gives the texts or messages of a response."""
        return self._retrieve

    def cost(self, response: Any) -> float | None:
        """US dollars as the client says; None where it does not say."""
        return None if self._cost is None else self._cost(response)

    def usage(self, response: Any) -> Mapping[str, Any] | None:
        """What the client says was used; None where it says nothing or leaves out a key."""
        if self._usage is None:
            return None
        said = self._usage(response)
        if not said:
            return None
        for key in self._usage_keys:
            if key not in said:
                return None
        return said

    def __repr__(self) -> str:
        return f"CustomClient({self.name})"


def _texts(response: Any) -> list[Any]:
    """Texts, or whole messages where the model called something."""
    found = []
    for choice in response.choices:
        message = choice.message
        called = getattr(message, "tool_calls", None) or getattr(message, "function_call", None)
        found.append(message if called else message.content)
    return found
