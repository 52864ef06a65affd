"""How streams end: an error without its wrapping, and a server that never hangs up."""

from __future__ import annotations

import asyncio

import pytest

from autogen.errors import ContextTooLong, ServerFault
from autogen.models.base import ChatCompletion, Endpoint, ModelRequest
from autogen.models.dialects.openai import StreamFold, fault, parse
from autogen.models.http import HttpTransport

ENDPOINT = Endpoint(model="m", base_url="http://localhost/v1")
TEXT = b'data: {"choices":[{"index":0,"delta":{"content":"The answer is 4"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "error",
    [
        b'{"object":"error","message":"out of memory","type":"InternalServerError","code":500}',
        b'{"message":"out of memory","type":"error"}',
        b'{"detail":"out of memory"}',
    ],
)
def test_bare_error_object_in_a_stream_is_no_answer_even_before_done(error: bytes) -> None:
    fold = StreamFold(ENDPOINT)
    fold.feed(TEXT + b"data: " + error + b"\n\n" + DONE)
    assert isinstance(fold.fault, ServerFault)
    assert "out of memory" in str(fold.fault)


@pytest.mark.parametrize("does_break", [False, True])
def test_answer_is_complete_at_done_though_the_stream_never_ends(
    wait_s: float, does_break: bool
) -> None:
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"content-length: 9999\r\n\r\n" + TEXT + STOP + DONE)
        if not does_break:
            # Ends when the client goes away.
            await reader.read()
        writer.close()
        await writer.wait_closed()
        is_over.set()

    async def ask() -> ChatCompletion:
        server = await asyncio.start_server(serve, "127.0.0.1")
        async with server:
            port = server.sockets[0].getsockname()[1]
            endpoint = Endpoint(model="m", base_url=f"http://127.0.0.1:{port}/v1", timeout_s=wait_s)
            request = ModelRequest(
                messages=[{"role": "user", "content": "2 + 2?"}], options={}, stream=True
            )
            answer = await HttpTransport().complete(endpoint, request)
            await asyncio.wait_for(is_over.wait(), wait_s)
            return answer

    answer = asyncio.run(ask())
    assert answer.choices[0].message.content == "The answer is 4"


def test_context_length_is_recognised_behind_a_status_of_500() -> None:
    body = b'{"error":{"code":500,"type":"exceed_context_size_error","message":"no room"}}'
    error = fault(500, {}, body, ENDPOINT)
    assert type(error).__name__ == ContextTooLong.__name__
    assert not error.retryable


def test_context_length_is_recognised_in_an_error_inside_an_answer() -> None:
    with pytest.raises(ContextTooLong):
        parse(b'{"error":{"message":"the maximum context length is 8192 tokens"}}', ENDPOINT)
