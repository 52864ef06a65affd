"""The carrier of model calls: one attempt over HTTP, on one aiohttp session per event loop.

`HttpTransport` implements `models.base.ModelTransport`. What travels is made and read by
`models.dialects`; who is asked again, and when, is the router's. Environment: HTTP_PROXY,
HTTPS_PROXY, ALL_PROXY and NO_PROXY are honoured, never for loopback; `.netrc` is not read.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import io
import ipaddress
import os
import threading
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from .._kernel.ioloop import at_close
from .._kernel.run import current_run
from ..config.secrets import redact
from ..errors import (
    AuthenticationError,
    ConnectionFault,
    MalformedAnswer,
    ProviderError,
    ProviderTimeout,
    UsageError,
)
from .base import ChatCompletion, Endpoint, ModelRequest
from .dialects import openai as dialect
from .progress import Progress

if TYPE_CHECKING:
    import aiohttp

__all__ = ["MAX_ANSWER_BYTES", "HttpTransport"]

#: The most that is read of one answer.
MAX_ANSWER_BYTES = 64 * 2**20
#: The most that is read of an error, and the most that aiohttp takes as bytes without a warning.
_MAX_ERROR_BYTES = 64 * 2**10
_MAX_PLAIN_BODY_BYTES = 2**20
#: A host that does not even accept a connection says so sooner than a model that thinks.
_CONNECT_TIMEOUT_S = 30.0
_KEEPALIVE_S = 30.0
#: Statuses of refusals before any work was done; 408, 409 and 499 may come after some.
_UNBILLED = frozenset(range(400, 500)) - {408, 409, 499}
#: How long the end of a stream may follow its [DONE] before the connection is given up.
_TAIL_S = 0.1
_DNS_CACHE_S = 60


def _once(headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    """`headers`, in a recorded run with a key that is the same when the step is taken again.

    A service that knows the header answers such a request without billing it twice: a call that was
    under way when its process died is made again by the next one.
    """
    run = current_run()
    if run is None or run.recorder is None or any(k.lower() == "idempotency-key" for k in headers):
        return headers
    name = run.recorder.digest([run.id, run.path, body.hex()])
    return {**headers, "Idempotency-Key": f"autogen-{name}"}


class HttpTransport:
    """Carries attempts; holds nothing, so that one serves all loops and threads."""

    __slots__ = ()

    async def complete(self, endpoint: Endpoint, request: ModelRequest) -> ChatCompletion:
        """The answer of one attempt; never retries.

        A streamed answer is reported piece by piece as `model.token` events: `{"text": ...}`, or
        `{"reasoning": ...}`, and `{"text": "", "is_last": True}` after the last one.

        Raises:
            UsageError: The request cannot be sent as it is; nothing was sent.
            ProviderError: What came back is no answer. `.shown` says whether a part was shown.
        """
        bearer = None
        if endpoint.azure_ad_token_provider is not None:
            bearer = await _token(endpoint, endpoint.azure_ad_token_provider)
        post = dialect.build(endpoint, request, bearer=bearer)
        opened = _opened.get(asyncio.get_running_loop())
        session = (opened or await _open()).session
        headers, route = _once(post.headers, post.body), _route(post.url)
        if route.credentials is not None and not route.is_tunnel:
            headers = {**headers, "Proxy-Authorization": route.credentials}
        body = post.body
        progress = Progress()
        try:
            async with session.request(
                "POST",
                post.url,
                data=body if len(body) <= _MAX_PLAIN_BODY_BYTES else io.BytesIO(body),
                headers=headers,
                timeout=_timeout(endpoint.timeout_s),
                allow_redirects=False,
                proxy=route.proxy,
                proxy_headers=(
                    {"Proxy-Authorization": route.credentials}
                    if route.credentials is not None and route.is_tunnel
                    else None
                ),
            ) as response:
                if not 200 <= response.status < 300:
                    refused = await _refused(response, endpoint)
                    refused.unbilled = response.status in _UNBILLED
                    raise refused
                if request.stream:
                    return await _streamed(response, endpoint, progress)
                return dialect.parse(await _body(response, endpoint), endpoint)
        except ProviderError as error:
            error.shown = progress.shown
            raise
        except Exception as error:
            told = _told(error, endpoint, route)
            if told is None:
                raise
            if isinstance(told, ProviderError):
                told.shown = progress.shown
                told.unbilled = _is_unsent(error)
            raise told from error


# --------------------------------------------------------------------------------------- answers


async def _streamed(
    response: aiohttp.ClientResponse, endpoint: Endpoint, progress: Progress
) -> ChatCompletion:
    if response.content_type == "application/json":
        # Services that cannot stream this answer whole.
        answer = dialect.parse(await _body(response, endpoint), endpoint)
        text = answer.choices[0].message.content
        if text:
            progress.show(dialect.Delta("text", text))
    else:
        fold = dialect.StreamFold(endpoint)
        size_bytes = 0
        while chunk := await response.content.readany():
            size_bytes += len(chunk)
            if size_bytes > MAX_ANSWER_BYTES:
                raise _too_large(endpoint)
            for delta in fold.feed(chunk):
                progress.show(delta)
            if fold.fault is not None:
                raise fold.fault
            if fold.is_done:
                await _drain(response)
                break
        answer = fold.finish()
    progress.end()
    return answer


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Give the end of the body a moment, so that the connection can be used again.

    The answer is complete: a server that never ends the stream, or breaks it here, does no harm.
    """
    import aiohttp

    try:
        async with asyncio.timeout(_TAIL_S):
            while await response.content.readany():
                pass
    except (TimeoutError, OSError, aiohttp.ClientError):
        response.close()


