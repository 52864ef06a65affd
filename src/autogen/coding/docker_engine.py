"""The Docker engine and its images: reached through the `docker` SDK, or refused with what to do.

The SDK is imported inside functions only: it is an extra, and slow to load.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from .._kernel.cancel import CancelToken
from .._kernel.run import transient
from ..errors import ExecutionError, NoWallError, RunCancelled

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

__all__ = [
    "build_image",
    "caller_ids",
    "connect",
    "deaf",
    "engine_address",
    "find_image",
    "troubles",
]

T = TypeVar("T")

# Source: docker-py, `docker.constants.DEFAULT_UNIX_SOCKET`.
DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
#: How long the engine may take to answer anything but a pull.
ANSWER_S = 60

WAYS_OUT = (
    "Three ways out: start Docker (`systemctl start docker`, or point DOCKER_HOST to an engine; "
    "`docker info` must answer); or leave Docker out and have code run in the sandbox, which needs "
    "no daemon (use_docker unset, or SandboxCommandLineCodeExecutor; apt-get install bubblewrap); "
    "or run code without a wall (use_docker=False, or LocalCommandLineCodeExecutor)."
)


def connect() -> DockerClient:
    """A client of the engine that DOCKER_HOST names, else of this machine's.

    Raises:
        NoWallError: The SDK is missing, or no engine answers.
    """
    if importlib.util.find_spec("docker") is None:
        raise NoWallError(
            "Code in Docker needs the extra 'docker': run pip install -e \".[docker]\" in the "
            f"clone of this package. {WAYS_OUT}"
        )
    address = engine_address()
    if trouble := deaf(address):
        raise NoWallError(f"The Docker engine at {address} does not answer ({trouble}). {WAYS_OUT}")
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    client: DockerClient | None = None
    try:
        client = docker.from_env(timeout=ANSWER_S)
        client.ping()
    except (DockerException, RequestException) as error:
        if client is not None:
            client.close()
        raise NoWallError(
            f"The Docker engine at {address} does not answer ({said(error)}). {WAYS_OUT}"
        ) from error
    return client


def engine_address() -> str:
    """Where the engine is."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_ADDRESS


def deaf(address: str) -> str | None:
    """Why nobody listens at `address`; None if somebody does, or only the SDK can tell.

    The SDK leaks a socket where nobody does, and takes a while to load.
    """
    if hasattr(socket, "AF_UNIX") and address.startswith("unix://"):
        try:
            with socket.socket(socket.AF_UNIX) as trial:
                trial.connect(address.removeprefix("unix://"))
        except OSError as error:
            return error.strerror or str(error)
    return None


@contextmanager
def troubles(doing: str) -> Iterator[None]:
    """Turn what the SDK raises into an `ExecutionError` that says what was being done."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise ExecutionError(f"Docker could not {doing}: {said(error)}.") from error


def said(error: Exception) -> str:
    """The engine's own words, without what the SDK wraps around them."""
    text = str(getattr(error, "explanation", None) or error)
    return " ".join(text.split())[:600].rstrip(".")


def find_image(client: DockerClient, names: Sequence[str], token: CancelToken) -> Image:
    """The first of `names` that is here, else the first that can be pulled.

    Raises:
        NoWallError: None is here and none could be pulled.
        RunCancelled: The run was cancelled meanwhile.
    """
    from docker.errors import ImageNotFound

    with troubles("look for its images"):
        for name in names:
            try:
                return client.images.get(name)
            except ImageNotFound:
                continue
    reasons = []
    for name in names:
        transient("progress", {"text": f"pulling the image {name} ..."})
        if reason := pull(client, name, token):
            reasons.append(f"{name!r}: {reason}")
            continue
        with troubles(f"find the image {name!r} that it pulled"):
            return client.images.get(name)
    raise NoWallError(
        f"The image is not on the Docker engine and could not be pulled ({'; '.join(reasons)}). "
        f"Fetch it with `docker pull {names[0]}`, build it with `docker build -t {names[0]} .`, or "
        "name one that `docker images` lists."
    )


def pull(client: DockerClient, name: str, token: CancelToken) -> str | None:
    """Fetch an image; None if that worked, else why it did not."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    def work() -> str | None:
        try:
            for message in client.api.pull(name, stream=True, decode=True):
                if "error" in message:
                    return str(message["error"])
        except (DockerException, RequestException) as error:
            return said(error)
        return None

    return unless_cancelled(work, token)


def build_image(
    client: DockerClient,
    dockerfile: bytes,
    token: CancelToken,
    *,
    what: str = "The Dockerfile in the work_dir",
) -> Image:
    """The image that a Dockerfile describes, built once for each text; it can copy no files.

    Raises:
        ExecutionError: It cannot be built.
        RunCancelled: The run was cancelled meanwhile.
    """
    from docker.errors import DockerException, ImageNotFound
    from requests.exceptions import RequestException

    tag = f"autogen-work-dir:{hashlib.sha256(dockerfile).hexdigest()[:32]}"
    with troubles("look for its images"):
        try:
            return client.images.get(tag)
        except ImageNotFound:
            transient("progress", {"text": "building the image of the Dockerfile ..."})

    def work() -> str | None:
        try:
            for message in client.api.build(
                fileobj=io.BytesIO(dockerfile), tag=tag, rm=True, forcerm=True, decode=True
            ):
                if "error" in message:
                    return str(message["error"])
        except (DockerException, RequestException) as error:
            return said(error)
        return None

    if reason := unless_cancelled(work, token):
        raise ExecutionError(f"{what} could not be built: {reason}")
    with troubles("find the image that it built"):
        return client.images.get(tag)


def unless_cancelled(work: Callable[[], T], token: CancelToken) -> T:
    """What `work` gives; whoever cancels does not wait for it to finish.

    Raises:
        RunCancelled: The token fired first; `work` goes on unheard.
    """
    done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised again below
            done.put((None, error))

    with token.listen(lambda: done.put((None, RunCancelled()))):
        threading.Thread(target=run, name="autogen-docker", daemon=True).start()
        value, error = done.get()
    if error is not None:
        raise error
    found: T = value
    return found


def caller_ids(client: DockerClient, work_dir: str) -> tuple[int, int]:
    """User and group that code runs as, so that its files belong to the owner of the work_dir."""
    with troubles("say how it runs"):
        rootless = "name=rootless" in (client.info().get("SecurityOptions") or ())
    if rootless:
        # Such an engine runs as the caller, who is root inside.
        return 0, 0
    if not hasattr(os, "geteuid"):
        return 1000, 1000
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    state = os.stat(work_dir)
    return state.st_uid, state.st_gid
