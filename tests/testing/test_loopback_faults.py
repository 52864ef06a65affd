"""What each fault looks like to a client: the bytes, and what the official client makes of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from typing import Any

import openai
import pytest

from autogen.testing import LoopbackLLM, Reply, call
from autogen.testing.exchange import FAULTS

TEXT = "four words are hére"


class Seen:
    """What a client gets back: status, body, and whether the answer was cut short."""

    def __init__(self, srv: LoopbackLLM, stream: bool):
        host, _, port = srv.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        self.is_cut = False
        self.body = b""
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            response = connection.getresponse()
            self.status = response.status
            self.type = response.headers["content-type"]
            try:
                self.body = response.read()
            except http.client.IncompleteRead as error:
                self.is_cut = True
                self.body = error.partial

    @property
    def events(self) -> list[str]:
        """The data of each event of a stream."""
        return [e.removeprefix("data: ") for e in self.body.decode().split("\n\n") if e]


def seen(reply: Reply, *, stream: bool = False) -> Seen:
    with LoopbackLLM([reply]) as srv:
        return Seen(srv, stream)


def faulty(fault: Any, **more: Any) -> Reply:
    return Reply(TEXT, fault=fault, **more)


@pytest.mark.parametrize("stream", [False, True])
def test_drop_closes_without_a_byte(stream):
    with pytest.raises(http.client.RemoteDisconnected):
        seen(faulty("drop"), stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_drop_headers_closes_inside_the_headers(stream):
    with LoopbackLLM([faulty("drop_headers")]) as srv:
        port = int(srv.base_url.removesuffix("/v1").rpartition(":")[2])
        body = json.dumps({"messages": [{"role": "user", "content": "x"}], "stream": stream})
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(
                f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
                f"{body}".encode()
            )
            received = b""
            while data := sock.recv(4096):
                received += data
    assert received.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\n\r\n" not in received


@pytest.mark.parametrize("fault", ["drop_body", "drop_stream"])
def test_drop_body_closes_after_half_of_the_body(fault):
    answer = seen(faulty(fault))
    assert answer.is_cut and answer.body.startswith(b'{"id"')


@pytest.mark.parametrize("fault", ["drop_body", "drop_stream"])
@pytest.mark.parametrize("chunk_delay_s", [0, 0.001])
def test_drop_stream_closes_after_half_of_the_events(fault, chunk_delay_s):
    answer = seen(faulty(fault, chunk_delay_s=chunk_delay_s), stream=True)
    assert answer.is_cut
    said = [json.loads(e)["choices"][0]["delta"].get("content") for e in answer.events]
    assert said == ["", "four", " words"]


def test_malformed_is_half_a_document_of_full_length():
    answer = seen(faulty("malformed"))
    assert not answer.is_cut and answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


@pytest.mark.parametrize("fault", ["bad_sse", "malformed"])
def test_bad_sse_has_one_event_that_is_no_json(fault):
    answer = seen(faulty(fault), stream=True)
    broken = []
    for event in answer.events:
        try:
            json.loads(event)
        except json.JSONDecodeError:
            broken.append(event)
    assert len(broken) == 2 and broken[-1] == "[DONE]"
    assert not answer.is_cut


def test_empty_choices_and_wrong_type_are_json_of_another_shape():
    assert json.loads(seen(faulty("empty_choices")).body)["choices"] == []
    assert isinstance(json.loads(seen(faulty("wrong_type")).body)["choices"], dict)
    first = json.loads(seen(faulty("empty_choices"), stream=True).events[0])
    assert first["choices"] == []
    first = json.loads(seen(faulty("wrong_type"), stream=True).events[0])
    assert isinstance(first["choices"], dict)


@pytest.mark.parametrize("stream", [False, True])
def test_html_is_a_page_with_status_200(stream):
    answer = seen(faulty("html"), stream=stream)
    assert (answer.status, answer.type) == (200, "text/html")
    assert answer.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("stream", [False, True])
def test_empty_body_has_nothing(stream):
    answer = seen(faulty("empty_body"), stream=stream)
    assert (answer.status, answer.body, answer.is_cut) == (200, b"", False)


def test_no_done_ends_the_stream_early_but_in_order():
    answer = seen(faulty("no_done"), stream=True)
    assert not answer.is_cut
    assert json.loads(answer.events[-1])["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_drip_says_the_same_in_small_pieces(stream):
    with LoopbackLLM([faulty("drip", chunk_delay_s=0.0005)]) as srv:
        client = openai.OpenAI(base_url=srv.base_url, api_key="k", max_retries=0, timeout=10)
        with client:
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=stream
            )
            if stream:
                said = "".join(c.choices[0].delta.content or "" for c in answer)
            else:
                said = answer.choices[0].message.content
    assert said == TEXT


def test_delay_comes_before_the_first_byte_and_chunk_delay_between_events():
    reply = Reply(TEXT, delay_s=0.05, chunk_delay_s=0.01)
    begun = time.monotonic()
    with LoopbackLLM([reply]) as srv:
        client = openai.OpenAI(base_url=srv.base_url, api_key="k", max_retries=0, timeout=10)
        with client:
            chunks = list(
                client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "hi"}], stream=True
                )
            )
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TEXT
    # At least: a busy machine may be slower, never faster.
    assert time.monotonic() - begun >= 0.05 + 0.01 * len(chunks)


def test_client_that_leaves_a_slow_stream_is_counted():
    with LoopbackLLM([Reply("word " * 500, chunk_delay_s=0.01), "still here"]) as srv:
        client = openai.OpenAI(base_url=srv.base_url, api_key="k", max_retries=0, timeout=5)
        with client:
            stream = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            next(iter(stream))
            stream.close()
        Seen(srv, stream=False)
        assert srv.cancelled == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_server_goes_on_after_every_fault(fault, stream):
    reply = Reply(TEXT, tool_calls=[call("f")], fault=fault)
    with LoopbackLLM([reply, "well"]) as srv:
        client = openai.OpenAI(base_url=srv.base_url, api_key="k", max_retries=0, timeout=0.5)
        with client, contextlib.suppress(openai.APIError, ValueError, TypeError, AttributeError):
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=stream
            )
            if stream:
                list(answer)
        assert b"well" in Seen(srv, stream=False).body
