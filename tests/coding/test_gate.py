"""The proxy that is the way out of a wall, with real sockets on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from autogen.coding import gate as gate_module
from autogen.coding import gate_http
from autogen.coding.egress import Egress
from autogen.coding.gate import Contact, Gate

from .internet import serving

OUTSIDE = "93.184.216.34"
INNER = {
    "inner.example": "10.1.2.3",
    "meta.example": "169.254.169.254",
    "self.example": "127.0.0.1",
}


class Origin(BaseHTTPRequestHandler):
    """A site that tells what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while count := int(self.rfile.readline(), 16):
                body += self.rfile.read(count)
                self.rfile.readline()
            self.rfile.readline()
        self.server.seen.append((self.command, self.path, list(self.headers.items()), body))
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def do_POST(self):
        self.do_GET()

    def log_message(self, *args):
        return


@pytest.fixture
def origin():
    with serving(Origin) as server:
        server.seen = []
        yield server


@pytest.fixture
def internet(monkeypatch, origin):
    """Names resolve to addresses of a made-up network, all served by `origin`."""
    dialled = []

    async def look_up(host, port):
        if host == "mute.example":
            await asyncio.sleep(60)
        if host == "gone.example":
            raise OSError("no such name")
        return [OUTSIDE, INNER[host]] if host in INNER else [OUTSIDE]

    async def dial(address, port):
        dialled.append((address, port))
        if port == 8443:
            raise ConnectionRefusedError
        return await asyncio.open_connection(
            "127.0.0.1", origin.server_address[1], limit=gate_http.HEAD_BYTES
        )

    monkeypatch.setattr(gate_module, "look_up", look_up)
    monkeypatch.setattr(gate_module, "dial", dial)
    return dialled


@pytest.fixture
def serve(internet):
    gates = []

    def start(*patterns):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = listener.getsockname()[1]
        gates.append(Gate(listener, Egress(patterns or ("*",))))
        gates[-1].begin(lambda: None)
        gates[-1].port = port
        return gates[-1]

    yield start
    for gate in gates:
        gate.close()
        assert not gate._thread.is_alive()


def ask(gate, request):
    """Everything that comes back to one request."""
    with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as client:
        client.sendall(request if isinstance(request, bytes) else request.encode())
        answer = b""
        while data := client.recv(65536):
            answer += data
    return answer.decode("latin-1")


def get(gate, url, data=None):
    proxies = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{gate.port}"})
    return urllib.request.build_opener(proxies).open(url, data, timeout=5)


def test_request_passes_and_is_reported(serve, origin, internet):
    gate = serve()
    with get(gate, "http://site.example/a?b=c") as answer:
        assert answer.read() == b"hello"
        assert answer.headers["Connection"] == "close"
    method, path, fields, _ = origin.seen[0]
    assert (method, path, dict(fields)["Host"]) == ("GET", "/a?b=c", "site.example")
    assert internet == [(OUTSIDE, 80)]
    assert gate.contacts() == [Contact("site.example", 80, None)]


def test_contacts_are_told_once_a_block_and_wake_the_waiting_thread(serve):
    gate, woken = serve(), threading.Event()
    gate.begin(woken.set)
    for _ in range(3):
        get(gate, "http://site.example/").close()
    assert woken.is_set()
    assert len(gate.contacts()) == 1
    gate.begin(woken.set)
    get(gate, "http://site.example/").close()
    assert len(gate.contacts()) == 1


def test_fields_between_neighbours_are_not_passed_on(serve, origin):
    ask(
        serve(),
        "GET http://site.example/ HTTP/1.1\r\nHost: other.example\r\nConnection: X-Mine\r\n"
        "X-Mine: 1\r\nX-Kept: 2\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\n\r\n",
    )
    fields = {name.lower(): value for name, value in origin.seen[0][2]}
    assert fields == {"host": "site.example", "connection": "close", "x-kept": "2"}


def test_bodies_pass_by_length_and_in_chunks(serve, origin):
    gate = serve()
    big = os.urandom(1 << 20)
    with get(gate, "http://site.example/", big) as answer:
        assert answer.read() == b"hello"
    chunks = "2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: 1\r\n\r\n"
    head = "POST http://site.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert "hello" in ask(gate, head + chunks)
    assert [seen[3] for seen in origin.seen] == [big, b"abcde"]


