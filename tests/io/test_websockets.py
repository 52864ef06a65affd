"""Chats over web sockets, with a real server and a real client."""

from __future__ import annotations

import logging
import queue
import socket
import sys
import threading
from collections import deque

import pytest
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.errors import AutogenError
from autogen.io import InputStream, IOConsole, IOStream, IOWebsockets, OutputStream


@pytest.fixture
def connect(require_part):
    try:
        from websockets.sync.client import connect
    except ImportError as error:
        require_part("websockets", because=str(error), do="pip install websockets")
    return connect


@requirement("websocket:stream")
def test_stream_prints_and_asks(connect, wait_s):
    heard: queue.SimpleQueue[object] = queue.SimpleQueue()

    def on_connect(stream: IOWebsockets) -> None:
        heard.put(IOStream.get_default() is stream)
        stream.print("a", 1, sep="-", end="!\n", flush=True)
        heard.put(stream.input("who? "))
        heard.put(stream.input(password=True))

    with (
        IOWebsockets.run_server_in_thread(port=0, on_connect=on_connect) as url,
        connect(url) as client,
    ):
        assert url.startswith("ws://127.0.0.1:")
        assert client.recv(wait_s) == "a-1!\n"
        assert client.recv(wait_s) == "who? "
        client.send("me")
        client.send(b"secret \xff")
        assert [heard.get(timeout=wait_s) for _ in range(3)] == [True, "me", "secret �"]
    assert isinstance(IOStream.get_default(), IOConsole)


@requirement("websocket:chat")
def test_person_at_a_socket_takes_part_in_a_chat(connect, wait_s):
    def on_connect(stream: IOWebsockets) -> None:
        bot = ConversableAgent("bot", llm_config=False, default_auto_reply="echo")
        user = ConversableAgent("user", llm_config=False, human_input_mode="ALWAYS")
        bot.initiate_chat(user, message=f"hello {stream.input()}", max_turns=1)

    with (
        IOWebsockets.run_server_in_thread(port=0, on_connect=on_connect) as url,
        connect(url) as client,
    ):
        client.send("Ann")
        shown = ""
        while "hello Ann" not in shown:
            shown += client.recv(wait_s)
        client.send("exit")
        # The rest of what is shown, until the server closes the connection.
        deque(client, maxlen=0)
        assert client.close_code == 1000


def test_connections_are_served_beside_each_other(connect, wait_s):
    meeting = threading.Barrier(3)

    def on_connect(stream: IOWebsockets) -> None:
        meeting.wait(wait_s)
        stream.print(stream.input())

    with (
        IOWebsockets.run_server_in_thread(port=0, on_connect=on_connect) as url,
        connect(url) as one,
        connect(url) as two,
    ):
        meeting.wait(wait_s)
        two.send("2")
        one.send("1")
        assert (one.recv(wait_s), two.recv(wait_s)) == ("1\n", "2\n")


@requirement("websocket:failure")
def test_failure_of_one_chat_leaves_the_server_up(connect, wait_s, caplog):
    def on_connect(stream: IOWebsockets) -> None:
        if stream.input() == "fail":
            raise ValueError("a bug")
        stream.print("fine")

    with IOWebsockets.run_server_in_thread(port=0, on_connect=on_connect) as url:
        with connect(url) as client, caplog.at_level(logging.ERROR, "autogen"):
            client.send("fail")
            with pytest.raises(Exception, match="1000"):
                client.recv(wait_s)
        with connect(url) as client:
            client.send("go")
            assert client.recv(wait_s) == "fine\n"
    assert "a bug" in caplog.text


@requirement("websocket:failure")
def test_person_who_leaves_ends_the_chat_and_nothing_else(connect, caplog, wait_s):
    ended = threading.Event()

    def on_connect(stream: IOWebsockets) -> None:
        try:
            stream.input("there? ")
        finally:
            ended.set()

    with (
        caplog.at_level(logging.INFO, "autogen"),
        IOWebsockets.run_server_in_thread(port=0, on_connect=on_connect) as url,
    ):
        with connect(url) as client:
            client.recv(wait_s)
        assert ended.wait(wait_s)
    assert "has left" in caplog.text
    assert "failed" not in caplog.text


@requirement("websocket:origin")
@pytest.mark.parametrize(
    "origin, options, is_taken",
    [
        (None, {}, True),
        ("http://localhost:8000", {}, True),
        ("http://127.0.0.1:8000", {}, True),
        ("https://evil.example", {}, False),
        ("http://localhost.evil.example", {}, False),
        ("null", {}, False),
        ("https://good.example", {"origins": ["https://good.example"]}, True),
        ("http://localhost:8000", {"origins": ["https://good.example"]}, False),
    ],
)
def test_pages_from_elsewhere_are_refused(connect, wait_s, origin, options, is_taken):
    def on_connect(stream: IOWebsockets) -> None:
        stream.print("hi")

    with IOWebsockets.run_server_in_thread(port=0, on_connect=on_connect, **options) as url:
        if is_taken:
            with connect(url, origin=origin) as client:
                assert client.recv(wait_s) == "hi\n"
        else:
            with pytest.raises(Exception, match="403"):
                connect(url, origin=origin)


def test_page_that_renames_this_machine_is_refused(connect):
    """The page's own name server says that its host is 127.0.0.1."""
    with IOWebsockets.run_server_in_thread(port=0, on_connect=lambda stream: None) as url:
        port = int(url.rpartition(":")[2])
        here = socket.create_connection(("127.0.0.1", port))
        with pytest.raises(Exception, match="403"):
            connect(f"ws://evil.example:{port}", sock=here, origin="http://evil.example")


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.sync.server", None)
    with (
        pytest.raises(AutogenError, match=r'pip install -e "\.\[websockets\]"'),
        IOWebsockets.run_server_in_thread(port=0, on_connect=print),
    ):
        pass


@requirement("io:names")
def test_names_have_their_paths_of_before():
    from autogen.io.base import IOStream as Base
    from autogen.io.console import IOConsole as Console
    from autogen.io.websockets import IOWebsockets as Websockets

    assert (Base, Console, Websockets) == (IOStream, IOConsole, IOWebsockets)
    assert isinstance(IOConsole(), IOStream)
    assert isinstance(IOConsole(), OutputStream)
    assert isinstance(IOConsole(), InputStream)
