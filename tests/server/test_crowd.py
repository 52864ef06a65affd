"""More connections than there is room for: who has to go, who is turned away, who is served."""

from __future__ import annotations

import logging
import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import pytest
from tests.server.serving import WAIT_S, Serving

from autogen.server import Service, impatient
from autogen.server import service as service_module

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
MOST = 4


@contextmanager
def _serving(path: Path) -> Iterator[Service]:
    serving = Service(f"sqlite:///{path / 'runs.db'}", port=0, is_worker=False)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: serving.run(when_ready=ready.set))
    thread.start()
    try:
        assert ready.wait(20)
        yield serving
    finally:
        serving.stop()
        thread.join(20)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server with room for a few, without a worker."""
    monkeypatch.setattr(service_module, "room", lambda: (MOST, 16))
    with _serving(tmp_path) as serving:
        yield serving


def _connected(service: Service) -> socket.socket:
    port = urlsplit(service.url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def _answer(connection: socket.socket, request: bytes) -> bytes:
    """What comes until the server closes."""
    told = b""
    connection.sendall(request)
    while received := connection.recv(65536):
        told += received
    return told


def _asked(service: Service) -> bytes:
    with _connected(service) as connection:
        return _answer(connection, HEAD + b"Connection: close\r\n\r\n")


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def _waiting(service: Service, run_id: str) -> bytes:
    """A request that is being answered for a long time."""
    return (
        f"GET /api/v1/runs/{run_id}/wait?timeout_s=60 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {service.token}\r\n\r\n"
    ).encode()


def _until_watched(service: Service, n: int) -> None:
    end = time.monotonic() + WAIT_S
    while service._feed.n_watches != n:
        assert time.monotonic() < end, service._feed.n_watches


def test_who_asks_nothing_makes_room_the_longest_first(service: Service) -> None:
    with ExitStack() as all_of_them:
        idle = [all_of_them.enter_context(_connected(service)) for _ in range(MOST)]
        for n in range(2):
            assert _asked(service).startswith(b"HTTP/1.1 200")
            # The one before has left again, so that one alone had to go.
            assert _is_closed(idle[0])
            idle[n + 1].sendall(HEAD)
        assert _answer(idle[1], b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_where_everybody_is_answered_others_are_told_when_to_come_back(service: Service) -> None:
    run_id = service.runtime.submit("unknown", "There is no worker.")
    with ExitStack() as all_of_them:
        answered = [all_of_them.enter_context(_connected(service)) for _ in range(MOST)]
        for connection in answered:
            connection.sendall(_waiting(service, run_id))
        _until_watched(service, MOST)
        for _ in range(3):
            head, _, body = _asked(service).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503")
            lines = head.decode().lower().split("\r\n")
            assert {"retry-after: 5", "connection: close"} <= set(lines)
            assert "content-type: application/problem+json" in lines
            assert b"too many are connected" in body
        service.runtime.cancel(run_id)
        for connection in answered:
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
    end = time.monotonic() + WAIT_S
    while not _asked(service).startswith(b"HTTP/1.1 200"):
        assert time.monotonic() < end


def test_rest_of_a_body_that_nobody_wants_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impatient, "REST_S", 0.2)
    request = b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n"
    with _serving(tmp_path) as service, _connected(service) as connection:
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")
        connection.settimeout(0.01)
        n_sent = 0
        while n_sent < 9000:
            try:
                connection.sendall(b"x")
                n_sent += 1
                if connection.recv(65536) == b"":
                    break
            except TimeoutError:
                pass
            except ConnectionError:
                break
        assert n_sent < 9000


NO_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nbad header: \x00\r\n\r\n",
)


def test_what_is_no_http_is_told_once_in_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for sent in NO_HTTP * 5:
            with _connected(service) as connection:
                told = _answer(connection, sent)
                assert told.startswith(b"HTTP/1.1 400")
                assert b"application/problem+json" in told
    assert len(caplog.records) <= 1


def test_garbage_after_an_answer_ends_the_connection_alone(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    chunked = b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with caplog.at_level(logging.WARNING):
        with _connected(service) as connection:
            connection.sendall(chunked)
            assert connection.recv(65536).startswith(b"HTTP/1.1 401")
            connection.sendall(b"no chunk\r\n" * 10)
            while not _is_closed(connection):
                pass
        assert _asked(service).startswith(b"HTTP/1.1 200")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_who_asks_for_a_websocket_is_answered_in_http(service: Service) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with _connected(service) as connection:
        connection.sendall(HEAD + upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.fixture
def many_descriptors(require_part: Callable[..., NoReturn]) -> Iterator[int]:
    """As many as this process may have."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < N_CROWD + 500:
        require_part(
            f"{N_CROWD} connections",
            because=f"a process may have {most} descriptors",
            do=f"ulimit -Hn {N_CROWD + 500}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (N_CROWD + 500, most))
    yield N_CROWD
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


N_CROWD = 10_000


@pytest.mark.timeout(180)
def test_ten_thousand_connections_keep_nobody_out(tmp_path: Path, many_descriptors: int) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The server sees to it that it has more than it was begun with.
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, most))
    server = Serving(f"sqlite:///{tmp_path / 'runs.db'}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    waits_s = []
    try:
        with ExitStack() as all_of_them:
            poll = select.poll()
            for n in range(many_descriptors):
                connection = all_of_them.enter_context(socket.socket())
                connection.settimeout(WAIT_S)
                connection.connect(("127.0.0.1", server.port))
                # Some begin to ask, and never come to the end of it.
                if n % 3 == 0:
                    connection.send(HEAD)
                poll.register(connection, select.POLLIN)
                if n % 500 == 499:
                    at = time.monotonic()
                    assert server.call("GET", "/healthz", token=None).status == 200
                    waits_s.append(time.monotonic() - at)
            run_id = server.begin("talk")
            assert server.ended(run_id)["status"] == "finished"
            # Those who had to go know it.
            n_closed = len(poll.poll(0))
            assert many_descriptors - 4000 <= n_closed < many_descriptors - 1000
        assert server.get("/healthz") == {"status": "ok"}
        assert server.stop() == 0
    finally:
        server.kill()
    assert max(waits_s) < 5
    assert "Traceback" not in "".join(server.said)
    assert len(server.said) < 10, server.said
