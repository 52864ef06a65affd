"""The port of models: what an endpoint, a request and an answer are.

Two kinds of client meet here. `ModelTransport` is ours: one attempt, async, over the wire.
`ModelClient` is the protocol of AutoGen 0.2 that users implement themselves. Answers have the
attribute shape of an OpenAI chat completion, because 0.2 programs read
`response.choices[0].message.content`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

__all__ = [
    "ChatCompletion",
    "ChatCompletionMessage",
    "Choice",
    "CompletionUsage",
    "Endpoint",
    "FunctionCall",
    "ModelClient",
    "ModelClientResponseProtocol",
    "ModelRequest",
    "ModelTransport",
    "ToolCall",
]


class _Dumpable:
    """`model_dump`, `model_dump_json` and `to_dict` as the official client's objects have them."""

    __slots__ = ()

    def model_dump(self, *, exclude_none: bool = False, **_: Any) -> dict[str, Any]:
        """The fields as plain dicts and lists."""
        out = {}
        for name in self.__dataclass_fields__:  # type: ignore[attr-defined]
            value = getattr(self, name)
            if name in _NOT_DUMPED or (exclude_none and value is None):
                continue
            out[name] = _dumped(value, exclude_none)
        return out

    def model_dump_json(
        self, *, indent: int | None = None, exclude_none: bool = False, **_: Any
    ) -> str:
        """`model_dump` as JSON text."""
        dumped = self.model_dump(exclude_none=exclude_none)
        return json.dumps(dumped, ensure_ascii=False, indent=indent, default=str)

    def to_dict(self) -> dict[str, Any]:
        """`model_dump` without what is None."""
        return self.model_dump(exclude_none=True)


_NOT_DUMPED = frozenset({"message_retrieval_function"})


def _dumped(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, _Dumpable):
        return value.model_dump(exclude_none=exclude_none)
    if isinstance(value, list):
        return [_dumped(v, exclude_none) for v in value]
    return value


@dataclass(slots=True)
class FunctionCall(_Dumpable):
    """A function the model wants called; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(slots=True)
class ToolCall(_Dumpable):
    """One tool call of an answer."""

    id: str | None
    function: FunctionCall
    type: str | None = "function"


@dataclass(slots=True)
class ChatCompletionMessage(_Dumpable):
    """What the model said. Any of the three may be None."""

    content: str | None = None
    role: str = "assistant"
    function_call: FunctionCall | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


@dataclass(slots=True)
class Choice(_Dumpable):
    """One alternative of an answer."""

    message: ChatCompletionMessage
    finish_reason: str | None = None
    index: int = 0
    logprobs: Any = None


@dataclass(slots=True)
class CompletionUsage(_Dumpable):
    """Tokens of one call; `cached_prompt_tokens` were billed at the provider's cache price."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_prompt_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(slots=True)
class ChatCompletion(_Dumpable):
    """An answer, with what AutoGen 0.2 adds to it.

    Attributes:
        usage: None where the provider did not say; the router counts what is missing.
        cost: US dollars as 0.2 has it: 0.0 where the price is not known.
        cost_usd: US dollars, None where the price is not known.
        config_id: Index of the config list entry that answered.
        pass_filter: Whether `filter_func` accepted it.
        is_cached: Came from a cache.
        message_retrieval_function: Gives the list of texts or messages of this answer.
    """

    choices: list[Choice]
    model: str = ""
    usage: CompletionUsage | None = None
    id: str = ""
    created: int = 0
    object: str = "chat.completion"
    system_fingerprint: str | None = None
    cost: float = 0.0
    cost_usd: float | None = None
    config_id: int | None = None
    pass_filter: bool | None = None
    is_cached: bool = False
    message_retrieval_function: Callable[[Any], list[Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how one entry of a config list is called. Its repr shows no secret.

    Attributes:
        model: Model or, for Azure, deployment name.
        api_key: Secret, or None.
        base_url: Without a trailing slash; never None.
        api_type: Lower case, "openai" by default.
        timeout_s: Seconds for one attempt, connecting included.
        max_retries: Further attempts after the first that failed in a retryable way.
        headers: Further request headers (`default_headers`); may hold secrets.
        azure_ad_token_provider: Gives a bearer token, or None.
        options: Request options of the entry (temperature, tools, ...), later ones win over
            earlier.
        price: (prompt, completion) US dollars per 1,000 tokens, or None.
        requests_per_s: `api_rate_limit`, or None.
    """

    model: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str
    api_type: str = "openai"
    api_version: str | None = None
    organization: str | None = None
    timeout_s: float = 600.0
    max_retries: int = 2
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    azure_ad_token_provider: Callable[[], str] | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    price: tuple[float, float] | None = None
    requests_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call: messages ready for the wire form, and the request options.

    Attributes:
        messages: Chat messages, tool replies already expanded. Read only; `Message` objects keep
            their encodings.
        options: Everything else of the body (temperature, tools, response_format, ...).
        stream: Whether tokens are wanted as they come.
    """

    messages: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    stream: bool = False


class ModelTransport(Protocol):
    """Carries one attempt to a provider and back."""

    async def complete(self, endpoint: Endpoint, request: ModelRequest) -> ChatCompletion:
        """The answer of one attempt; never retries.

        While streaming it reports `_kernel.run.transient("model.token", {"text": ...})`.

        Raises:
            ProviderError: With `.retryable`, `.status`, `.provider` and `.retry_after_s` set.
        """
        ...


class ModelClientResponseProtocol(Protocol):
    """What a client's `create` gives: `ModelClient.ModelClientResponseProtocol` of AutoGen 0.2."""

    class Choice(Protocol):
        """One alternative."""

        class Message(Protocol):
            """What the model said."""

            content: str | None

        message: Message

    choices: list[Choice]
    model: str


class _NamesResponse(type(Protocol)):  # type: ignore[misc]
    """Gives `ModelClient` the name of its response.

    In the class itself the name would be one that `isinstance` asks every client for.
    """

    ModelClientResponseProtocol = ModelClientResponseProtocol


@runtime_checkable
class ModelClient(Protocol, metaclass=_NamesResponse):
    """A model client of the user's own, as AutoGen 0.2 defines it.

    Named in a config entry by `model_client_cls` and handed in by `register_model_client`.
    """

    RESPONSE_USAGE_KEYS: ClassVar[list[str]] = [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cost",
        "model",
    ]

    def create(self, params: dict[str, Any]) -> Any:
        """An object with `.choices[i].message.content` and `.model`."""
        ...

    def message_retrieval(self, response: Any) -> list[Any]:
        """The texts (or message objects) of the response, one per choice."""
        ...

    def cost(self, response: Any) -> float:
        """US dollars."""
        ...

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        """A dict with `RESPONSE_USAGE_KEYS`; one that lacks any is not counted."""
        ...
