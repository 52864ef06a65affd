"""`IOWebsockets`: a chat whose output and input travel over a web socket.

The package `websockets` is an extra and loads when a server starts.
"""

from __future__ import annotations

import importlib
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ..errors import AutogenError
from ..human.stream import IOStream

__all__ = ["IOWebsockets"]

logger = logging.getLogger("autogen")


class IOWebsockets(IOStream):
    """Prints to one web socket, and asks there. Each connection to a server gets its own.

    Args:
        websocket: A connection of `websockets.sync`.
    """

    def __init__(self, websocket: Any):
        self._websocket = websocket

    @property
    def websocket(self) -> Any:
        """The connection."""
        return self._websocket

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Send what `print` would have printed, as one message.

        Raises:
            websockets.ConnectionClosed: Nobody is there any more.
        """
        self._websocket.send(sep.join(map(str, objects)) + end)

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Send the prompt, and wait for the next message.

        Raises:
            websockets.ConnectionClosed: Nobody is there any more.
        """
        if prompt:
            self._websocket.send(prompt)
        answer: str | bytes = self._websocket.recv()
        return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer

    @staticmethod
    @contextmanager
    def run_server_in_thread(
        *,
        host: str = "127.0.0.1",
        port: int = 8765,
        on_connect: Callable[[IOWebsockets], None],
        ssl_context: ssl.SSLContext | None = None,
        **kwargs: Any,
    ) -> Iterator[str]:
        """Serve web sockets inside the `with` block; gives the server's URL.

        Each connection is served in a thread of its own, where its stream is the default one, so
        that a chat started in `on_connect` talks with whoever connected. When `on_connect` returns,
        or whoever connected leaves, the connection ends. Leaving the block closes the connections
        and waits for the threads.

        A page in a browser may connect if it comes from this machine, or from the host it connects
        to; pages from anywhere else are refused, because they could act for the person who looks at
        them. Name others with `origins=["https://example.org"]`.

        Args:
            host: Where to listen.
            port: 0 takes a free one.
            on_connect: Called with the stream of each connection.
            ssl_context: Serve `wss://` with it.
            kwargs: For `websockets.sync.server.serve`.

        Raises:
            AutogenError: The package `websockets` is not installed.
            OSError: The port is taken.
        """
        package = _package()
        closed = package.exceptions.ConnectionClosed

        def serve(websocket: Any) -> None:
            stream = IOWebsockets(websocket)
            with IOStream.set_default(stream):
                try:
                    on_connect(stream)
                except closed:
                    logger.info("Whoever was at the web socket has left.")
                except Exception:
                    # A border: one failed chat must not end the server for the others.
                    logger.exception("The chat at a web socket failed.")

        if not {"origins", "process_request"} & set(kwargs):
            kwargs["process_request"] = _refusal_of_strangers(host)
        server = package.server.serve(serve, host, port, ssl=ssl_context, **kwargs)
        thread = threading.Thread(target=server.serve_forever, name="autogen-websockets")
        thread.start()
        try:
            scheme = "wss" if ssl_context is not None else "ws"
            shown = f"[{host}]" if ":" in host else host
            yield f"{scheme}://{shown}:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Package:
    def __init__(self) -> None:
        self.server = importlib.import_module("websockets.sync.server")
        self.exceptions = importlib.import_module("websockets.exceptions")


def _package() -> Any:
    try:
        return _Package()
    except ImportError as error:
        raise AutogenError(
            "autogen.io.IOWebsockets needs the 'websockets' extra: "
            'run pip install -e ".[websockets]" in the clone of this package.'
        ) from error


def _refusal_of_strangers(host: str) -> Callable[[Any, Any], Any]:
    """Answers a request of a page from elsewhere with 403, every other one with None: go on."""

    def refusal(websocket: Any, request: Any) -> Any:
        origins = request.headers.get_all("Origin")
        if all(_is_own(origin, host, request.headers.get_all("Host")) for origin in origins):
            return None
        text = f"Pages of {origins[0]!r} may not connect; allow them with origins=[...].\n"
        return websocket.respond(403, text)

    return refusal


def _is_own(origin: str, host: str, named: list[str]) -> bool:
    """Whether a page comes from this machine or, on an open one, from the host it asks for."""
    page = urlsplit(origin).hostname
    if page is None:
        return False
    if _is_loopback(page) or page == host:
        return True
    # Behind a loopback address a Host of another name is a trick of a page's name server.
    return not _is_loopback(host) and [page] == [urlsplit(f"//{one}").hostname for one in named]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
