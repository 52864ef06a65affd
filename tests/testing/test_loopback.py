from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import openai
import pytest

from autogen import AssistantAgent, OpenAIWrapper, UserProxyAgent
from autogen.errors import ServerFault, UsageError
from autogen.testing import (
    LoopbackLLM,
    Reply,
    Request,
    UnexpectedCall,
    UnusedReplies,
    call,
    calls,
)

HI = [{"role": "user", "content": "hi you"}]


@contextlib.contextmanager
def client_of(srv: LoopbackLLM, **more: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=srv.base_url, api_key="k", max_retries=0, timeout=5, **more) as c:
        yield c


def ask(srv: LoopbackLLM, *, messages: Any = HI, model: str = "m", **more: Any) -> Any:
    with client_of(srv) as client:
        return client.chat.completions.create(model=model, messages=messages, **more)


def ask_in_vain(srv: LoopbackLLM, **more: Any) -> str:
    """The words of the error 500 that the call is answered with."""
    with pytest.raises(openai.InternalServerError) as caught:
        ask(srv, **more)
    return str(caught.value)


def address(srv: LoopbackLLM) -> tuple[str, int]:
    host, _, port = srv.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    return host, int(port)


def http_request(srv: LoopbackLLM, method: str, path: str, body: Any = None, **headers: str) -> Any:
    connection = http.client.HTTPConnection(*address(srv), timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()


def body_of(text: str = "hi", **more: Any) -> bytes:
    request = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return json.dumps(request).encode()


# -- answers, through the official client ----------------------------------------------------------


def test_plain_answer_has_text_and_usage():
    with LoopbackLLM(["hello there, friend"]) as srv:
        answer = ask(srv)
    assert answer.choices[0].message.content == "hello there, friend"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "m"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 3)


def test_stream_comes_word_by_word():
    text = "  two  words\nand ünïcode 🎉 \n"
    with LoopbackLLM([text]) as srv, client_of(srv) as client:
        chunks = list(client.chat.completions.create(model="m", messages=HI, stream=True))
    pieces = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert pieces == ["  two", "  words", "\nand", " ünïcode", " 🎉", " \n"]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(c.usage is None for c in chunks)


def test_stream_tells_usage_when_asked():
    options = {"include_usage": True}
    with LoopbackLLM(["one two"]) as srv, client_of(srv) as client:
        stream = client.chat.completions.create(
            model="m", messages=HI, stream=True, stream_options=options
        )
        *_, last = stream
    assert last.choices == []
    assert last.usage.total_tokens == 4


def test_tool_calls_come_whole_and_streamed():
    reply = calls(call("f", id="c1", x="a" * 40), call("g", id="c2"), content="look")
    with LoopbackLLM([reply, reply]) as srv, client_of(srv) as client:
        message = client.chat.completions.create(model="m", messages=HI).choices[0].message
        with client.chat.completions.stream(model="m", messages=HI) as stream:
            streamed = stream.get_final_completion().choices[0]
    whole = [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls]
    assert whole == [("c1", "f", json.dumps({"x": "a" * 40})), ("c2", "g", "{}")]
    assert [
        (c.id, c.function.name, c.function.arguments) for c in streamed.message.tool_calls
    ] == whole
    assert streamed.message.content == message.content == "look"
    assert streamed.finish_reason == "tool_calls"


@pytest.mark.parametrize("n_chunks", [1, 3, 500])
def test_stream_is_cut_into_the_chunks_asked_for(n_chunks):
    text = "word " * 200
    with LoopbackLLM([Reply(text, n_chunks=n_chunks)]) as srv, client_of(srv) as client:
        chunks = list(client.chat.completions.create(model="m", messages=HI, stream=True))
    assert len(chunks) == n_chunks + 2
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == text