async def _body(response: aiohttp.ClientResponse, endpoint: Endpoint) -> bytes:
    size_bytes = response.content_length
    if size_bytes is not None and "Content-Encoding" not in response.headers:
        if size_bytes > MAX_ANSWER_BYTES:
            raise _too_large(endpoint)
        return await response.read()
    pieces, size_bytes = [], 0
    while piece := await response.content.readany():
        size_bytes += len(piece)
        if size_bytes > MAX_ANSWER_BYTES:
            raise _too_large(endpoint)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(endpoint: Endpoint) -> MalformedAnswer:
    return MalformedAnswer(
        f"{dialect.host(endpoint)} sent more than {MAX_ANSWER_BYTES >> 20} MiB as one answer of "
        f"{endpoint.model!r}; the rest was not read. Set 'max_tokens', or check 'base_url'.",
        provider=dialect.host(endpoint),
        status=200,
        retryable=False,
    )


async def _refused(response: aiohttp.ClientResponse, endpoint: Endpoint) -> ProviderError:
    import aiohttp

    pieces: list[bytes] = []
    try:
        while sum(map(len, pieces)) < _MAX_ERROR_BYTES and (
            piece := await response.content.readany()
        ):
            pieces.append(piece)
    except (aiohttp.ClientError, TimeoutError):
        # The status is known, and says more than that its explanation was cut.
        pass
    return dialect.fault(response.status, response.headers, b"".join(pieces), endpoint)


# ---------------------------------------------------------------------------------------- faults


