"""From a reply to the acts of its answer, the faulty ones included."""

from __future__ import annotations

from collections.abc import Mapping

from .exchange import Reply, Request
from .http1 import CLOSE, HANG, Act, Pause, chunk, head
from .wire import completion, error, events

__all__ = ["answer", "plain"]

_JSON = "application/json"
_PAGE = b"<!doctype html><title>Bad gateway</title><h1>Something is in the way</h1>"
_HALF_AN_EVENT = b'data: {"id":"chatcmpl-0","choices":[{"ind\n\n'
_DRIP_BYTES = 7
_DRIP_S = 0.001


def plain(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer."""
    given = {"content-type": _JSON, "content-length": str(len(body)), **(headers or {})}
    return head(status, given) + body


def answer(request: Request, reply: Reply) -> list[Act]:
    """What a connection does to give `reply`."""
    acts: list[Act] = [Pause(reply.delay_s)] if reply.delay_s else []
    fault = reply.fault
    if fault == "hang":
        return [*acts, HANG]
    if fault == "drop":
        return [*acts, CLOSE]
    if fault == "drop_headers":
        return [*acts, b"HTTP/1.1 200 OK\r\ncontent-ty", CLOSE]
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if reply.retry_after_s is not None:
        headers["retry-after"] = f"{reply.retry_after_s:g}"
    if fault == "html":
        return [*acts, plain(_PAGE, headers={**headers, "content-type": "text/html"})]
    if fault == "empty_body":
        return [*acts, plain(b"", headers=headers)]
    if request.json.get("stream") and reply.status < 400:
        return acts + _streamed(request, reply, headers)
    return acts + _whole(request, reply, headers)


def _whole(request: Request, reply: Reply, headers: dict[str, str]) -> list[Act]:
    if reply.raw is not None:
        body = _raw(reply.raw)
    elif reply.status >= 400:
        body = error(reply.status, reply.error)
    else:
        body = completion(request, reply)
    if reply.fault in ("malformed", "bad_sse"):
        body = body[: len(body) // 2]
    sent = plain(body, status=reply.status, headers=headers)
    if reply.fault in ("drop_body", "drop_stream"):
        return [sent[: len(sent) - len(body) + len(body) // 2], CLOSE]
    if reply.fault == "drip":
        return _dripped(sent, reply.chunk_delay_s)
    return [sent]


def _streamed(request: Request, reply: Reply, headers: dict[str, str]) -> list[Act]:
    fault = reply.fault
    sent = events(request, reply) if reply.raw is None else [_raw(reply.raw)]
    middle = max(1, len(sent) // 2)
    if fault in ("malformed", "bad_sse"):
        sent[middle:middle] = [_HALF_AN_EVENT]
    elif fault == "no_done":
        sent.pop()
    elif fault in ("drop_stream", "drop_body"):
        del sent[middle:]
    begin = head(
        200,
        {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers},
    )
    is_cut = fault in ("drop_stream", "drop_body")
    end = b"" if is_cut else chunk(b"")
    after: list[Act] = [CLOSE] if is_cut else []
    if fault == "drip":
        return _dripped(begin + b"".join(map(chunk, sent)) + end, reply.chunk_delay_s)
    if not reply.chunk_delay_s:
        # One write for many events: what a client does with them does not depend on it.
        return [begin + b"".join(map(chunk, sent)) + end, *after]
    acts: list[Act] = [begin]
    for event in sent:
        acts += [chunk(event), Pause(reply.chunk_delay_s)]
    return [*acts, end, *after]


def _dripped(data: bytes, delay_s: float) -> list[Act]:
    acts: list[Act] = []
    for at in range(0, len(data), _DRIP_BYTES):
        acts += [data[at : at + _DRIP_BYTES], Pause(delay_s or _DRIP_S)]
    return acts


def _raw(given: bytes | str) -> bytes:
    return given.encode() if isinstance(given, str) else given