def test_reply_says_reasoning_finish_reason_usage_and_headers():
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    reply = Reply(
        "x", reasoning="because", finish_reason="length", usage=usage, headers={"X-Extra": "yes"}
    )
    with LoopbackLLM([reply]) as srv, client_of(srv) as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages=HI)
    answer = raw.parse()
    assert raw.headers["x-extra"] == "yes"
    assert answer.choices[0].message.reasoning_content == "because"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == 3


def test_empty_usage_is_left_out():
    with LoopbackLLM([Reply("x", usage={})]) as srv:
        assert ask(srv).usage is None


@pytest.mark.parametrize(
    "status, error",
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_status_is_the_error_of_the_official_client(status, error):
    with LoopbackLLM([status, Reply(status=status, error="my words")]) as srv:
        with pytest.raises(error, match=f"status {status}"):
            ask(srv)
        with pytest.raises(error, match="my words"):
            ask(srv, stream=True)


def test_error_object_is_sent_as_given():
    reply = Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"})
    with LoopbackLLM([reply]) as srv, pytest.raises(openai.BadRequestError) as caught:
        ask(srv)
    assert caught.value.code == "context_length_exceeded"


def test_official_client_tries_again_after_a_rate_limit():
    script = [Reply(status=429, retry_after_s=0.01), "fine"]
    with LoopbackLLM(script) as srv, client_of(srv) as client:
        again = client.with_options(max_retries=1)
        answer = again.chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].message.content == "fine"
    assert len(srv.requests) == 2


def test_raw_body_is_sent_as_it_is():
    with LoopbackLLM([Reply(raw="exact ü"), Reply(raw=b"\xff")]) as srv:
        path = "/v1/chat/completions"
        assert http_request(srv, "POST", path, body_of())[1] == "exact ü".encode()
        assert http_request(srv, "POST", path, body_of(stream=True))[1] == b"\xff"


def test_models_are_listed():
    with LoopbackLLM({"a": [], "b": [], "*": []}) as srv, client_of(srv) as client:
        assert [m.id for m in client.models.list()] == ["a", "b"]
        assert client.models.retrieve("a").id == "a"


def test_embeddings_of_shared_words_are_near():
    texts = ["the red cat", "the red dog", "utterly different things"]
    with LoopbackLLM([]) as srv, client_of(srv) as client:
        first = [e.embedding for e in client.embeddings.create(model="e", input=texts).data]
        short = client.embeddings.create(
            model="e", input="one", dimensions=3, encoding_format="float"
        )
    near = sum(a * b for a, b in zip(first[0], first[1], strict=True))
    far = sum(a * b for a, b in zip(first[0], first[2], strict=True))
    assert near > far
    assert len(short.data[0].embedding) == 3


def test_health_is_ok():
    with LoopbackLLM([]) as srv:
        assert http_request(srv, "GET", "/health") == (200, b'{"status":"ok"}')


# -- the script ------------------------------------------------------------------------------------


def test_function_sees_the_request():
    def echo(request: Request) -> str:
        return f"{request.model}: {request.last_text.upper()}"

    with LoopbackLLM(echo) as srv:
        assert ask(srv).choices[0].message.content == "m: HI YOU"


def test_each_model_has_its_own_script():
    script = {"a": ["from a"], "b": lambda request: "from b", "*": ["from the rest"]}
    with LoopbackLLM(script) as srv:
        said = [ask(srv, model=m).choices[0].message.content for m in ("b", "c", "a", "b")]
    assert said == ["from b", "from the rest", "from a", "from b"]


def test_unexpected_call_is_told_to_both_sides_and_not_tried_again():
    with contextlib.suppress(UnexpectedCall), LoopbackLLM(["one"]) as srv, client_of(srv) as client:
        ask(srv)
        stubborn = client.with_options(max_retries=3)
        with pytest.raises(openai.InternalServerError, match="user: hi you"):
            stubborn.chat.completions.create(model="m", messages=HI)
    assert len(srv.requests) == 2
    with pytest.raises(UnexpectedCall, match="user: hi you"):
        srv.assert_done()


