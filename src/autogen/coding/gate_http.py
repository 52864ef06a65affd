"""One request and one answer of the gate's proxy, passed on in HTTP/1.1.

What is passed on is written anew from what was understood, so that two programs cannot disagree on
where a message ends. Only `gate.py` uses this.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .egress import Destination, Refusal

__all__ = [
    "HEAD_BYTES",
    "Stream",
    "body_of",
    "exchange",
    "head_of",
    "read_request",
    "refuse",
    "tunnel",
]

HEAD_BYTES = 32 * 1024
HEAD_S = 15.0
LINGER_S = 2.0
IDLE_S = 600.0
CHUNK_BYTES = 64 * 1024

REQUEST_LINE = re.compile(rb"([A-Z]{3,16}) ([\x21-\x7e]{1,8192}) HTTP/1\.[01]")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})( [\t\x20-\x7e\x80-\xff]*)?")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
MOST_FIELDS = 200
#: Fields between two neighbours; they are not passed on. Source: RFC 9110, section 7.6.1.
HOP = frozenset(
    {
        *(b"connection", b"host", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"proxy-connection", b"te", b"trailer", b"upgrade"),
    }
)

Fields: TypeAlias = list[tuple[bytes, bytes]]
SendBody: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, str, Fields]:
    """Method, target and fields."""
    try:
        async with asyncio.timeout(HEAD_S):
            raw = await reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        raise Refusal("the request did not arrive in time", status=408) from None
    except asyncio.LimitOverrunError:
        raise Refusal("the head of the request is too large", status=431) from None
    first, fields = _parse_head(raw)
    line = REQUEST_LINE.fullmatch(first)
    if line is None or fields is None:
        raise Refusal("this is not an HTTP request", status=400)
    return line[1], line[2].decode("ascii"), fields


def _parse_head(raw: bytes) -> tuple[bytes, Fields | None]:
    """The first line and the fields; None for fields that are malformed or too many."""
    first, *lines = raw[:-4].split(b"\r\n")
    found = [FIELD.fullmatch(line) for line in lines[: MOST_FIELDS + 1]]
    fields = [(one[1], one[2].strip()) for one in found if one]
    return first, fields if len(fields) == len(lines) <= MOST_FIELDS else None


def head_of(method: bytes, path: str, destination: Destination, fields: Fields) -> bytes:
    """The head of a request as the server gets it."""
    host = str(destination)
    if destination.port == 80:
        host = host.removesuffix(":80")
    lines = [f"{method.decode()} {path} HTTP/1.1".encode()]
    lines += [f"Host: {host}".encode(), b"Connection: close"]
    lines += [b"%b: %b" % field for field in _end_to_end(fields)]
    return b"\r\n".join([*lines, b"", b""])


def _end_to_end(fields: Fields) -> Fields:
    """Without the fields that concern two neighbours only."""
    named = {
        word.strip().lower()
        for name, value in fields
        if name.lower() == b"connection"
        for word in value.split(b",")
    }
    drop = HOP | (named - {b"content-length", b"transfer-encoding"})
    return [field for field in fields if field[0].lower() not in drop]


def body_of(fields: Fields) -> SendBody:
    """What passes the body of a request on, and nothing behind it.

    Raises:
        Refusal: Two programs could disagree on where the body ends.
    """
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Refusal("the length of the body is stated more than once", status=400)
    if codings:
        if codings[0].lower() != b"chunked":
            raise Refusal("only the transfer encoding 'chunked' is served here", status=501)
        return _send_chunks
    if not lengths:
        return _send_nothing
    if not re.fullmatch(rb"[0-9]{1,15}", lengths[0]):
        raise Refusal("the length of the body is malformed", status=400)
    size_bytes = int(lengths[0])

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _copy(reader, writer, size_bytes)

    return send


async def tunnel(client: Stream, server: Stream) -> None:
    """Pass everything on, both ways; the failure of one way ends the other."""
    await _until(asyncio.FIRST_EXCEPTION, _pump(client[0], server[1]), _pump(server[0], client[1]))


async def exchange(head: bytes, send_body: SendBody, client: Stream, server: Stream) -> None:
    """Pass a request on and its answer back."""
    server[1].write(head)
    # A server may answer, and refuse, before it has the whole body.
    await _until(
        asyncio.FIRST_COMPLETED,
        _pass_answer(server[0], client[1]),
        _send(send_body, client[0], server[1]),
    )


async def refuse(client: Stream, refusal: Refusal) -> None:
    """Say why, in the reason phrase and in the body: most programs show only one of them."""
    reader, writer = client
    reason = f"Egress refused: {refusal}"
    head = f"HTTP/1.1 {refusal.status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    head += f"Content-Length: {len(reason) + 1}\r\nConnection: close\r\n\r\n"
    writer.write(f"{head}{reason}\n".encode())
    writer.write_eof()
    # A connection that is closed on unread data is reset, and the client never sees the answer.
    try:
        async with asyncio.timeout(LINGER_S):
            while await reader.read(CHUNK_BYTES):
                pass
    except TimeoutError:
        return


async def _send(
    send_body: SendBody, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Pass the body on; returns when the client is gone. What it sends beyond is not read."""
    await send_body(reader, writer)
    if await reader.read(1):
        await asyncio.get_running_loop().create_future()


async def _send_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def _send_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass chunks on in a form of our own; extensions and trailers are left out."""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = re.fullmatch(rb"([0-9A-Fa-f]{1,12})[ \t]*(;[\t\x20-\x7e]*)?\r\n", line)
        if size is None:
            raise ConnectionAbortedError("a chunk is malformed")
        size_bytes = int(size[1], 16)
        if size_bytes == 0:
            break
        writer.write(b"%x\r\n" % size_bytes)
        await _copy(reader, writer, size_bytes)
        if await reader.readexactly(2) != b"\r\n":
            raise ConnectionAbortedError("a chunk is malformed")
        writer.write(b"\r\n")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size_bytes: int
) -> None:
    """Pass on exactly so many bytes."""
    while size_bytes:
        async with asyncio.timeout(IDLE_S):
            data = await reader.read(min(size_bytes, CHUNK_BYTES))
            if not data:
                raise ConnectionAbortedError("the body ended early")
            size_bytes -= len(data)
            writer.write(data)
            await writer.drain()


async def _pass_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass an answer on that says that the connection ends after it."""
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                raw = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Refusal("the server gave no HTTP answer", status=502) from None
        first, fields = _parse_head(raw)
        status = STATUS_LINE.fullmatch(first)
        if status is None or fields is None or status[1] == b"101":
            raise Refusal("the server gave a malformed answer", status=502)
        if not status[1].startswith(b"1"):
            break
        writer.write(raw)
    lines = [first, *(b"%b: %b" % field for field in _end_to_end(fields)), b"Connection: close"]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    await _pump(reader, writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on, and the end of it."""
    while True:
        async with asyncio.timeout(IDLE_S):
            data = await reader.read(CHUNK_BYTES)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _until(when: str, *works: Awaitable[None]) -> None:
    """Both directions side by side; what is not needed any more is ended."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=when)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()
