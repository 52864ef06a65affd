"""The router: which entry of a config list answers, how often it is asked, what the answer cost.

`Router.create` is a core coroutine: it awaits ops only, so one body serves the sync and the async
face, and entries that speak HTTP mix with clients of the user's own. What it does around a call, in
this order: cache, rate limit, budget, attempt, retry, price, ledgers, filter, next entry.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from .._kernel import offline
from .._kernel.ops import Call, Sleep
from ..cache.base import AbstractCache, Flight, joined
from ..cache.key import request_key
from ..config.entry import CLIENT_OPTIONS, OWN_OPTIONS, Entry
from ..config.secrets import redact
from ..errors import AutogenError, ContentFiltered, ProviderError, ProviderTimeout, UsageError
from ..limits.spending import budgets_here
from ..usage import Ledger
from .base import ChatCompletion, ModelTransport
from .counting import used
from .paying import Payment
from .records import Answered, from_record, is_record, record_of
from .request import fill_in, one_of, request_of
from .worst_case import Seen

__all__ = ["Router", "texts_or_messages"]

logger = logging.getLogger("autogen")

_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 8.0
#: Keys of a call that are not for the model.
_NOT_REQUEST = OWN_OPTIONS | CLIENT_OPTIONS
#: Own and client options that an entry has parsed; one given with a call wants it parsed anew.
_PARSED = CLIENT_OPTIONS | {"price", "api_rate_limit"}


class Router:
    """Answers requests from the entries of one config list.

    Attributes:
        entries: In the order in which they are asked.
        ledger: What everything asked here used.
    """

    __slots__ = (
        "_jitter",
        "_lock",
        "_open_cache",
        "_seen",
        "_transport",
        "clock",
        "entries",
        "ledger",
    )

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        transport: Callable[[], ModelTransport],
        open_cache: Callable[[Any], AbstractCache],
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ):
        """A router; nothing is opened yet.

        Args:
            entries: At least one.
            transport: Gives what carries HTTP attempts, when the first one is made.
            open_cache: Gives the cache of a `cache_seed`.
            clock: Seconds that only go up.
            jitter: A random number from 0 to 1.
        """
        self.entries = list(entries)
        self.ledger = Ledger()
        self.clock = clock
        self._jitter = jitter
        self._transport = transport
        self._open_cache = open_cache
        self._lock = threading.Lock()
        #: What requests under a budget turned out to have in tokens, by entry and model.
        self._seen: dict[tuple[int, str], Seen] = {}

    async def create(self, request: dict[str, Any]) -> Any:
        """The first answer that is good enough: the 0.2 `OpenAIWrapper.create`.

        Args:
            request: `messages` (or `prompt`), request options, own options. Is used up.

        Raises:
            UsageError: Neither or both of `messages` and `prompt`; nothing was sent.
            ProviderError: What the last entry failed with, notes on the earlier ones attached.
        """
        offline.check("a request to a model outside of a step")
        mine = _NOT_REQUEST.intersection(request)
        # None is as good as not given, but for `cache_seed`, which it switches off.
        own = {k: v for k in mine if (v := request.pop(k)) is not None or k == "cache_seed"}
        if (request.get("messages") is None) is (request.get("prompt") is None):
            raise UsageError("give either 'messages' or 'prompt', and not both.")
        messages = request.get("messages")
        # One look is enough, however long a list of texts is.
        newest = messages[-1:] if isinstance(messages, list | tuple) else [messages]
        if isinstance(messages, Mapping) or (newest and isinstance(newest[0], str)):
            raise UsageError(
                f"messages is {messages!r}; give a list of messages such as "
                "[{'role': 'user', 'content': '...'}]."
            )
        entries = self.entries
        last = entries[-1]
        failures: list[tuple[Entry, Exception]] = []
        for entry in entries:
            try:
                response = await self._answer(entry, request, own)
            except Exception as error:
                if entry is last or not _falls_back(error):
                    told = _told(error, failures)
                    if told is error:
                        raise
                    raise told from error
                failures.append((entry, error))
                continue
            if response.pass_filter or entry is last:
                return response
        raise AssertionError("the last entry answers or raises")

    async def _answer(self, entry: Entry, request: dict[str, Any], given: Mapping[str, Any]) -> Any:
        """What one entry answers, counted, marked and filtered."""
        if given and not _PARSED.isdisjoint(given):
            entry = entry.changed(given)
        own = {**entry.own, **given} if entry.own else given
        params = {**entry.options, **request}
        context = own.get("context")
        if context:
            fill_in(params, context, bool(own.get("allow_format_str_template")))
        if "choices" in own and entry.takes_schema(params.get("model") or entry.model):
            params.setdefault("response_format", one_of(own["choices"]))
        cache: AbstractCache | None = own.get("cache")
        seed = own.get("cache_seed")
        if cache is None and seed is not None:
            cache = await Call(self._open_cache, None, (seed,))
        agent = own.get("agent")
        if cache is None and not budgets_here(agent):
            response = await self._ask(entry, params, None)
            answered = Answered(response, *used(entry, params, response))
        elif cache is None:
            answered = await self._fresh(entry, params, agent)
        else:
            answered = await self._cached(cache, entry, params, agent)
        response, usage, cost, is_cached = answered
        response.cost = cost or 0.0
        response.cost_usd = cost
        response.config_id = entry.index
        response.is_cached = is_cached
        client = entry.client
        response.message_retrieval_function = (
            texts_or_messages if client is None else client.retrieve
        )
        response.pass_filter = True
        if usage is not None:
            with self._lock:
                self.ledger.add(usage)
            if "on_usage" in own:
                own["on_usage"](usage)
        if "filter_func" in own:
            judge = Call(
                own["filter_func"],
                kwargs={"context": context, "response": response},
                place="inline",
            )
            response.pass_filter = bool(await judge)
        return response

    # ------------------------------------------------------------------------------------- asking

    async def _fresh(self, entry: Entry, params: dict[str, Any], agent: Any) -> Answered:
        """What one entry answers, retried; paid from the budgets that hold for `agent` here."""
        budgets = budgets_here(agent)
        if not budgets:
            response = await self._ask(entry, params, None)
            return Answered(response, *used(entry, params, response))
        payment = Payment(budgets, entry, params, seen=self._seen)
        await self._ask(entry, params, payment)
        assert payment.answered is not None
        return payment.answered

    def _ask(self, entry: Entry, params: dict[str, Any], payment: Payment | None) -> Any:
        if entry.client is not None:
            return self._ask_client(entry, params, payment)
        return self._ask_endpoint(entry, params, payment)

    async def _ask_client(
        self, entry: Entry, params: dict[str, Any], payment: Payment | None
    ) -> Any:
        client = entry.client
        place = ("client", client.name, entry.model)
        if entry.requests_per_s is not None:
            await self._take_turn(place, entry.requests_per_s)
        send: Callable[[dict[str, Any]], Awaitable[Any]] = client.create
        try:
            # A copy each time: clients take their params apart.
            if payment is None:
                return await send(dict(params))
            return await payment.attempt(send)
        except ProviderError as error:
            failed = error
        patience = _Patience(
            self.clock(), entry.timeout_s, entry.max_retries, place, entry.requests_per_s
        )
        if payment is None:
            return await self._again(failed, lambda: send(dict(params)), patience)
        return await self._again(failed, lambda: payment.attempt(send), patience)

    async def _ask_endpoint(
        self, entry: Entry, params: dict[str, Any], payment: Payment | None
    ) -> ChatCompletion:
        endpoint = entry.endpoint(params.get("model") or entry.model)
        complete = self._carrier(entry).complete

        def send(params: dict[str, Any]) -> Call[ChatCompletion]:
            params.pop("model", None)
            return Call(None, complete, (endpoint, request_of(params)), place="inline")

        rate, place = endpoint.requests_per_s, (endpoint.base_url, endpoint.api_key, endpoint.model)
        if rate is not None:
            await self._take_turn(place, rate)
        started = self.clock()
        attempt: Callable[[], Awaitable[ChatCompletion]]
        if payment is None:
            call = send(dict(params))

            def attempt() -> Call[ChatCompletion]:
                return call

        else:
            attempt = partial(payment.attempt, send)
        try:
            return await attempt()
        except ProviderError as error:
            failed = error
        patience = _Patience(started, endpoint.timeout_s, endpoint.max_retries, place, rate)
        answer: ChatCompletion = await self._again(failed, attempt, patience)
        return answer

    def _carrier(self, entry: Entry) -> ModelTransport:
        """What carries the attempts of `entry`: its own `http_client` if it can."""
        own: Any = entry.client_options.get("http_client")
        if own is None:
            return self._transport()
        if hasattr(own, "complete"):
            carrier: ModelTransport = own
            return carrier
        _warn_foreign_client(own)
        return self._transport()

    async def _again(
        self, failed: ProviderError, attempt: Callable[[], Awaitable[Any]], patience: _Patience
    ) -> Any:
        """Further attempts after `failed`, with growing pauses, inside the deadline."""
        deadline = patience.started + patience.timeout_s * (patience.retries + 1)
        for retry in range(patience.retries):
            if not failed.retryable or _is_shown(failed):
                break
            # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
            pause_s = self._jitter() * min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**retry)
            pause_s = max(pause_s, failed.retry_after_s or 0.0)
            if pause_s > patience.timeout_s or self.clock() + pause_s >= deadline:
                break
            await Sleep(pause_s)
            if patience.rate is not None:
                await self._take_turn(patience.place, patience.rate)
            try:
                return await attempt()
            except ProviderError as error:
                failed = error
        raise failed

    async def _take_turn(self, place: Hashable, rate: float) -> None:
        """Wait for the next moment at which `place` may be asked."""
        wait_s = _turns.reserve(place, 1 / rate, self.clock())
        if wait_s > 0:
            await Sleep(wait_s)

    # ------------------------------------------------------------------------------------- caching

    async def _cached(
        self, cache: AbstractCache, entry: Entry, params: dict[str, Any], agent: Any
    ) -> Answered:
        """The kept answer; else the one that somebody is already getting; else a fresh one."""
        where = (
            entry.client.name
            if entry.client is not None
            else entry.endpoint(entry.model or "-").base_url
        )
        key = request_key(params, provider=where)
        if key is None:
            return await self._fresh(entry, params, agent)
        record = await Call(cache.get, None, (key,))
        while not is_record(record):
            flight, leads = joined(cache, key)
            if flight is None:
                return await self._fresh(entry, params, agent)
            if leads:
                return await self._lead(flight, cache, key, entry, params, agent)
            started, patience_s = self.clock(), entry.timeout_s
            record = await Call(None, flight.wait, (patience_s,))
            if record is None and self.clock() - started >= patience_s:
                return await self._fresh(entry, params, agent)
        return from_record(record)

    async def _lead(
        self,
        flight: Flight,
        cache: AbstractCache,
        key: str,
        entry: Entry,
        params: dict[str, Any],
        agent: Any,
    ) -> Answered:
        """Get the answer for all who wait for it, and keep it."""
        try:
            # Between our look and our lead somebody may have landed.
            record = await Call(cache.get, None, (key,))
            if is_record(record):
                flight.land(record)
                return from_record(record)
            answered = await self._fresh(entry, params, agent)
            record = record_of(answered)
            if record is not None:
                try:
                    await Call(cache.set, None, (key, record))
                except (AutogenError, OSError) as error:
                    # The answer is paid for; a cache that cannot keep it is no reason to lose it.
                    logger.warning("An answer could not be cached: %s", error)
                flight.land(record)
            return answered
        finally:
            flight.fail()


class _Patience(NamedTuple):
    """How long and how often one entry is asked again.

    Attributes:
        started: Clock at its first attempt.
        timeout_s: Seconds for one attempt, and the longest pause.
        retries: Attempts after the first.
        place: What the rate limit counts.
        rate: Requests per second, or None.
    """

    started: float
    timeout_s: float
    retries: int
    place: Hashable
    rate: float | None


class _Turns:
    """When each place may be asked next; shared by all routers of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[Hashable, float] = {}

    def reserve(self, place: Hashable, interval_s: float, now: float) -> float:
        """Seconds to wait for the turn that is taken by this call."""
        with self._lock:
            at = max(now, self._next.get(place, now))
            self._next[place] = at + interval_s
        return at - now