def test_unexpected_call_fails_the_block():
    with pytest.raises(UnexpectedCall), LoopbackLLM([]) as srv:
        ask_in_vain(srv)


def test_model_without_a_script_is_unexpected():
    srv = LoopbackLLM({"a": ["left"]})
    with pytest.raises(UnexpectedCall, match=r"(?s)model 'm'.*left"), srv:
        ask_in_vain(srv)


def test_replies_that_are_left_fail_at_the_end():
    with pytest.raises(UnusedReplies, match="1 left:\n  'never'"), LoopbackLLM(["never"]):
        pass


def test_error_inside_the_block_is_not_hidden():
    with pytest.raises(ZeroDivisionError), LoopbackLLM(["never"]):
        raise ZeroDivisionError


def test_function_that_fails_is_told_to_both_sides():
    srv = LoopbackLLM(lambda request: request.json["no such key"])
    with pytest.raises(UnexpectedCall, match="KeyError"), srv:
        assert "KeyError" in ask_in_vain(srv)


def test_what_no_server_can_answer_is_told():
    with pytest.raises(UnexpectedCall, match="a model can say"), LoopbackLLM([3.5]) as srv:
        ask_in_vain(srv)


def test_unknown_fault_is_refused():
    with pytest.raises(UsageError, match="'explode' is not known; use one of bad_sse"):
        Reply(fault="explode")


# -- what the server keeps -------------------------------------------------------------------------


def test_requests_are_kept():
    before = time.monotonic()
    with LoopbackLLM(["x"]) as srv:
        ask(srv, temperature=0.5)
    (request,) = srv.requests
    assert (request.method, request.path, request.query) == ("POST", "/v1/chat/completions", "")
    assert request.headers["authorization"] == "Bearer k"
    assert request.json["temperature"] == 0.5 and json.loads(request.body) == request.json
    assert (request.model, request.last_text, request.messages) == ("m", "hi you", HI)
    assert before <= request.at <= time.monotonic()


def test_last_text_joins_parts():
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    with LoopbackLLM(lambda request: request.last_text) as srv:
        answer = ask(srv, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "ab"


def test_config_names_the_server_and_a_price_of_nothing():
    with LoopbackLLM([]) as srv:
        config = srv.config("a", temperature=0)
        (entry,) = config.pop("config_list")
        assert config == {"temperature": 0}
        assert (entry["model"], entry["api_key"], entry["price"]) == ("a", "loopback", [0.0, 0.0])
        assert entry["base_url"] == srv.base_url
        assert srv.config()["config_list"][0]["model"] == "scripted"


def test_requests_in_flight_are_counted():
    n = 20

    async def main(url: str) -> None:
        async with aiohttp.ClientSession() as session:

            async def one() -> None:
                async with session.post(url, data=body_of()) as response:
                    await response.read()

            await asyncio.gather(*(one() for _ in range(n)))

    with LoopbackLLM([Reply("x", delay_s=0.2)] * n) as srv:
        asyncio.run(asyncio.wait_for(main(f"{srv.base_url}/chat/completions"), 5))
    assert srv.max_in_flight == n


def test_connections_are_kept_alive():
    with LoopbackLLM(["a", "b", "c"]) as srv, client_of(srv) as client:
        for _ in range(3):
            client.chat.completions.create(model="m", messages=HI)
        assert srv.n_connections == 1


@pytest.mark.parametrize("reply", [Reply("x", delay_s=60), Reply("x", fault="hang")])
def test_client_that_goes_away_is_counted(reply):
    with LoopbackLLM([reply, "still here"]) as srv:
        with client_of(srv) as client, pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.1).chat.completions.create(model="m", messages=HI)
        ask(srv)
        assert srv.cancelled == 1


