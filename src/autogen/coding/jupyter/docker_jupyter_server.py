"""`DockerJupyterServer`: a Jupyter server, and with it its kernels, in a container."""

from __future__ import annotations

import os
import secrets
import time
import weakref
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..._kernel.cancel import CancelToken
from ...errors import ExecutionError
from ..docker_engine import build_image, connect, engine_address, find_image, troubles
from ..output import clean_text
from .base import JupyterConnectable, JupyterConnectionInfo, Stoppable
from .jupyter_client import Refused, ask, on_io
from .token import GENERATE_TOKEN, Token, checked_token

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = ["DockerJupyterServer"]

PORT = "8888/tcp"
START_S = 60.0
POLL_S = 0.1
ASK_S = 5.0

DOCKERFILE = b"""\
FROM python:3-slim
RUN pip install --no-cache-dir ipykernel jupyter_server \\
 && useradd --create-home --uid 1000 jupyter
USER jupyter
WORKDIR /home/jupyter
ENV HOME=/home/jupyter
CMD JUPYTER_TOKEN="$TOKEN" exec python -m jupyter_server --ip=0.0.0.0 --port=8888 --no-browser \\
    --ServerApp.terminals_enabled=False --ZMQChannelsWebsocketConnection.limit_rate=False
"""


class DockerJupyterServer(Stoppable, JupyterConnectable):
    """Runs a Jupyter server in a container of a Docker engine; its kernels run in there too.

    The container starts here and ends with `stop()`, at the end of a `with` block, or with this
    program. The code sees the image and no folder of this machine, runs without capabilities, and
    is limited in memory and processes. It has the network that the engine gives to containers: the
    proxy of the other executors is not in between, so it can reach what a container can.

    Args:
        custom_image_name: An image whose command runs a Jupyter server (or kernel gateway) on port
            8888 that asks for the token in the variable TOKEN. None builds one from
            `python:3-slim`, which takes a while the first time.
        container_name: Default: a new one each time.
        auto_remove: Remove the container when it stops; False keeps it to be looked at.
        stop_container: End the container with this object and this program; False leaves it running
            until `stop()`.
        docker_env: Variables the server and its kernels see.
        token: What callers have to send; by default one that is made here.
        network: Name of the engine's network that the container is on; None for its default.
        memory_mb: Memory of the container.
        processes: Processes and threads at a time.

    Raises:
        NoWallError: No engine answers, or there is no image.
        ExecutionError: The container does not start, or no server in it answers.
    """

    DEFAULT_DOCKERFILE = DOCKERFILE.decode()

    def __init__(
        self,
        custom_image_name: str | None = None,
        container_name: str | None = None,
        auto_remove: bool = True,
        stop_container: bool = True,
        docker_env: Mapping[str, str] | None = None,
        token: Token = GENERATE_TOKEN,
        *,
        network: str | None = None,
        memory_mb: int = 2048,
        processes: int = 256,
    ):
        self.token = checked_token(token)
        client = connect()
        try:
            image = (
                find_image(client, [custom_image_name], CancelToken())
                if custom_image_name
                else build_image(client, DOCKERFILE, CancelToken(), what="The Jupyter image")
            )
            # The engine takes None for any free port, which the stubs do not know.
            ports: Any = {PORT: (published_on(), None)}
            with troubles("start the Jupyter server"):
                container = client.containers.run(
                    str(image.id),
                    auto_remove=auto_remove,
                    cap_drop=["ALL"],
                    detach=True,
                    environment={**(docker_env or {}), "TOKEN": self.token},
                    init=True,
                    mem_limit=f"{memory_mb}m",
                    network=network,
                    name=container_name or f"autogen-jupyter-{secrets.token_hex(8)}",
                    pids_limit=processes,
                    ports=ports,
                    security_opt=["no-new-privileges"],
                )
        except BaseException:
            client.close()
            raise
        self._end = partial(end, client, container, auto_remove, os.getpid())
        self._finalizer = weakref.finalize(self, self._end)
        try:
            self._info = self._await_server(container)
        except BaseException:
            self.stop()
            raise
        if not stop_container:
            self._finalizer.detach()

    @property
    def connection_info(self) -> JupyterConnectionInfo:
        """Where the server is."""
        return self._info

    def stop(self) -> None:
        """End the container, and with it the server and its kernels."""
        self._finalizer.detach()
        self._end()

    def _await_server(self, container: Container) -> JupyterConnectionInfo:
        """Where the server is, once it answers."""
        deadline_s = time.monotonic() + START_S
        trouble = "it does not listen on port 8888"
        while time.monotonic() < deadline_s:
            with troubles("look after the Jupyter server"):
                container.reload()
            if container.status not in ("created", "running"):
                trouble = "the container ended"
                break
            if port := published_port(container):
                info = JupyterConnectionInfo(engine_host(), False, port, self.token)
                try:
                    on_io(ask, info, "GET", "/api/kernelspecs", None, ASK_S)
                except Refused as error:
                    # A server that says no will not change its mind.
                    trouble = str(error)
                    break
                except ExecutionError as error:
                    trouble = str(error)
                else:
                    return info
            time.sleep(POLL_S)
        with troubles("read the log of the Jupyter server"):
            lines = container.logs(tail=5).decode("utf-8", "replace")
        said = clean_text(" ".join(lines.split()))[-500:] or "nothing"
        raise ExecutionError(
            f"The Jupyter server in the container did not start: {trouble}. It said: {said}"
        )


def engine_host() -> str:
    """The machine on which published ports are found."""
    address = engine_address()
    return urlsplit(address).hostname or "127.0.0.1" if "://" in address else "127.0.0.1"


def published_on() -> str:
    """The address to publish on: nobody else's machine has to reach an engine of this one."""
    return "127.0.0.1" if engine_host() == "127.0.0.1" else "0.0.0.0"  # noqa: S104


def published_port(container: Container) -> int | None:
    """The port of the host that leads to the server; None while there is none."""
    for found in container.ports.get(PORT) or ():
        return int(found["HostPort"])
    return None


def end(client: DockerClient, container: Container, auto_remove: bool, pid: int) -> None:
    """End a container, unless it belongs to the process this one was forked from."""
    if pid != os.getpid():
        return
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        if auto_remove:
            container.remove(force=True)
        else:
            container.kill()
    except (DockerException, RequestException):
        # It ended by itself, or the engine did.
        pass
    client.close()
