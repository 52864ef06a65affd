"""The wire form of OpenAI chat completions, as every compatible server speaks it.

Pure functions: `build` makes the bytes of a request, `parse` reads an answer, `StreamFold` folds a
stream into one, `fault` turns an error response into the exception that fits. No I/O happens here,
so all of it can be tested on plain bytes. The carrier is `models.http`.

Source: https://platform.openai.com/docs/api-reference/chat and, for Azure,
https://learn.microsoft.com/azure/ai-services/openai/reference, read 2026-10.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from ..._version import __version__
from ...errors import UsageError
from ...messages import Message, encoded
from ..base import ChatCompletion, Endpoint, ModelRequest
from .answer import NotACompletion, read_completion
from .faults import fault, host, inner_fault, malformed
from .fold import Delta, StreamFold

__all__ = [
    "Delta",
    "HttpRequest",
    "StreamFold",
    "build",
    "encoded_messages",
    "encoded_options",
    "fault",
    "host",
    "parse",
]

_NAME = "openai"
#: Keys of stored messages that say something to this package only.
_NOT_WIRE = frozenset({"context", "override_role", "tool_responses"})
_NOT_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MAX_NAME_CHARS = 64
_WIRE_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{_MAX_NAME_CHARS}}}")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST, ready to be sent. Its repr shows no secret."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


# ------------------------------------------------------------------------------------- the request


def build(endpoint: Endpoint, request: ModelRequest, *, bearer: str | None = None) -> HttpRequest:
    """The HTTP request that asks `endpoint`.

    Args:
        endpoint: Whom to ask; its `options` count as defaults.
        request: Each `Message` in it is encoded once in its life.
        bearer: Token that takes the place of the key (`azure_ad_token_provider` gave it).

    Raises:
        UsageError: Something cannot be said in JSON or in a header; the message names it.
    """
    options = {**endpoint.options, **request.options} if endpoint.options else request.options
    extra_headers: Mapping[str, Any] = {}
    if "extra_headers" in options or "extra_body" in options:
        options = dict(options)
        extra_headers = options.pop("extra_headers", None) or {}
        options.update(options.pop("extra_body", None) or {})
    url = _url(endpoint.base_url, endpoint.api_type, endpoint.model, endpoint.api_version)
    return HttpRequest(
        url,
        _headers(endpoint, bearer, extra_headers, is_stream=request.stream),
        _body(endpoint.model, request.messages, options, is_stream=request.stream),
    )


@lru_cache(maxsize=256)
def _url(base_url: str, api_type: str, model: str, api_version: str | None) -> str:
    scheme, place, path, query, _ = urlsplit(base_url)
    path = path.rstrip("/")
    is_versioned = False
    if api_type.startswith("azure"):
        is_versioned = "/openai/v1" not in path or api_version in ("preview", "latest")
        if "/openai/deployments/" not in path and "/openai/v1" not in path:
            path = f"{path.removesuffix('/openai')}/openai/deployments/{quote(model, safe='')}"
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    if is_versioned and api_version and "api-version=" not in query:
        version = f"api-version={quote(api_version)}"
        query = f"{query}&{version}" if query else version
    return urlunsplit((scheme, place, path, query, ""))


def _headers(
    endpoint: Endpoint, bearer: str | None, extra: Mapping[str, Any], *, is_stream: bool
) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if is_stream else "application/json",
        "User-Agent": f"autogen-next/{__version__}",
    }
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    elif endpoint.api_key is not None:
        if endpoint.api_type.startswith("azure"):
            headers["api-key"] = endpoint.api_key
        else:
            headers["Authorization"] = f"Bearer {endpoint.api_key}"
    if endpoint.organization is not None:
        headers["OpenAI-Organization"] = endpoint.organization
    for given in (endpoint.headers, extra):
        if given:
            # Names of headers are the same in any case, and what the user gave wins.
            taken = {name.lower() for name in given}
            headers = {k: v for k, v in headers.items() if k.lower() not in taken}
            headers.update((str(k), str(v)) for k, v in given.items())
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            _check_header(name, value)
    return headers


def _check_header(name: str, value: str) -> None:
    bad = next(
        (i for i, c in enumerate(value) if ord(c) > 255 or (c != "\t" and not c.isprintable())),
        None,
    )
    if bad is not None:
        what = "the API key" if name.lower() in ("authorization", "api-key") else f"header {name!r}"
        raise UsageError(
            f"{what} has a character at position {bad} of its header that HTTP cannot carry "
            f"({value[bad]!a}); copy it again without line ends and quotes."
        )


def _body(
    model: str,
    messages: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    *,
    is_stream: bool,
) -> bytes:
    parts = [
        b'{"model":',
        _json(model),
        b',"messages":[',
        b",".join(encoded_messages(messages)),
        b"]",
    ]
    if is_stream:
        parts.append(b',"stream":true')
        if "stream_options" not in options:
            parts.append(b',"stream_options":{"include_usage":true}')
    if options:
        parts.append(b",")
        parts.append(encoded_options(options)[1:])
    else:
        parts.append(b"}")
    return b"".join(parts)


def encoded_messages(messages: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Each message in JSON; a `Message` keeps its encoding."""
    # `encoded` would say the same; asking it for each of 1,000 messages costs more than the call.
    return [
        wire[1]
        if type(m) is Message
        and (wire := m.wire) is not None
        and wire[2] is None
        and wire[0] == _NAME
        else encoded(m, dialect=_NAME, encode=_message)
        for m in messages
    ]