def test_threads_get_each_reply_once():
    n_threads, n_each = 4, 25
    got: list[str] = []
    with LoopbackLLM([str(i) for i in range(n_threads * n_each)]) as srv:

        def work() -> None:
            with client_of(srv) as client:
                for _ in range(n_each):
                    answer = client.chat.completions.create(model="m", messages=HI)
                    got.append(answer.choices[0].message.content)

        threads = [threading.Thread(target=work) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(got, key=int) == [str(i) for i in range(n_threads * n_each)]


# -- life ------------------------------------------------------------------------------------------


def test_server_stops_while_requests_hang():
    answered, before = threading.Event(), set(threading.enumerate())
    with LoopbackLLM([Reply(fault="hang"), Reply("x", delay_s=60)]) as srv:
        failed: list[Exception] = []

        def wait() -> None:
            try:
                http_request(srv, "POST", "/v1/chat/completions", body_of())
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 5
        while srv.max_in_flight < 2 and time.monotonic() < deadline:
            answered.wait(0.005)
    for thread in threads:
        thread.join(5)
    assert len(failed) == 2
    assert srv.cancelled == 0
    assert set(threading.enumerate()) <= before


def test_server_works_in_an_async_block():
    async def main() -> str:
        srv = LoopbackLLM(["hello"])
        async with srv, openai.AsyncOpenAI(base_url=srv.base_url, api_key="k") as client:
            answer = await client.chat.completions.create(model="m", messages=HI)
        return str(answer.choices[0].message.content)

    assert asyncio.run(asyncio.wait_for(main(), 5)) == "hello"


def test_leftovers_fail_an_async_block():
    async def main() -> None:
        async with LoopbackLLM(["left"]):
            pass

    with pytest.raises(UnusedReplies):
        asyncio.run(main())


def test_server_begins_again_at_the_same_port():
    srv = LoopbackLLM(["a", "b"])
    with contextlib.suppress(UnusedReplies), srv:
        url = srv.base_url
        ask(srv)
    with srv:
        assert srv.base_url == url
        ask(srv)


def test_address_of_a_stopped_server_is_refused():
    with pytest.raises(UsageError, match="not running"):
        _ = LoopbackLLM([]).base_url


def test_second_start_is_refused_and_second_stop_is_no_harm():
    srv = LoopbackLLM([]).start()
    with pytest.raises(UsageError, match="running already"):
        srv.start()
    srv.stop()
    srv.stop()


def test_stopped_server_refuses_connections():
    with LoopbackLLM([]) as srv:
        place = address(srv)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=5)


# -- HTTP ------------------------------------------------------------------------------------------


def raw_exchange(srv: LoopbackLLM, *pieces: bytes) -> bytes:
    """What the server sends until it closes, to a client that sends piece by piece."""
    with socket.create_connection(address(srv), timeout=5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
        received = b""
        while data := sock.recv(65536):
            received += data
    return received


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: x", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_chunked_bodies_are_joined_however_they_are_cut():
    # The text has what looks like the end of a chunked body.
    body = body_of("0\r\n\r\n tail ü")
    sent = b""
    for at in range(0, len(body), 16):
        piece = body[at : at + 16]
        sent += b"%X;note=1\r\n%b\r\n" % (len(piece), piece)
    sent = post(sent + b"0\r\nTrailer: x\r\n\r\n", "Transfer-Encoding: chunked")
    with LoopbackLLM(["ok"] * 3) as srv:
        raw_exchange(srv, sent)
        raw_exchange(srv, *(sent[i : i + 1] for i in range(len(sent))))
        raw_exchange(srv, sent[:150], sent[150:])
    assert [r.last_text for r in srv.requests] == ["0\r\n\r\n tail ü"] * 3


def test_requests_in_one_packet_are_answered_in_order():
    def one(text: str, *headers: str) -> bytes:
        body = body_of(text)
        return post(body, f"Content-Length: {len(body)}", *headers).replace(
            b"Connection: close", b"Connection: keep-alive"
        )

    last = body_of("third")
    with LoopbackLLM([Reply("1", delay_s=0.01), "2", "3"]) as srv:
        sent = one("first") + one("second") + post(last, f"Content-Length: {len(last)}")
        received = raw_exchange(srv, sent)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.index(b'"1"') < received.index(b'"2"') < received.index(b'"3"')


def test_client_that_waits_for_leave_gets_it():
    body = body_of()
    with LoopbackLLM(["ok"]) as srv:
        received = raw_exchange(
            srv, post(body, f"Content-Length: {len(body)}", "Expect: 100-continue")
        )
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /\r\n\r\n",
        post(b"", "Content-Length: -4"),
        post(b"", "Content-Length: many"),
        post(b"zz\r\n", "Transfer-Encoding: chunked"),
        b"x" * 70_000,
    ],
)
def test_what_is_not_http_is_refused(sent):
    with LoopbackLLM([]) as srv:
        assert raw_exchange(srv, sent).startswith(b"HTTP/1.1 400 Bad Request")
    assert srv.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"model": "m"}',
        b'{"messages": []}',
        b'{"messages": ["x"]}',
    ],
)
def test_unusable_request_is_a_400_that_takes_nothing_from_the_script(body):
    with LoopbackLLM([]) as srv:
        status, answer = http_request(srv, "POST", "/v1/chat/completions", body)
    assert status == 400
    assert json.loads(answer)["error"]["type"] == "invalid_request_error"


