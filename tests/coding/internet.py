"""A made-up internet: one site on loopback that serves every name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from autogen.coding import gate, gate_http


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """A site, up for the `with` block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def lead_to(
    server: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    address_of: Callable[[str], str],
) -> None:
    """Have gates find `address_of(name)` for a name, and `server` behind every address."""

    async def look_up(host: str, port: int) -> list[str]:
        return [address_of(host)]

    async def dial(address: str, port: int) -> gate_http.Stream:
        return await asyncio.open_connection(
            "127.0.0.1", server.server_address[1], limit=gate_http.HEAD_BYTES
        )

    monkeypatch.setattr(gate, "look_up", look_up)
    monkeypatch.setattr(gate, "dial", dial)