def _told(error: Exception, endpoint: Endpoint, route: _Route) -> Exception | None:
    """The error of this package for one of aiohttp's; None for somebody else's."""
    import aiohttp

    place = dialect.host(endpoint)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        limit_s = min(endpoint.timeout_s, _CONNECT_TIMEOUT_S)
        return ProviderTimeout(
            f"{place} did not accept a connection within {limit_s:g} s; check 'base_url', the "
            "network and the proxy settings.",
            provider=place,
        )
    if isinstance(error, TimeoutError):
        return ProviderTimeout(
            f"{place} did not finish its answer of {endpoint.model!r} within "
            f"{endpoint.timeout_s:g} s; raise 'timeout' in the config entry, or ask for less.",
            provider=place,
        )
    if not isinstance(error, aiohttp.ClientError | OSError):
        return None
    if isinstance(error, aiohttp.InvalidURL):
        return UsageError(f"the base_url of model {endpoint.model!r} is not a usable address.")
    cause = redact(str(getattr(error, "os_error", None) or error), [endpoint.api_key]).strip()
    cause = cause or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return ConnectionFault(
            f"no safe connection to {place}: {cause}. If it has a certificate of your own, name "
            "its authority in SSL_CERT_FILE; if it speaks plain http, say so in 'base_url'.",
            provider=place,
            retryable=False,
        )
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        proxy = urlsplit(route.proxy or "").hostname
        return ConnectionFault(
            f"the proxy {proxy} between here and {place} does not work: {cause}. Check "
            "HTTPS_PROXY and NO_PROXY.",
            provider=place,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectionFault(
            f"the host name {place!r} was not found: {cause}. Check 'base_url' and the network.",
            provider=place,
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionFault(
            f"{place} (port {error.port}) cannot be reached: {cause}. Check that the server runs "
            "and that 'base_url' names it.",
            provider=place,
        )
    if isinstance(error, aiohttp.ClientResponseError):
        return MalformedAnswer(
            f"{place} answered something that is not HTTP: {error.message}. Check 'base_url'.",
            provider=place,
        )
    return ConnectionFault(
        f"the connection to {place} broke before the answer of {endpoint.model!r} was complete: "
        f"{cause}. Ask again.",
        provider=place,
    )


def _is_unsent(error: Exception) -> bool:
    """Whether `error` came up before anything of the request was sent."""
    import aiohttp

    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


async def _token(endpoint: Endpoint, provider: Callable[[], Any]) -> str:
    """What the user's token provider gives; it may ask the network, so it gets a thread."""
    place = dialect.host(endpoint)
    try:
        token = await asyncio.to_thread(provider)
        if inspect.isawaitable(token):
            token = await token
    except Exception as error:
        raise AuthenticationError(
            f"azure_ad_token_provider gave no token for {place}: {redact(str(error))}",
            provider=place,
        ) from error
    if not isinstance(token, str) or not token:
        raise AuthenticationError(
            f"azure_ad_token_provider gave a {type(token).__name__} for {place}; it must give a "
            "token as a string.",
            provider=place,
        )
    return token


# ---------------------------------------------------------------------------------------- routes


class _Route(NamedTuple):
    """How a URL is reached; `proxy` is None for a direct way."""

    proxy: str | None = None
    credentials: str | None = None
    is_tunnel: bool = False


_DIRECT = _Route()
_PROXY_NAMES = tuple(
    spelled
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for spelled in (name, name.upper())
)


def _route(url: str) -> _Route:
    if _is_loopback(url):
        return _DIRECT
    settings = tuple(map(os.environ.get, _PROXY_NAMES))
    return _proxied(url, settings) if any(settings) else _DIRECT


@lru_cache(maxsize=256)
def _is_loopback(url: str) -> bool:
    name = urlsplit(url).hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _proxied(url: str, settings: tuple[str | None, ...]) -> _Route:
    """The route to `url`; `settings` are those of the environment, here as the cache key."""
    parts = urlsplit(url)
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return _DIRECT
    gate = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if gate.scheme not in ("http", "https") or not gate.hostname:
        raise UsageError(
            f"the proxy for {parts.hostname} has the scheme {gate.scheme!r}; only http and https "
            "proxies are supported. Check HTTPS_PROXY, ALL_PROXY and NO_PROXY."
        )
    user, _, where = gate.netloc.rpartition("@")
    credentials = None
    if user:
        credentials = "Basic " + b64encode(unquote(user).encode()).decode()
    return _Route(f"{gate.scheme}://{where}", credentials, parts.scheme == "https")


@lru_cache(maxsize=64)
def _timeout(timeout_s: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, _CONNECT_TIMEOUT_S))


# -------------------------------------------------------------------------------------- sessions


class _Opened(NamedTuple):
    """A session, and the generator whose closing closes it."""

    session: aiohttp.ClientSession
    life: AsyncGenerator[aiohttp.ClientSession, None]


_opened: dict[asyncio.AbstractEventLoop, _Opened] = {}
_lock = threading.Lock()
#: Sessions of the process that this one was forked from. Closing them here would take their
#: sockets out of the parent's poll set, so they are kept and never touched.
_inherited: list[Any] = []


async def _session_life() -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Gives a session, and closes it when it is closed itself.

    An event loop closes the asynchronous generators that are open on it before it ends
    (`loop.shutdown_asyncgens`, which `asyncio.run` calls): the one hook at which a session of
    somebody else's loop can still be closed in order.
    """
    import aiohttp

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, keepalive_timeout=_KEEPALIVE_S, ttl_dns_cache=_DNS_CACHE_S
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    try:
        yield session
    finally:
        # The loop may live on after it closed its generators, and then needs a new session.
        with _lock:
            for loop, opened in list(_opened.items()):
                if opened.session is session:
                    del _opened[loop]
        await session.close()


async def _open() -> _Opened:
    """The session of the running loop, opened."""
    loop = asyncio.get_running_loop()
    life = _session_life()
    session = await anext(life)
    with _lock:
        ended = [_opened.pop(other) for other in list(_opened) if other.is_closed()]
        opened = _opened[loop] = _Opened(session, life)
    for other in ended:
        _abandon(other)
    return opened


def _abandon(opened: _Opened) -> None:
    """Let go of a session whose loop closed without closing what was open on it."""
    closing = opened.session.close()
    try:
        # On a closed loop there is nothing to wait for: the first step is the last.
        closing.send(None)
    except (StopIteration, RuntimeError):
        pass
    finally:
        closing.close()


async def _close_here() -> None:
    opened = _opened.pop(asyncio.get_running_loop(), None)
    if opened is not None:
        await opened.life.aclose()


def _close_idle() -> None:
    """At exit: close what is left on loops that stand still."""
    for loop, opened in list(_opened.items()):
        if loop.is_closed():
            del _opened[loop]
            _abandon(opened)
        elif not loop.is_running():
            del _opened[loop]
            loop.run_until_complete(opened.life.aclose())


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _inherited.append(dict(_opened))
    _opened.clear()


at_close(_close_here)
atexit.register(_close_idle)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