def test_unknown_path_is_a_404():
    with LoopbackLLM([]) as srv:
        assert http_request(srv, "GET", "/v2/nothing")[0] == 404
        assert http_request(srv, "PUT", "/v1/chat/completions", b"{}")[0] == 404


def test_large_requests_and_answers_pass():
    text = "x" * 3_000_000
    with LoopbackLLM(lambda request: request.last_text) as srv:
        answer = ask(srv, messages=[{"role": "user", "content": text}])
    assert answer.choices[0].message.content == text


# -- chats -----------------------------------------------------------------------------------------


def test_chat_goes_over_the_wire(face):
    with LoopbackLLM([429, "Hello! TERMINATE"]) as srv:
        assistant = AssistantAgent("assistant", llm_config=srv.config())
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        result = face.initiate_chat(user, assistant, message="Say hello.")
    assert [m["content"] for m in result.chat_history] == ["Say hello.", "Hello! TERMINATE"]
    assert [r.last_text for r in srv.requests] == ["Say hello."] * 2
    assert result.cost["usage_including_cached_inference"]["total_cost"] == 0.0


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "reply, content",
    [
        ({"role": "assistant"}, None),
        ({"content": [{"type": "text", "text": "a b"}, {"type": "text", "text": " c"}]}, "a b c"),
        ({"function_call": {"name": "f", "arguments": "{}"}}, None),
        ({"refusal": "no"}, None),
    ],
    ids=["nothing", "parts", "function", "refusal"],
)
def test_odd_replies_are_answered(reply, content, stream):
    with LoopbackLLM([reply]) as server:
        made = OpenAIWrapper(**server.config())
        answer = made.create(messages=[{"role": "user", "content": "hi"}], stream=stream)
    message = answer.choices[0].message
    assert message.content == content
    assert (message.function_call is not None) is ("function_call" in reply)
    assert message.refusal == reply.get("refusal")


@pytest.mark.parametrize("stream", [True, False])
def test_reply_without_a_form_on_the_wire_fails_the_test_and_the_call(stream):
    server = LoopbackLLM([{"tool_calls": [{"function": {"arguments": {1}}}]}])
    with contextlib.suppress(UnexpectedCall), server:
        made = OpenAIWrapper(**server.config())
        with pytest.raises(ServerFault, match="no form on the wire"):
            made.create(messages=[{"role": "user", "content": "hi"}], stream=stream)
    with pytest.raises(UnexpectedCall, match="no form on the wire"):
        server.assert_done()
