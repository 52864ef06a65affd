"""The HTTP carrier, over real sockets on loopback: answers, streams, faults, sessions, proxies."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import autogen
from autogen._kernel.drive import drive_sync
from autogen._kernel.ops import Call
from autogen._kernel.run import Run, entered
from autogen.errors import (
    AuthenticationError,
    ConnectionFault,
    ContextTooLong,
    MalformedAnswer,
    NotFound,
    ProviderError,
    ProviderTimeout,
    RateLimited,
    ServerFault,
    UsageError,
)
from autogen.models import http
from autogen.models.base import ChatCompletion, Endpoint, ModelRequest
from autogen.models.http import HttpTransport
from autogen.oai.client import OpenAIWrapper

KEY = "sk-test-0123456789abcdef"
LIMIT_S = 10.0


# -- a server --------------------------------------------------------------------------------------


class Exchange:
    """One request as the server got it, and the way to answer it."""

    def __init__(self, server: Server, writer: asyncio.StreamWriter, head: bytes, body: bytes):
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        self.body = body
        self.server = server
        self.writer = writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes, *, status: int = 200, type: str = "application/json", **headers: str
    ) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {type}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def stream(self, *pieces: bytes, ends: bool = True) -> None:
        """A chunked event stream; without `ends` the connection is dropped instead."""
        await self.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for piece in pieces:
            await self.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if ends:
            await self.write(b"0\r\n\r\n")
        else:
            self.writer.close()


Act = Callable[[Exchange], Awaitable[None]]


class Server:
    """A small HTTP server in a thread of its own; each request is handled by `act`."""

    def __init__(self) -> None:
        self.act: Act = says("hello")
        self.seen: list[Exchange] = []
        self.connections = 0
        #: Set when a client hangs up.
        self.hung_up = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(LIMIT_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                first = await reader.readexactly(1)
                if first == b"\x16":
                    # A TLS greeting, answered as a server without TLS does.
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return
                head = first + await reader.readuntil(b"\r\n\r\n")
                length = [
                    x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")
                ]
                body = await reader.readexactly(int(length[0][15:]) if length else 0)
                exchange = Exchange(self, writer, head, body)
                self.seen.append(exchange)
                await self.act(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    def endpoint(self, **fields: Any) -> Endpoint:
        given = {
            "model": "gpt-4o",
            "api_key": KEY,
            "base_url": f"http://127.0.0.1:{self.port}/v1",
            "timeout_s": LIMIT_S,
            **fields,
        }
        return Endpoint(**given)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice]}).encode()


def says(text: str) -> Act:
    return lambda exchange: exchange.answer(completion(text))


def gives(body: bytes, **how: Any) -> Act:
    return lambda exchange: exchange.answer(body, **how)


def writes(raw: bytes) -> Act:
    """Raw bytes, then the end of the connection."""

    async def act(exchange: Exchange) -> None:
        await exchange.write(raw)
        exchange.writer.close()

    return act


async def silence(exchange: Exchange) -> None:
    """No answer; the server waits until the client hangs up."""


def request(*, stream: bool = False, **options: Any) -> ModelRequest:
    return ModelRequest(
        messages=[{"role": "user", "content": "hi"}], options=options, stream=stream
    )


def ask(endpoint: Endpoint, asked: ModelRequest | None = None) -> ChatCompletion:
    """One answer, in an event loop of its own."""
    return asyncio.run(HttpTransport().complete(endpoint, asked or request()))


def said(answer: ChatCompletion) -> str | None:
    return answer.choices[0].message.content


def failure(endpoint: Endpoint, kind: type[ProviderError], *, stream: bool = False) -> Any:
    with pytest.raises(kind) as caught:
        ask(endpoint, request(stream=stream))
    assert type(caught.value).__name__ == kind.__name__
    assert KEY not in str(caught.value)
    assert caught.value.provider
    return caught.value


def tokens_of(endpoint: Endpoint) -> tuple[list[dict[str, Any]], Any]:
    """What a streaming call reports as it goes, and its answer or error."""
    seen: list[dict[str, Any]] = []

    with entered(Run(id="r", sinks=[seen.append], make_event=token)):
        try:
            return seen, ask(endpoint, request(stream=True))
        except ProviderError as error:
            return seen, error


def token(run: Run, kind: str, data: dict[str, Any]) -> Any:
    assert kind == "model.token"
    return data


def event(text: str, finish: str | None = None, key: str = "content") -> bytes:
    choice = {"index": 0, "delta": {key: text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


# -- answers ---------------------------------------------------------------------------------------


def test_request_and_answer_travel(server: Server) -> None:
    assert said(ask(server.endpoint(), request(temperature=0))) == "hello"
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/v1/chat/completions")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"].startswith("autogen-next/")
    assert json.loads(seen.body) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
    }


def test_connection_is_kept_for_the_next_call(server: Server) -> None:
    async def calls() -> None:
        for _ in range(3):
            await HttpTransport().complete(server.endpoint(), request())

    asyncio.run(calls())
    assert (len(server.seen), server.connections) == (3, 1)


def test_many_calls_wait_at_the_same_time(server: Server) -> None:
    async def hold(exchange: Exchange) -> None:
        while len(server.seen) < 250:
            await asyncio.sleep(0.001)
        await says("together")(exchange)

    server.act = hold

    async def calls() -> list[ChatCompletion]:
        one = [HttpTransport().complete(server.endpoint(), request()) for _ in range(250)]
        return await asyncio.gather(*one)

    assert {said(a) for a in asyncio.run(calls())} == {"together"}


def test_body_of_many_megabytes_travels(server: Server) -> None:
    text = "x" * 3_000_000
    asked = ModelRequest(messages=[{"role": "user", "content": text}], options={})
    assert said(ask(server.endpoint(), asked)) == "hello"
    assert json.loads(server.seen[0].body)["messages"][0]["content"] == text


def test_compressed_and_chunked_answers_are_read(server: Server) -> None:
    packed = gzip.compress(completion("zipped"))
    server.act = gives(packed, Content_Encoding="gzip")
    assert said(ask(server.endpoint())) == "zipped"
    body = completion("in chunks")
    parts = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    server.act = writes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts)
    assert said(ask(server.endpoint())) == "in chunks"


def test_answer_of_the_sync_face_comes_from_the_io_thread(server: Server) -> None:
    async def core() -> Any:
        return await Call(None, HttpTransport().complete, (server.endpoint(), request()))

    assert said(drive_sync(core())) == "hello"
    assert said(drive_sync(core())) == "hello"
    assert server.connections == 1


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status,kind",
    [(401, AuthenticationError), (404, NotFound), (429, RateLimited), (500, ServerFault)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_error_statuses_are_told(
    server: Server, status: int, kind: type[ProviderError], stream: bool
) -> None:
    said = json.dumps({"error": {"message": f"No, {KEY}.", "code": "c"}}).encode()
    server.act = gives(said, status=status, Retry_After="7")
    error = failure(server.endpoint(), kind, stream=stream)
    assert (error.status, error.code, error.retry_after_s) == (status, "c", 7.0)
    assert error.provider == "127.0.0.1" and error.shown is False
    assert len(server.seen) == 1


def test_context_too_long_is_told(server: Server) -> None:
    said = json.dumps({"error": {"message": "m", "code": "context_length_exceeded"}}).encode()
    server.act = gives(said, status=400)
    failure(server.endpoint(), ContextTooLong)


def test_status_counts_where_its_explanation_is_cut(server: Server) -> None:
    server.act = writes(b"HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\nover")
    assert "over" in str(failure(server.endpoint(), ServerFault))


def test_redirect_is_not_followed(server: Server) -> None:
    server.act = gives(b"", status=307, Location="https://elsewhere.example/v1")
    with pytest.raises(ProviderError, match=r"elsewhere\.example"):
        ask(server.endpoint())
    assert len(server.seen) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_silent_server_is_a_timeout_and_is_hung_up_on(server: Server, stream: bool) -> None:
    server.act = silence
    error = failure(server.endpoint(timeout_s=0.1), ProviderTimeout, stream=stream)
    assert error.retryable and isinstance(error, TimeoutError)
    assert "0.1 s" in str(error) and "'timeout'" in str(error)
    assert server.hung_up.wait(LIMIT_S)


def test_answer_that_stops_halfway_is_a_timeout(server: Server) -> None:
    server.act = lambda exchange: exchange.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"
    )
    failure(server.endpoint(timeout_s=0.1), ProviderTimeout)
    assert server.hung_up.wait(LIMIT_S)


def test_dead_server_names_host_port_and_remedy() -> None:
    made = Server()
    made.close()
    error = failure(made.endpoint(), ConnectionFault)
    assert error.retryable and error.status is None
    assert f"127.0.0.1 (port {made.port}) cannot be reached" in str(error)
    assert "base_url" in str(error)


def test_https_to_a_server_without_it_is_not_retried(server: Server) -> None:
    error = failure(
        server.endpoint(base_url=f"https://127.0.0.1:{server.port}/v1"), ConnectionFault
    )
    assert not error.retryable
    assert "no safe connection" in str(error) and "plain http" in str(error)


def test_router_asks_again_after_a_fault(server: Server) -> None:
    async def act(exchange: Exchange) -> None:
        if len(server.seen) == 1:
            await exchange.answer(b"", status=503, Retry_After="0")
        elif len(server.seen) == 2:
            await exchange.answer(b"{")
        else:
            await says("third")(exchange)

    server.act = act
    config = {"model": "m", "api_key": KEY, "base_url": f"http://127.0.0.1:{server.port}/v1"}
    wrapper = OpenAIWrapper(config_list=[config])
    # No pauses: they are tested where they are made.
    wrapper._router._jitter = lambda: 0.0
    assert said(wrapper.create(messages=[{"role": "user", "content": "hi"}])) == "third"
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"],
    ids=["at once", "in the head", "in the body"],
)
def test_dropped_connection_is_a_connection_fault(server: Server, raw: bytes) -> None:
    server.act = writes(raw)
    error = failure(server.endpoint(), ConnectionFault)
    assert error.retryable and "broke" in str(error)


@pytest.mark.parametrize(
    "body", [b"", b"<html>hi</html>", b'{"choices": [{"mes', b'{"choices": []}', b"[]", b"\0"]
)
def test_garbage_is_a_malformed_answer(server: Server, body: bytes) -> None:
    server.act = gives(body, type="text/html")
    assert failure(server.endpoint(), MalformedAnswer).retryable


def test_server_that_speaks_something_else_is_malformed(server: Server) -> None:
    server.act = writes(b"220 mail.example ESMTP\r\n\r\n")
    failure(server.endpoint(), MalformedAnswer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", ["length", "chunked", "gzip"])
def test_endless_answer_is_cut(
    server: Server, monkeypatch: pytest.MonkeyPatch, how: str, stream: bool
) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 100_000)
    body = b": " + b"x" * 300_000
    if how == "length":
        server.act = gives(body, type="text/event-stream")
    elif how == "gzip":
        packed = gzip.compress(body)
        server.act = gives(packed, type="text/event-stream", Content_Encoding="gzip")
    else:
        server.act = lambda exchange: exchange.stream(*[body] * 20)
    error = failure(server.endpoint(), MalformedAnswer, stream=stream)
    assert "sent more than" in str(error) and not error.retryable


def test_address_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        ask(Endpoint(model="m", base_url="http://exa mple:port/v1"))


def test_cancelling_hangs_up_and_leaves_the_session_usable(server: Server) -> None:
    server.act = silence

    async def calls() -> str | None:
        carrier = HttpTransport()
        task = asyncio.create_task(carrier.complete(server.endpoint(), request()))
        while not server.seen:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.hung_up.wait, LIMIT_S)
        server.act = says("again")
        return said(await carrier.complete(server.endpoint(), request()))

    assert asyncio.run(calls()) == "again"


def test_token_provider_is_asked_for_each_call(server: Server) -> None:
    tokens = iter(["one", "two"])
    azure = server.endpoint(api_type="azure", azure_ad_token_provider=lambda: next(tokens))
    ask(azure)

    async def later() -> str:
        return next(tokens)

    ask(server.endpoint(api_type="azure", azure_ad_token_provider=later))
    assert [e.headers["authorization"] for e in server.seen] == ["Bearer one", "Bearer two"]
    assert all("api-key" not in e.headers for e in server.seen)


@pytest.mark.parametrize("gives_token", [lambda: 1 / 0, lambda: None, lambda: ""])
def test_token_provider_that_fails_is_told(server: Server, gives_token: Any) -> None:
    endpoint = server.endpoint(api_type="azure", azure_ad_token_provider=gives_token)
    assert "azure_ad_token_provider" in str(failure(endpoint, AuthenticationError))
    assert not server.seen


# -- streams ---------------------------------------------------------------------------------------


def test_stream_is_shown_as_it_comes(server: Server) -> None:
    whole = event("hm", key="reasoning_content") + event("hel") + event("lo", "stop") + DONE
    server.act = lambda exchange: exchange.stream(*[bytes([b]) for b in whole])
    seen, answer = tokens_of(server.endpoint())
    assert said(answer) == "hello"
    assert seen == [
        {"reasoning": "hm"},
        {"text": "hel"},
        {"text": "lo"},
        {"text": "", "is_last": True},
    ]
    assert json.loads(server.seen[0].body)["stream_options"] == {"include_usage": True}


def test_pieces_are_shown_before_the_stream_ends(server: Server) -> None:
    shown = threading.Event()

    async def act(exchange: Exchange) -> None:
        async def pieces() -> None:
            await exchange.write(b"5\r\n: ok\n\r\n")

        await exchange.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await pieces()
        first, rest = event("a"), event("b", "stop")
        await exchange.write(b"%x\r\n%s\r\n" % (len(first), first))
        assert await asyncio.to_thread(shown.wait, LIMIT_S)
        await exchange.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest))

    server.act = act
    run = Run(id="r", sinks=[lambda _: shown.set()], make_event=token)
    with entered(run):
        assert said(ask(server.endpoint(), request(stream=True))) == "ab"


def test_silent_stream_shows_nothing(server: Server) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    server.act = lambda exchange: exchange.stream(
        b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
    )
    seen, answer = tokens_of(server.endpoint())
    assert seen == [] and answer.choices[0].message.tool_calls[0].function.name == "f"


def test_service_that_cannot_stream_is_understood(server: Server) -> None:
    seen, answer = tokens_of(server.endpoint())
    assert said(answer) == "hello"
    assert seen == [{"text": "hello"}, {"text": "", "is_last": True}]


CUTS: dict[str, tuple[Act, type[ProviderError]]] = {
    "cut": (lambda exchange: exchange.stream(event("a")), MalformedAnswer),
    "dropped": (lambda exchange: exchange.stream(event("a"), ends=False), ConnectionFault),
    "error": (
        lambda exchange: exchange.stream(event("a"), b'data: {"error": {"code": 503}}\n\n'),
        ServerFault,
    ),
    "garbage": (lambda exchange: exchange.stream(event("a"), b"data: {\n\n"), MalformedAnswer),
}


@pytest.mark.parametrize("name", CUTS)
def test_stream_that_fails_after_tokens_says_they_were_shown(server: Server, name: str) -> None:
    server.act, kind = CUTS[name]
    seen, error = tokens_of(server.endpoint())
    assert type(error).__name__ == kind.__name__
    assert error.shown is True
    assert seen == [{"text": "a"}]


def test_stream_that_stalls_after_tokens_is_a_timeout(server: Server) -> None:
    piece = event("a")
    server.act = lambda exchange: exchange.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(piece), piece)
    )
    seen, error = tokens_of(server.endpoint(timeout_s=0.3))
    assert type(error).__name__ == ProviderTimeout.__name__ and error.shown is True and seen
    assert server.hung_up.wait(LIMIT_S)


def test_stream_that_fails_before_tokens_was_not_shown(server: Server) -> None:
    server.act = lambda exchange: exchange.stream(b": wait\n\n")
    seen, error = tokens_of(server.endpoint())
    assert type(error).__name__ == MalformedAnswer.__name__ and error.shown is False and seen == []


def test_error_of_a_sink_is_the_callers(server: Server) -> None:
    server.act = lambda exchange: exchange.stream(event("a"), event("b", "stop"))

    def broken(_: Any) -> None:
        raise LookupError("sink")

    async def core() -> None:
        args = (server.endpoint(), request(stream=True))
        await Call(None, HttpTransport().complete, args, place="inline")

    with (
        entered(Run(id="r", sinks=[broken], make_event=token)),
        pytest.raises(LookupError, match="sink"),
    ):
        drive_sync(core())


# -- proxies ---------------------------------------------------------------------------------------


def test_loopback_is_never_asked_for_through_a_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert said(ask(server.endpoint())) == "hello"
    assert said(ask(server.endpoint(base_url=f"http://localhost:{server.port}/v1"))) == "hello"


@pytest.fixture
def proxied(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server as the proxy of everything; it wants a password."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://me:p%40ss@127.0.0.1:{server.port}")
    return server


CREDENTIALS = "Basic bWU6cEBzcw=="


def test_proxy_of_the_environment_is_used(proxied: Server) -> None:
    assert said(ask(proxied.endpoint(base_url="http://models.example/v1"))) == "hello"
    (seen,) = proxied.seen
    assert seen.target == "http://models.example/v1/chat/completions"
    assert seen.headers["proxy-authorization"] == CREDENTIALS
    assert seen.headers["authorization"] == f"Bearer {KEY}"


def test_https_goes_through_a_tunnel_that_never_sees_the_key(proxied: Server) -> None:
    proxied.act = gives(b"", status=403)
    error = failure(proxied.endpoint(base_url="https://models.example/v1"), ConnectionFault)
    assert "the proxy 127.0.0.1" in str(error) and "models.example" in str(error)
    (seen,) = proxied.seen
    assert (seen.method, seen.target) == ("CONNECT", "models.example:443")
    assert seen.headers["proxy-authorization"] == CREDENTIALS
    assert "authorization" not in seen.headers


def test_dead_proxy_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Server()
    dead.close()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead.port}")
    error = failure(server.endpoint(base_url="http://models.example/v1"), ConnectionFault)
    assert "the proxy 127.0.0.1" in str(error) and "HTTPS_PROXY" in str(error)


def test_hosts_of_no_proxy_are_asked_directly(
    proxied: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "models.example")
    # There is no way to that host from a test, and nothing reaches the proxy either.
    with pytest.raises(Exception, match=r"models\.example"):
        ask(proxied.endpoint(base_url="http://models.example/v1"))
    assert not proxied.seen


def test_proxy_of_another_kind_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(UsageError, match="socks5"):
        ask(server.endpoint(base_url="http://models.example/v1"))


# -- sessions --------------------------------------------------------------------------------------

PREAMBLE = """
import asyncio, gc, logging, os, sys, threading
from autogen._kernel.drive import drive_sync
from autogen._kernel.ops import Call
from autogen.models.base import Endpoint, ModelRequest
from autogen.models.http import HttpTransport

