"""The host's end of a runner in a pod, over one exec WebSocket.

Each message has one byte before its data: the channel. The thread of the connection passes stdin
and stdout between the WebSocket and one end of a socket pair; `Link` polls the other.
Only `kubernetes_pod.py` makes these.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientWebSocketResponse, WSMsgType

from ..errors import ExecutionError
from .kubernetes_cluster import Cluster
from .stream_link import StreamLink

__all__ = ["PodLink", "open_exec"]

# Source: k8s.io/kubelet, package remotecommand: names and channels of the protocol.
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
MOST_ERROR_BYTES = 4096
CHUNK_BYTES = 32 * 1024
#: How often the other side is asked whether it is still there.
HEARTBEAT_S = 30.0
MOST_MESSAGE_BYTES = 4 << 20


class PodLink(StreamLink):
    """Talks to one runner over the exec stream of its pod.

    Args:
        stream: The near end of the socket pair; this closes it.
        pump: What carries data between its far end and the WebSocket.
        end: Ends the pod; called once.
        fate: Why the pod is gone, for people; asked where the stream breaks off.
        abandon: Called in a forked process, where the connection is not.
    """

    def __init__(
        self,
        stream: socket.socket,
        pump: Pump,
        *,
        end: Callable[[], None],
        fate: Callable[[], str],
        abandon: Callable[[], None],
    ):
        self._pump = pump
        self._fate = fate
        self._let_go = abandon
        super().__init__(stream, end=end)

    def abandon(self) -> None:
        """Let go of a pod that belongs to the parent process, after a fork."""
        self._pump.far.close()
        self._let_go()
        super().abandon()

    def _last_words(self) -> str:
        words = [self._fate(), self._pump.said()]
        found = ": ".join(word for word in words if word)
        return f": {found}" if found else ""


class Pump:
    """Passes frames on until either side ends; runs in the thread of the connection."""

    def __init__(self, far: socket.socket, web: ClientWebSocketResponse):
        self.far = far
        self._web = web
        self._errors = bytearray()
        self._status = ""

    def said(self) -> str:
        """What came on stderr, or how the command ended, for people."""
        text = bytes(self._errors).decode("utf-8", "backslashreplace").strip()
        return text[-800:] or self._status

    async def run(self) -> None:
        """Carry data both ways; closes both sides at the end."""
        loop = asyncio.get_running_loop()
        inward = asyncio.ensure_future(self._inward(loop))
        try:
            await self._outward(loop)
        except OSError:
            # The near end is closed: nobody listens any more.
            pass
        finally:
            inward.cancel()
            await asyncio.wait({inward})
            self.far.close()
            await self._web.close()

    async def _inward(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while data := await loop.sock_recv(self.far, CHUNK_BYTES):
                await self._web.send_bytes(bytes([STDIN]) + data)
        except OSError:
            pass
        await self._web.close()

    async def _outward(self, loop: asyncio.AbstractEventLoop) -> None:
        async for message in self._web:
            data = message.data
            if message.type is WSMsgType.TEXT:
                data = data.encode()
            elif message.type is not WSMsgType.BINARY:
                return
            channel, body = data[:1], data[1:]
            if channel == bytes([STDOUT]):
                await loop.sock_sendall(self.far, body)
            elif channel == bytes([STDERR]):
                self._errors += body
                del self._errors[:-MOST_ERROR_BYTES]
            elif channel == bytes([STATUS]):
                self._status = _status_text(body)


def _status_text(body: bytes) -> str:
    try:
        status: dict[str, Any] = json.loads(body)
        return str(status.get("message") or "")[:400].rstrip(".")
    except (ValueError, AttributeError):
        return ""


async def open_exec(
    cluster: Cluster, namespace: str, pod: str, container: str, command: list[str]
) -> tuple[socket.socket, Pump, asyncio.Task[None]]:
    """Start a command in a container; the near end of its stdin and stdout, and what carries them.

    Raises:
        ExecutionError: The server speaks none of the protocols known here.
    """
    client = cluster.api.api_client
    query = [("command", part) for part in command]
    query += [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    host = client.configuration.host.replace("http", "ws", 1)
    url = f"{host}/api/v1/namespaces/{namespace}/pods/{pod}/exec?{urlencode(query)}"
    headers: dict[str, str] = dict(client.default_headers)
    await client.update_params_for_auth(headers, [], ["BearerToken"], url, "GET", None)
    rest = client.rest_client
    options: dict[str, Any] = {}
    if client.configuration.proxy:
        options["proxy"] = client.configuration.proxy
    if client.configuration.tls_server_name:
        options["server_hostname"] = client.configuration.tls_server_name
    assert rest.pool_manager is not None
    web = await rest.pool_manager.ws_connect(
        url,
        headers=headers,
        protocols=PROTOCOLS,
        heartbeat=HEARTBEAT_S,
        max_msg_size=MOST_MESSAGE_BYTES,
        autoclose=True,
        **options,
    )
    if web.protocol not in PROTOCOLS:
        await web.close()
        raise ExecutionError(
            f"The Kubernetes API server speaks {web.protocol or 'an unknown protocol'!r} for exec; "
            f"expected one of {', '.join(PROTOCOLS)} (Kubernetes 1.7 or later, and no proxy that "
            "strips the header)."
        )
    near, far = socket.socketpair()
    far.setblocking(False)
    pump = Pump(far, web)
    return near, pump, asyncio.ensure_future(pump.run())