_turns = _Turns()
_foreign_clients: set[str] = set()


def _warn_foreign_client(client: Any) -> None:
    name = f"{type(client).__module__}.{type(client).__qualname__}"
    if name not in _foreign_clients:
        _foreign_clients.add(name)
        logger.warning(
            "The http_client of type %s is not used: calls go through this package's own "
            "transport. Proxies come from HTTPS_PROXY; an object with an async "
            "complete(endpoint, request) is used.",
            name,
        )


def texts_or_messages(response: Any) -> list[Any]:
    """One item per choice: its text, or the whole message where the model called something."""
    found = []
    for choice in response.choices:
        message = choice.message
        called = message.tool_calls is not None or message.function_call is not None
        found.append(message if called else message.content)
    return found


# ------------------------------------------------------------------------------------------- errors


def _is_shown(error: Exception) -> bool:
    """Whether a person saw a part of the answer that then failed."""
    return bool(getattr(error, "shown", False))


def _falls_back(error: Exception) -> bool:
    """Whether the next entry may be asked after `error`.

    Services fail in their own ways; mistakes in somebody's code, limits and content policies are
    the same everywhere. Errors of other libraries are known by the shape that the OpenAI client
    gave them.
    """
    if isinstance(error, ProviderError):
        return not isinstance(error, ContentFiltered) and not _is_shown(error)
    if isinstance(error, AutogenError):
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if getattr(error, "code", None) == "content_filter":
        return False
    return isinstance(getattr(error, "status_code", None), int) or any(
        c.__name__ == "APIError" for c in type(error).__mro__
    )


def _told(error: Exception, failures: Sequence[tuple[Entry, Exception]]) -> Exception:
    """`error` with notes on what the entries before it failed with; timeouts are TimeoutErrors."""
    for entry, earlier in failures:
        error.add_note(
            f"before that, config entry {entry.index} ({entry.model or 'no model'} at "
            f"{entry.where}) failed: {type(earlier).__name__}: {redact(str(earlier))}"
        )
    if type(error).__name__ == "APITimeoutError" and not isinstance(error, TimeoutError):
        return ProviderTimeout(f"the last entry of the config list timed out: {redact(str(error))}")
    return error