endpoint = Endpoint(model="m", base_url=sys.argv[1], timeout_s=5)
request = ModelRequest(messages=[{"role": "user", "content": "hi"}], options={})

async def ask():
    answer = await HttpTransport().complete(endpoint, request)
    assert answer.choices[0].message.content == "hello"

async def core():
    await Call(None, ask, ())
"""
PROGRAMS = {
    "asyncio.run": "asyncio.run(ask())",
    "one run after the other": "asyncio.run(ask()); asyncio.run(ask())",
    "loops in threads": """
        threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
    """,
    "the io thread": "drive_sync(core()); drive_sync(core())",
    "a call that is cancelled": """
        async def main():
            task = asyncio.create_task(ask())
            await asyncio.sleep(0)
            task.cancel()
        asyncio.run(main())
    """,
    "a task that is left behind": """
        async def main():
            await ask()
            asyncio.ensure_future(ask())
            await asyncio.sleep(0)
        asyncio.run(main())
    """,
    "a loop that goes on after it closed its generators": """
        async def main():
            await ask()
            await asyncio.get_running_loop().shutdown_asyncgens()
        async def more():
            import warnings
            # What is opened after the end of all generators is closed by nobody but us.
            warnings.simplefilter("ignore", ResourceWarning)
            await ask()
            from autogen.models import http
            await http._close_here()
        with asyncio.Runner() as runner:
            runner.run(main())
            runner.run(more())
    """,
    "an error": """
        async def main():
            await ask()
            raise KeyError
        try: asyncio.run(main())
        except KeyError: pass
    """,
}
FORKS = {
    "os._exit": "os._exit(0)",
    "sys.exit": "sys.exit(0)",
}


def run_program(server: Server, program: str, tmp_path: Path, *flags: str) -> str:
    """What a program of its own writes to stderr; it must end well."""
    path = tmp_path / "program.py"
    path.write_text(PREAMBLE + textwrap.dedent(program))
    source = str(Path(autogen.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, *flags, str(path), f"http://127.0.0.1:{server.port}/v1"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_end_without_a_word(server: Server, name: str, tmp_path: Path) -> None:
    program = textwrap.dedent(PROGRAMS[name]) + "\ngc.collect()\n"
    assert run_program(server, program, tmp_path, "-W", "error") == ""


def test_loop_that_is_left_standing_leaves_no_complaint_of_the_session(
    server: Server, tmp_path: Path
) -> None:
    program = """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(ask())
    """
    assert run_program(server, program, tmp_path) == ""


def test_loop_that_is_closed_roughly_leaves_no_complaint_of_the_session(
    server: Server, tmp_path: Path
) -> None:
    program = """
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(ask())
            loop.close()
        from autogen.models import http
        assert len(http._opened) == 1
    """
    assert run_program(server, program, tmp_path) == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("name", FORKS)
def test_parent_and_child_of_a_fork_both_go_on(server: Server, name: str, tmp_path: Path) -> None:
    program = f"""
        drive_sync(core())
        child = os.fork()
        if child == 0:
            drive_sync(core())
            {FORKS[name]}
        assert os.waitpid(child, 0)[1] == 0
        drive_sync(core())
    """
    # Python itself warns of forks in a process with threads, from 3.12 on.
    assert run_program(server, program, tmp_path, "-W", "ignore::DeprecationWarning") == ""
    # The parent went on with its own connection; the child opened another.
    assert (len(server.seen), server.connections) == (3, 2)


def test_nothing_is_loaded_before_the_first_call(server: Server, tmp_path: Path) -> None:
    run_program(server, "assert 'aiohttp' not in sys.modules", tmp_path)
