"""Connections that never come to a request are closed; those that ask have all the time."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autogen.server import Service, impatient

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90\r\n\r\n"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server of little patience, without a worker."""
    monkeypatch.setattr(impatient, "HEAD_S", 0.3)
    monkeypatch.setattr(impatient, "BODY_S", 0.3)
    serving = Service(f"sqlite:///{tmp_path / 'runs.db'}", port=0, is_worker=False)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: serving.run(when_ready=ready.set))
    thread.start()
    assert ready.wait(20)
    yield serving
    serving.stop()
    thread.join(20)


def _connected(service: Service, timeout_s: float = 20) -> socket.socket:
    port = urlsplit(service.url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def _rest(service: Service, *parts: bytes) -> bytes:
    """What comes on a connection that sends `parts`, until the server closes it."""
    told = b""
    with _connected(service) as connection:
        for part in parts:
            connection.sendall(part)
        try:
            while received := connection.recv(65536):
                told += received
        except ConnectionError:
            pass
    return told


@pytest.mark.parametrize(
    "parts", [(), (b"GET",), (GET,), (GET, b"X-A: b\r\n"), (POST,), (POST, b'{"token"')]
)
def test_who_does_not_come_to_a_request_is_not_waited_for(
    service: Service, parts: tuple[bytes, ...]
) -> None:
    assert _rest(service, *parts) == b""


def test_byte_by_byte_is_no_way_to_stay(service: Service) -> None:
    n_sent = 0
    with _connected(service, timeout_s=0.02) as connection:
        connection.sendall(GET + b"X-Long: ")
        while n_sent < 500:
            try:
                assert connection.recv(100) == b""
                break
            except TimeoutError:
                connection.sendall(b"x")
                n_sent += 1
            except ConnectionError:
                break
    assert 0 < n_sent < 500


def test_an_answer_may_take_as_long_as_it_likes(service: Service) -> None:
    run_id = service.runtime.submit("unknown", "There is no worker.")
    request = urllib.request.Request(
        f"{service.url}/api/v1/runs/{run_id}/wait?timeout_s=1",
        headers={"Authorization": f"Bearer {service.token}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


def test_a_connection_may_ask_again(service: Service) -> None:
    with _connected(service) as connection:
        for _ in range(3):
            connection.sendall(GET + b"\r\n")
            told = b""
            while not told.endswith(b"}"):
                told += connection.recv(65536)
            assert told.startswith(b"HTTP/1.1 200")


def test_heads_are_limited_whatever_else_is_installed(service: Service) -> None:
    line = b"X-Long: " + b"x" * 65536 + b"\r\n"
    with _connected(service) as connection, pytest.raises(ConnectionError):
        connection.sendall(GET + line * 1000)
