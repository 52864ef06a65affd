"""The bodies of OpenAI's chat, models and embeddings interfaces, as bytes.

Nothing here knows of connections; `faults` puts bodies into answers.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from .exchange import Reply, Request
from .replies import n_words, text_of

__all__ = ["completion", "dumped", "embeddings", "error", "events", "model", "models"]

_CREATED = 1_790_000_000
_ARGUMENTS_PIECE = 16
_EMBEDDING_DIM = 64
_numbers = itertools.count(1)
_words = re.compile(r"\s*\S+|\s+")

# Status to the type and code of OpenAI's error objects.
_ERRORS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def dumped(value: Any) -> bytes:
    """JSON without spaces, as services send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def error(status: int, said: str | dict[str, Any] | None = None) -> bytes:
    """An error body: the whole error object, or one made around a message."""
    if not isinstance(said, dict):
        kind, code = _ERRORS.get(status, ("server_error", None))
        message = said or f"the script says status {status}"
        said = {"message": message, "type": kind, "param": None, "code": code}
    return dumped({"error": said})


def models(names: Iterable[str]) -> bytes:
    """The list of models."""
    return dumped({"object": "list", "data": [_model(name) for name in names]})


def model(name: str) -> bytes:
    """One model."""
    return dumped(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "loopback"}


# --------------------------------------------------------------------------------------------- chat


def completion(request: Request, reply: Reply) -> bytes:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.content}
    if reply.tool_calls:
        message["tool_calls"] = reply.tool_calls
    if reply.function_call is not None:
        message["function_call"] = reply.function_call
    if reply.refusal is not None:
        message["refusal"] = reply.refusal
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    choices: Any = [
        {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    ]
    if reply.fault == "empty_choices":
        choices = []
    elif reply.fault == "wrong_type":
        choices = {"message": reply.content}
    body = {**_envelope(request, "chat.completion"), "choices": choices}
    usage = _usage(request, reply)
    if usage:
        body["usage"] = usage
    return dumped(body)


def events(request: Request, reply: Reply) -> list[bytes]:
    """The events of a streamed chat completion, the closing `[DONE]` included."""
    envelope = _envelope(request, "chat.completion.chunk")
    with_usage = bool((request.json.get("stream_options") or {}).get("include_usage"))
    if with_usage:
        envelope["usage"] = None
    # Written once: a stream is the same text around one small delta after another.
    head = b"data: " + dumped(envelope)[:-1] + b',"choices":'

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        if reply.fault == "empty_choices":
            return head + b"[]}\n\n"
        choice = dumped({"index": 0, "delta": delta, "finish_reason": finish_reason})
        if reply.fault == "wrong_type":
            return head + choice + b"}\n\n"
        return head + b"[" + choice + b"]}\n\n"

    found = [event(delta) for delta in _deltas(reply)]
    found.append(event({}, _finish_reason(reply)))
    usage = _usage(request, reply)
    if with_usage and usage:
        found.append(b"data: " + dumped({**envelope, "choices": [], "usage": usage}) + b"\n\n")
    found.append(b"data: [DONE]\n\n")
    return found


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if reply.content is None else ""}
    for piece in _words.findall(reply.reasoning or ""):
        yield {"reasoning_content": piece}
    for piece in _pieces(text_of({"content": reply.content}), reply.n_chunks):
        yield {"content": piece}
    if reply.refusal is not None:
        yield {"refusal": reply.refusal}
    if reply.function_call is not None:
        yield {"function_call": {**reply.function_call, "arguments": ""}}
        for piece in _cut(reply.function_call.get("arguments", "")):
            yield {"function_call": {"arguments": piece}}
    for index, made in enumerate(reply.tool_calls):
        function = made["function"]
        begun = {**made, "index": index, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [begun]}
        for piece in _cut(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _cut(arguments: str) -> Iterator[str]:
    for at in range(0, len(arguments), _ARGUMENTS_PIECE):
        yield arguments[at : at + _ARGUMENTS_PIECE]


def _pieces(text: str, n: int | None) -> list[str]:
    if not n:
        return _words.findall(text)
    return [text[i * len(text) // n : (i + 1) * len(text) // n] for i in range(n)]


def _envelope(request: Request, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{next(_numbers)}",
        "object": kind,
        "created": _CREATED,
        "model": request.model,
        "system_fingerprint": "loopback",
    }


def _finish_reason(reply: Reply) -> str:
    if reply.finish_reason:
        return reply.finish_reason
    return "tool_calls" if reply.tool_calls else "function_call" if reply.function_call else "stop"


def _usage(request: Request, reply: Reply) -> dict[str, Any]:
    if reply.usage is not None:
        return reply.usage
    prompt = n_words(request.messages)
    completion = n_words([{"content": reply.content}, {"content": reply.reasoning}])
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


# --------------------------------------------------------------------------------------- embeddings


def embeddings(request: Request) -> bytes:
    """Embeddings in which texts that share words are near each other; the same in every process.

    Raises:
        ValueError: No usable input.
    """
    given = request.json.get("input")
    if isinstance(given, str) or (isinstance(given, list) and given and isinstance(given[0], int)):
        given = [given]
    if not isinstance(given, list) or not given:
        raise ValueError("'input' must be a text, a list of texts, or tokens")
    dim = request.json.get("dimensions") or _EMBEDDING_DIM
    as_base64 = request.json.get("encoding_format") == "base64"
    data, n_tokens = [], 0
    for index, text in enumerate(given):
        words = text.lower().split() if isinstance(text, str) else [str(token) for token in text]
        n_tokens += len(words)
        vector: Any = _embedding(words, dim)
        if as_base64:
            vector = base64.b64encode(struct.pack(f"<{dim}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    return dumped({"object": "list", "model": request.model, "data": data, "usage": usage})


def _embedding(words: list[str], dim: int) -> list[float]:
    """A vector of length 1: (dim,), each word counted at the place its checksum gives."""
    vector = [0.0] * dim
    for word in words or [""]:
        vector[zlib.crc32(word.encode("utf-8", "replace")) % dim] += 1.0
    length = math.hypot(*vector)
    return [x / length for x in vector]