def _message(message: Mapping[str, Any]) -> bytes:
    """One chat message in JSON."""
    out = {}
    for key, value in message.items():
        if key in _NOT_WIRE or (key != "content" and value in (None, [], {})):
            continue
        if key == "name":
            value = _wire_name(value)
            if not value:
                continue
        out[key] = value
    if callable(out.get("content")):
        raise UsageError(
            "the content of a message is a function; call it, or send it with a 'context' so that "
            "the agent does."
        )
    try:
        return _json(out)
    except (TypeError, ValueError, RecursionError) as error:
        what = next((key for key, value in out.items() if not _is_json(value)), "content")
        raise UsageError(
            f"the message key {what!r} of a {out.get('role')!r} message cannot be sent as JSON "
            f"({error}); use text, numbers, lists and dicts."
        ) from error


def _wire_name(name: Any) -> str:
    """`name` as OpenAI takes it: other characters become `_`, and 64 are the most."""
    text = str(name)
    if _WIRE_NAME.fullmatch(text):
        return text
    return _NOT_NAME.sub("_", text)[:_MAX_NAME_CHARS]


def encoded_options(options: Mapping[str, Any]) -> bytes:
    """Everything of a request but its messages, in JSON."""
    shape = options.get("response_format")
    if isinstance(shape, type) and hasattr(shape, "model_json_schema"):
        schema = {"name": _wire_name(shape.__name__), "schema": shape.model_json_schema()}
        options = {
            **options,
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
    try:
        return _json(options)
    except (TypeError, ValueError, RecursionError) as error:
        what = next((key for key, value in options.items() if not _is_json(value)), "?")
        raise UsageError(
            f"the request option {what!r} cannot be sent as JSON ({error}); use text, finite "
            "numbers, lists and dicts."
        ) from error


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _json(value: Any) -> bytes:
    text = _encode(value)
    if "\\u0000" not in text:
        try:
            return text.encode()
        except UnicodeEncodeError:
            pass
    return _encode(_clean(value)).encode()


def _is_json(value: Any) -> bool:
    try:
        _json(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _clean(value: Any) -> Any:
    """`value` with halves of characters made whole or replaced, and without NUL.

    Both travel in Python strings (broken file names, binary output) and make servers refuse the
    whole conversation from then on.
    """
    if isinstance(value, str):
        text = value.replace("\0", "")
        if text.isascii():
            return text
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {_clean(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return value


# -------------------------------------------------------------------------------------- the answer


def parse(body: bytes, endpoint: Endpoint) -> ChatCompletion:
    """The answer in the body of a successful response.

    Raises:
        MalformedAnswer: It is not a completion; the message holds its beginning.
        ContentFiltered: The answer was withheld by a content policy.
        ProviderError: It is an error that came with a status of success.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith((b"data:", b"event:", b":")):
            # Some servers stream to everybody.
            fold = StreamFold(endpoint)
            fold.feed(body)
            return fold.finish()
        raise malformed(endpoint, "something that is not JSON", body) from None
    if isinstance(data, dict) and (choices := data.get("choices")):
        try:
            return read_completion(data, choices, endpoint)
        except NotACompletion as error:
            raise malformed(endpoint, str(error), body) from None
    if isinstance(data, dict) and data.get("error"):
        raise inner_fault(data["error"], endpoint)
    raise malformed(endpoint, "JSON without 'choices'", body)
