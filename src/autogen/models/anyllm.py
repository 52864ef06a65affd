"""The carrier to services without an OpenAI-compatible address, through the package any-llm.

any-llm speaks to each service through that service's own package, in the shapes of OpenAI. It is an
extra; neither it nor a service's package loads before the first call.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

from ..config.secrets import redact
from ..errors import ConnectionFault, ProviderError, ProviderTimeout, UsageError
from .base import ChatCompletion, Endpoint, ModelRequest
from .dialects import openai as dialect
from .progress import Progress

__all__ = ["AnyLLMTransport"]

#: What AutoGen 0.2 called the options of Amazon Bedrock, and what its package calls them.
_CLIENT_ARGS = {
    "aws_access_key": "aws_access_key_id",
    "aws_profile_name": "profile_name",
    "aws_region": "region_name",
    "aws_secret_key": "aws_secret_access_key",
    "aws_session_token": "aws_session_token",
}
#: HTTP status by the class any-llm gives to an error that came without one.
_STATUS = {
    "AuthenticationError": 401,
    "ContentFilterError": 400,
    "ContextLengthExceededError": 400,
    "InsufficientFundsError": 402,
    "InvalidRequestError": 400,
    "MissingApiKeyError": 401,
    "ModelNotFoundError": 404,
    "RateLimitError": 429,
    "UnsupportedParameterError": 400,
}
_CODES = {
    "ContentFilterError": "content_filter",
    "ContextLengthExceededError": "context_length_exceeded",
}


class AnyLLMTransport:
    """Carries attempts by `api_type`; keeps one client per event loop and key."""

    def __init__(self) -> None:
        self._clients: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()

    async def complete(self, endpoint: Endpoint, request: ModelRequest) -> ChatCompletion:
        """The answer of one attempt. The package of the service may retry on its own.

        Raises:
            UsageError: The extra, or the package of the service, is not installed.
            ProviderError: What came back is no answer. `.shown` says whether a part was shown.
        """
        asked = json.loads(dialect.build(endpoint, request).body)
        given = {name: asked.pop(old) for old, name in _CLIENT_ARGS.items() if old in asked}
        progress = Progress()
        try:
            client = await self._client(endpoint, given)
            async with asyncio.timeout(endpoint.timeout_s):
                answer = await client.acompletion(**asked)
                if request.stream:
                    return await _streamed(answer, endpoint, progress)
                return dialect.parse(_json(answer), endpoint)
        except (ProviderError, UsageError) as error:
            if isinstance(error, ProviderError):
                error.shown = progress.shown
            raise
        except ImportError as error:
            raise UsageError(
                f"api_type {endpoint.api_type!r} needs a package of that service: {error}"
            ) from error
        except Exception as error:
            told = _told(error, endpoint)
            told.shown = progress.shown
            raise told from error

    async def _client(self, endpoint: Endpoint, given: dict[str, Any]) -> Any:
        loop = asyncio.get_running_loop()
        clients = self._clients.setdefault(loop, {})
        key = endpoint.api_type, endpoint.api_key, tuple(sorted(given.items()))
        if key not in clients:
            # It takes a second or two to load, and so do the packages of services.
            clients[key] = await asyncio.to_thread(_made, endpoint, given)
        return clients[key]


def _made(endpoint: Endpoint, given: dict[str, Any]) -> Any:
    try:
        package = importlib.import_module("any_llm")
    except ImportError as error:
        raise UsageError(
            f"api_type {endpoint.api_type!r} is served through any-llm, which is not installed; "
            'this needs the extra "anyllm": pip install -e ".[anyllm]" in a clone.'
        ) from error
    options = {"api_key": endpoint.api_key, "unified_exceptions": True, **given}
    try:
        return package.AnyLLM.create(endpoint.api_type, max_retries=0, **options)
    except package.UnsupportedParameterError:
        # A package that counts its retries itself.
        return package.AnyLLM.create(endpoint.api_type, **options)


def _json(answer: Any) -> bytes:
    data: str = answer.model_dump_json(exclude_none=True)
    return data.encode()


async def _streamed(
    chunks: AsyncIterator[Any], endpoint: Endpoint, progress: Progress
) -> ChatCompletion:
    fold = dialect.StreamFold(endpoint)
    async for chunk in chunks:
        for delta in fold.feed(b"data: " + _json(chunk) + b"\n\n"):
            progress.show(delta)
        if fold.fault is not None:
            raise fold.fault
    fold.feed(b"data: [DONE]\n\n")
    answer = fold.finish()
    progress.end()
    return answer


def _told(error: Exception, endpoint: Endpoint) -> ProviderError:
    """The error of this package for one of any-llm's or of a service's package."""
    if isinstance(error, TimeoutError):
        return ProviderTimeout(
            f"{endpoint.api_type} did not finish its answer of {endpoint.model!r} within "
            f"{endpoint.timeout_s:g} s; raise 'timeout' in the config entry, or ask for less.",
            provider=endpoint.api_type,
        )
    kind = type(error).__name__
    status = getattr(error, "status_code", None) or _STATUS.get(kind)
    message = getattr(error, "message", None) or str(error) or kind
    if not isinstance(status, int) or status < 400:
        text = redact(message, [endpoint.api_key])
        return ConnectionFault(
            f"{endpoint.api_type} gave no answer of {endpoint.model!r}: {text}",
            provider=endpoint.api_type,
        )
    code = getattr(error, "code", None) or _CODES.get(kind)
    said = {"error": {"message": message, "code": code, "type": getattr(error, "error_type", None)}}
    wait = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"retry-after": str(wait)}
    return dialect.fault(status, headers, json.dumps(said, default=str).encode(), endpoint)