@pytest.mark.parametrize("body", ["", "Content-Length: 2\r\n\r\nab", "chunked"])
def test_second_request_on_a_connection_goes_nowhere(serve, origin, body):
    if body == "chunked":
        body = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    second = "GET /second HTTP/1.1\r\nHost: other.example\r\n\r\n"
    request = f"GET http://site.example/ HTTP/1.1\r\n{body or chr(13) + chr(10)}{second}"
    assert ask(serve(), request).count("HTTP/1.1 200") == 1
    assert [seen[1] for seen in origin.seen] == ["/"]


def test_tunnel_carries_bytes_both_ways(serve, origin, internet):
    request = "GET /inside HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = ask(serve(), f"CONNECT site.example:443 HTTP/1.1\r\n\r\n{request}")
    assert answer.startswith("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
    assert answer.endswith("hello")
    assert internet == [(OUTSIDE, 443)]


REFUSED = {
    "CONNECT site.example:22 HTTP/1.1": (403, "port 22"),
    "CONNECT other.test:443 HTTP/1.1": (403, "not on the list of hosts"),
    "CONNECT inner.example:443 HTTP/1.1": (403, "10.1.2.3, which is not on the public network"),
    "CONNECT meta.example:80 HTTP/1.1": (403, "169.254.169.254"),
    "CONNECT self.example:443 HTTP/1.1": (403, "127.0.0.1"),
    "CONNECT 127.0.0.1:443 HTTP/1.1": (403, "not on the list"),
    "CONNECT 2130706433:443 HTTP/1.1": (400, "unusual spelling"),
    "CONNECT 0x7f.1:443 HTTP/1.1": (400, "unusual spelling"),
    "CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1": (400, "unusual spelling"),
    "CONNECT site.example HTTP/1.1": (400, "malformed"),
    "CONNECT gone.example:443 HTTP/1.1": (502, "cannot be resolved"),
    "CONNECT site.example:8443 HTTP/1.1": (502, "cannot be reached"),
    "GET https://site.example/ HTTP/1.1": (400, "only http://"),
    "GET ftp://site.example/ HTTP/1.1": (400, "only http://"),
    "GET /path HTTP/1.1": (400, "only http://"),
    "GET http://user@site.example/ HTTP/1.1": (400, "malformed"),
    "GET http://site.example\\@x/ HTTP/1.1": (400, "malformed"),
    "GET http://site.example/#x HTTP/1.1": (400, "only http://"),
    "GET http://site.example/ HTTP/2.0": (400, "not an HTTP request"),
    "GET  http://site.example/ HTTP/1.1": (400, "not an HTTP request"),
    "GET http://b\u00fccher.example/ HTTP/1.1": (400, "not an HTTP request"),
    "GET http://site.example/ HTTP/1.1\r\nX: a\n b": (400, "not an HTTP request"),
    "GET http://site.example/ HTTP/1.1\r\nX : a": (400, "not an HTTP request"),
    "GET http://site.example/ HTTP/1.1\r\nX: a\r\n folded": (400, "not an HTTP request"),
    "GET http://site.example/ HTTP/1.1\r\nX: \0": (400, "not an HTTP request"),
    "POST http://site.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1": (400, "more"),
    "POST http://site.example/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked": (
        400,
        "more than once",
    ),
    "POST http://site.example/ HTTP/1.1\r\nContent-Length: +1": (400, "length of the body"),
    "POST http://site.example/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked": (501, "chunked"),
    "POST http://site.example/ HTTP/1.1\r\nTransfer-Encoding:\x0bchunked": (400, "not an HTTP"),
}


@pytest.mark.parametrize("request_text", REFUSED)
def test_what_is_refused_says_why_in_phrase_and_body(serve, internet, origin, request_text):
    status, reason = REFUSED[request_text]
    patterns = ("*.example", "*.example:8443", "*.example:22") if ":8443" in request_text else ()
    gate = serve(*(patterns or ("*.example",)))
    answer = ask(gate, f"{request_text}\r\n\r\n")
    first, _, rest = answer.partition("\r\n")
    body = rest.partition("\r\n\r\n")[2]
    assert first.startswith(f"HTTP/1.1 {status} Egress refused: ")
    assert reason in first
    assert body.strip() in first
    assert origin.seen == []
    assert [address for address, port in internet if port != 8443] == []
    if status == 403:
        assert "can allow it with network=['" in first
        assert [contact.reason for contact in gate.contacts()] == [body.strip()[16:]]


def test_heads_are_bounded(serve):
    head = "GET http://site.example/ HTTP/1.1\r\n"
    assert " 431 " in ask(serve(), head + f"X: {'a' * 40_000}\r\n\r\n")[:20]
    assert " 431 " in ask(serve(), "A" * 40_000)[:20]
    assert " 400 " in ask(serve(), head + "X: a\r\n" * 300 + "\r\n")[:20]


def test_slow_clients_are_dropped_and_harm_nobody(serve, monkeypatch):
    monkeypatch.setattr(gate_http, "HEAD_S", 0.3)
    gate = serve()
    slow = [socket.create_connection(("127.0.0.1", gate.port), timeout=5) for _ in range(80)]
    for client in slow:
        client.sendall(b"GET http://si")
    with get(gate, "http://site.example/") as answer:
        assert answer.read() == b"hello"
    for client in slow:
        with client:
            assert b" 408 " in client.recv(1000)


def test_name_server_that_is_mute_is_not_waited_for(serve, monkeypatch):
    monkeypatch.setattr(gate_module, "RESOLVE_S", 0.05)
    assert " 502 " in ask(serve(), "CONNECT mute.example:443 HTTP/1.1\r\n\r\n")[:20]


def test_fifty_at_once(serve):
    gate = serve()

    def one(number):
        with get(gate, f"http://site{number}.example/") as answer:
            return answer.read()

    with ThreadPoolExecutor(50) as threads:
        assert set(threads.map(one, range(50))) == {b"hello"}
    assert len(gate.contacts()) == 50


def test_hosts_of_one_block_are_limited(serve, monkeypatch):
    monkeypatch.setattr(gate_module, "MOST_CONTACTS", 3)
    gate = serve()
    for number in range(5):
        answer = ask(gate, f"CONNECT no{number}.example:1 HTTP/1.1\r\n\r\n")
    assert "may reach 3 hosts and no more" in answer
    assert len(gate.contacts()) == 4


def test_garbage_ends_its_own_connection_only(serve):
    gate = serve()
    for garbage in (b"\r\n\r\n", b"\0" * 100 + b"\r\n\r\n", b"\xff\xfe GET\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as client:
            client.sendall(garbage)
    chunks = "POST http://site.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ask(gate, chunks)
    with get(gate, "http://site.example/") as answer:
        assert answer.read() == b"hello"


def test_server_that_speaks_no_http_is_told(serve, monkeypatch):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-x\r\n\r\n")
        writer.close()

    async def dial(address, port):
        one, other = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=other)
        there, back = await asyncio.open_connection(sock=one)
        asyncio.get_running_loop().create_task(answer(there, back))
        return reader, writer

    monkeypatch.setattr(gate_module, "dial", dial)
    assert " 502 " in ask(serve(), "GET http://site.example/ HTTP/1.1\r\n\r\n")[:20]


def test_curl_shows_the_reason(serve):
    gate = serve("a.example")
    argv = ["curl", "-sS", "-x", f"http://127.0.0.1:{gate.port}"]
    plain = subprocess.run(
        [*argv, "http://b.example/"], capture_output=True, text=True, check=False
    )
    assert "network=['b.example', ...]" in plain.stdout
    with pytest.raises(urllib.error.HTTPError, match=r"network=\['b.example', ...\]") as refused:
        get(gate, "http://b.example/")
    refused.value.close()


def test_nothing_is_left_when_a_gate_closes(serve):
    gc.collect()
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    gate = serve()
    with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as open_one:
        open_one.sendall(b"CONNECT site.example:443 HTTP/1.1\r\n\r\n")
        assert b"200" in open_one.recv(100)
        gate.close()
        assert open_one.recv(100) == b""
    gate.close()
    assert threading.active_count() <= threads + 1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", gate.port), timeout=5)
    assert len(os.listdir("/proc/self/fd")) <= files + 1
