"""`OpenAIWrapper`: one object that answers from a whole config list. Here are the 0.2 names.

What happens around a call is `models.router`; this module composes it with the transport, the
caches and the clients of users, and keeps nothing of its own but the account of what was used.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar

from .. import runtime_logging
from .._chat.state import current_chat
from .._kernel.faces import faces
from .._kernel.run import Run, current_run, entered, unused_id
from ..cache.cache import seeded
from ..config.entry import CLIENT_OPTIONS, OWN_OPTIONS, Entry, parse_entries
from ..errors import UsageError, UsageTypeError
from ..events import Event
from ..human.stream import IOStream
from ..human.terminal import show
from ..models.base import ChatCompletion, Endpoint, ModelClient, ModelRequest, ModelTransport
from ..models.custom import ClientNotRegistered, CustomClient
from ..models.request import instantiate
from ..models.router import Router, texts_or_messages
from ..usage import Ledger

__all__ = [
    "LEGACY_CACHE_DIR",
    "LEGACY_DEFAULT_CACHE_SEED",
    "ModelClient",
    "OpenAIClient",
    "OpenAIWrapper",
    "PlaceHolderClient",
    "default_transport",
]

#: The `cache_seed` and folder that AutoGen 0.2 used where nobody asked; here only who asks caches.
LEGACY_DEFAULT_CACHE_SEED = 41
LEGACY_CACHE_DIR = ".cache"

logger = logging.getLogger("autogen")

_MODES = ("actual", "total")


class _ByProvider:
    """Carries each attempt the way its provider is reached."""

    __slots__ = ("_http", "_others")

    def __init__(self, http: ModelTransport, others: ModelTransport):
        self._http = http.complete
        self._others = others

    def complete(
        self, endpoint: Endpoint, request: ModelRequest
    ) -> Coroutine[Any, Any, ChatCompletion]:
        is_http = endpoint.api_type in _OVER_HTTP
        complete = self._http if is_http else self._others.complete
        return complete(endpoint, request)


_OVER_HTTP = frozenset({"azure", "openai"})


@functools.cache
def default_transport() -> ModelTransport:
    """The transport that all wrappers of the process share."""
    # Optional dependencies at heart: aiohttp loads when the first request is made, any-llm when
    # the first request is made of a provider that needs it.
    from ..models.anyllm import AnyLLMTransport
    from ..models.http import HttpTransport

    return _ByProvider(HttpTransport(), AnyLLMTransport())


class OpenAIWrapper:
    """Answers requests from the entries of a config list, the first entry that can.

    Args:
        config_list: Dicts of client, own and request options, one per model. None or empty: one
            entry made of `base`.
        base: Options for all entries; an entry's own win over them, those of a `create` call win
            over both.

    Raises:
        UsageError: An option is not usable. A missing key shows at the first call, not here.
    """

    extra_kwargs: ClassVar[set[str]] = set(OWN_OPTIONS | {"api_type", "api_version"})
    openai_kwargs: ClassVar[set[str]] = set(CLIENT_OPTIONS - {"api_type", "api_version"})

    def __init__(
        self, *, config_list: Sequence[Mapping[str, Any]] | None = None, **base: Any
    ) -> None:
        self._router = Router(
            _entries(config_list, base), transport=default_transport, open_cache=seeded
        )
        if runtime_logging.logging_enabled():
            runtime_logging.log_new_wrapper(self, {"config_list": config_list, **base})
            self._log_clients()

    def reconfigure(
        self, *, config_list: Sequence[Mapping[str, Any]] | None = None, **base: Any
    ) -> None:
        """Take other options, as the constructor does; keep the account and the registered clients.

        A registered client stays with its place in the config list if the entry there still names
        its class.
        """
        entries = _entries(config_list, base)
        for entry, before in zip(entries, self._router.entries, strict=False):
            if entry.is_unregistered and entry.client_name == before.client_name:
                entry.client = before.client
        self._router.entries = entries
        if runtime_logging.logging_enabled():
            self._log_clients()

    def __deepcopy__(self, memo: dict[int, Any]) -> OpenAIWrapper:
        """The same options, clients shared, with an account of its own that begins at nothing."""
        made = OpenAIWrapper.__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(self.__dict__)
        # Entries are copied because `register_model_client` and `reconfigure` change them.
        entries = [copy.copy(entry) for entry in self._router.entries]
        made._router = Router(entries, transport=default_transport, open_cache=seeded)
        return made

    def _log_clients(self) -> None:
        for entry in self._router.entries:
            runtime_logging.log_new_client(entry, self, entry.config)

    async def _create(self, **config: Any) -> Any:
        """The answer of the first entry that can give one.

        Outside of a chat, tokens of a streamed answer are printed to the `IOStream` as they come.

        Args:
            config: `messages` (or `prompt`), request options, and optionally: `context` for
                templates, `cache` (an object) or `cache_seed` (None: off), `filter_func(context=,
                response=)`, `price`, `api_rate_limit`, `allow_format_str_template`,
                `choices` (names, one of which a model that takes a schema is held to), and
                `on_usage(usage)` called with the `Usage` of every answer, those the filter rejected
                and those from a cache included.

        Returns:
            A `ChatCompletion`, or what the user's own client gave, with `.cost`, `.cost_usd`,
            `.config_id`, `.pass_filter`, `.is_cached` and `.message_retrieval_function` set. The
            last entry's response is returned even if the filter rejects it.

        Raises:
            UsageError: Bad options, or a `model_client_cls` that is not registered.
            ProviderError: What the last entry failed with; notes tell of the others.
            TimeoutError: The last entry did not answer in time (a ProviderError too).
        """
        for entry in self._router.entries:
            if entry.is_unregistered:
                raise self._unregistered()
        chat = None if "on_usage" in config else current_chat()
        if chat is not None:
            # Asked by code of the user's own inside of a chat, which has to pay for it.
            config["on_usage"] = chat.account
        answer = self._logged if runtime_logging.logging_enabled() else self._router.create
        if current_run() is None and self._streams(config):
            with entered(_printing()):
                return await answer(config)
        return await answer(config)

    def _streams(self, config: Mapping[str, Any]) -> bool:
        """Whether an answer may come in pieces."""
        if "stream" in config:
            return bool(config["stream"])
        return any(entry.options.get("stream") for entry in self._router.entries)

    async def _logged(self, config: dict[str, Any]) -> Any:
        with runtime_logging.completion(self, config, self._router.entries) as log:
            response = await self._router.create(config)
            log(response)
        return response

    _create, create, a_create = faces(_create)

    def _unregistered(self) -> ClientNotRegistered:
        names = ", ".join(repr(e.client_name) for e in self._router.entries if e.is_unregistered)
        return ClientNotRegistered(
            f"the config list names model client classes that are not registered: {names}. Call "
            "register_model_client(TheClass) once per entry, or leave those entries out."
        )

    def register_model_client(self, model_client_cls: type[Any], **kwargs: Any) -> None:
        """Make a client of the user's own for the first entry that waits for one of this class.

        Args:
            model_client_cls: Called with a copy of the entry and `kwargs`; see `ModelClient`.
            kwargs: Passed on.

        Raises:
            UsageError: No entry has `model_client_cls` set to the name of the class.
        """
        name = getattr(model_client_cls, "__name__", None)
        if name is None:
            raise UsageTypeError(
                f"model_client_cls is {model_client_cls!r}; give the class, which is called with "
                "the entry. A client that is made already goes into the entry as 'model_client'."
            )
        named = [entry for entry in self._router.entries if entry.client_name == name]
        if not named:
            raise UsageError(
                f"no config entry names {name!r}; add 'model_client_cls': {name!r} to the entry "
                "that this client serves."
            )
        for entry in named:
            if entry.client is None:
                entry.client = CustomClient(model_client_cls(dict(entry.config), **kwargs))
                return
        logger.warning("Model client %s is registered already; it stays as it is.", name)

    @staticmethod
    def instantiate(
        template: str | Callable[[Mapping[str, Any]], str] | None,
        context: Mapping[str, Any] | None = None,
        allow_format_str_template: bool | None = False,
    ) -> str | None:
        """A template filled in with `context`; format strings only where they are allowed."""
        filled: str | None = instantiate(template, context, bool(allow_format_str_template))
        return filled

    @classmethod
    def extract_text_or_completion_object(cls, response: Any) -> list[Any]:
        """One item per choice: its text, or the message object where the model called something."""
        retrieve = getattr(response, "message_retrieval_function", None) or texts_or_messages
        found: list[Any] = retrieve(response)
        return found

    # ------------------------------------------------------------------------------------ usage

    @property
    def ledger(self) -> Ledger:
        """The account of everything this wrapper asked."""
        return self._router.ledger

    @property
    def total_usage_summary(self) -> dict[str, Any] | None:
        """Usage with cached answers counted; None before the first answer."""
        return self._router.ledger.total

    @property
    def actual_usage_summary(self) -> dict[str, Any] | None:
        """Usage of what was really called; None before the first such call."""
        return self._router.ledger.actual

    def clear_usage_summary(self) -> None:
        """Forget what was used."""
        self._router.ledger.clear()

    def print_usage_summary(self, mode: str | Sequence[str] = ("actual", "total")) -> None:
        """Print what was used, per model, through the current IOStream.

        Args:
            mode: "actual" (without cached answers), "total" (with them), or both in a list.

        Raises:
            UsageError: Another mode.
        """
        modes = [mode] if isinstance(mode, str) else list(mode)
        if modes == ["both"]:
            modes = list(_MODES)
        if not modes or any(m not in _MODES for m in modes):
            raise UsageError(f"mode is {mode!r}; use 'actual', 'total' or a list of both.")
        show = IOStream.get_default().print
        total, actual = self.total_usage_summary, self.actual_usage_summary
        if total is None:
            show("No usage summary: nothing was asked yet. Call create() first.")
            return
        show("-" * 100)
        if actual is None and "actual" in modes:
            show("All answers came from a cache: nothing was paid for.")
        elif "actual" in modes and "total" in modes and actual == total:
            self._show(show, "Usage (no answer came from a cache)", total)
            modes = []
        for wanted in modes:
            if wanted == "total":
                self._show(show, "Usage, cached answers included", total)
            elif actual is not None:
                self._show(show, "Usage, cached answers left out", actual)
        show("-" * 100)

    def _show(self, show: Callable[[str], None], title: str, summary: Mapping[str, Any]) -> None:
        unpriced = self._router.ledger.unpriced
        note = " + unknown" if unpriced else ""
        show(f"{title}: {summary['total_cost']:.5f} USD{note}")
        for model, row in summary.items():
            if model == "total_cost":
                continue
            cost = (
                "cost unknown"
                if model in unpriced and not row["cost"]
                else f"{row['cost']:.5f} USD"
            )
            show(
                f"* {model}: {cost}, {row['prompt_tokens']} prompt tokens, "
                f"{row['completion_tokens']} completion tokens, {row['total_tokens']} tokens in all"
            )


def _entries(
    config_list: Sequence[Mapping[str, Any]] | None, base: Mapping[str, Any]
) -> list[Entry]:
    entries = parse_entries(config_list, base)
    for entry in entries:
        if entry.client is not None and type(entry.client) is not CustomClient:
            entry.client = CustomClient(entry.client)
    return entries


def _printing() -> Run:
    """A run for one call outside of every chat: its tokens are printed to the `IOStream`."""

    def made(run: Run, type: str, data: dict[str, Any]) -> Event:
        return Event(type=type, data=data, run_id=run.id, at=run.wall_time())

    return Run(id=unused_id(), sinks=(show,), make_event=made)


class PlaceHolderClient:
    """Stands for a `model_client_cls` that is not registered yet; it cannot answer."""

    def __init__(self, config: Mapping[str, Any]):
        self.config = config

    def create(self, params: Mapping[str, Any]) -> Any:
        """Always raises: register the class first."""
        raise ClientNotRegistered(
            f"the model client {self.config.get('model_client_cls')!r} is not registered; call "
            "register_model_client(TheClass)."
        )


class OpenAIClient:
    """One endpoint as a `ModelClient`, for programs that call or extend the client itself.

    Args:
        config: A config entry.
    """

    RESPONSE_USAGE_KEYS: ClassVar[list[str]] = ModelClient.RESPONSE_USAGE_KEYS

    def __init__(self, config: Mapping[str, Any]):
        if not isinstance(config, Mapping):
            raise UsageTypeError(
                f"OpenAIClient takes a config entry (a dict), not {type(config).__name__}; "
                "this package speaks HTTP itself and wraps no client of the openai package."
            )
        self._wrapper = OpenAIWrapper(**config)

    def create(self, params: Mapping[str, Any]) -> ChatCompletion:
        """The answer to `params`."""
        answer: ChatCompletion = self._wrapper.create(**params)
        return answer

    async def a_create(self, params: Mapping[str, Any]) -> ChatCompletion:
        """The answer to `params`."""
        answer: ChatCompletion = await self._wrapper.a_create(**params)
        return answer

    def message_retrieval(self, response: Any) -> list[Any]:
        """One item per choice: text, or the message object where the model called something."""
        return texts_or_messages(response)

    def cost(self, response: Any) -> float:
        """US dollars; 0.0 where the price is not known."""
        cost: float = response.cost
        return cost

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        """Tokens, cost and model of `response`."""
        usage = response.usage
        return {
            "prompt_tokens": usage.prompt_tokens if usage else 0,
            "completion_tokens": usage.completion_tokens if usage else 0,
            "total_tokens": usage.total_tokens if usage else 0,
            "cost": response.cost,
            "model": response.model,
        }
