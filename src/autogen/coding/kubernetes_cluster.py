"""A Kubernetes cluster: reached through the `kubernetes` client, or refused with what to do.

The client is asynchronous and lives in a daemon thread of its own, with all its connections; the
rest of the package calls it from outside. It is imported inside functions only: it is an extra, and
slow to load.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import json
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from .._kernel.cancel import CancelToken
from ..errors import ExecutionError, NoWallError, RunCancelled, UsageError

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration, CoreV1Api

__all__ = ["Cluster", "Refused"]

T = TypeVar("T")

#: How long the API server may take for one answer.
ANSWER_S = 20.0
#: How long connections may take to close.
END_S = 2.0

WAYS_OUT = (
    "Three ways out: name a cluster that answers (kube_config_file=, KUBECONFIG, or run in a pod "
    "with a service account; `kubectl get pods` must work); or have code run in the sandbox of "
    "this machine (SandboxCommandLineCodeExecutor); or in Docker (DockerCommandLineCodeExecutor)."
)


class Refused(ExecutionError):
    """The API server said no; `status` is the HTTP status, `reason` its word for it."""

    def __init__(self, message: str, *, status: int, reason: str):
        super().__init__(message)
        self.status, self.reason = status, reason


class Cluster:
    """A connection to the API server, in a thread of its own, until `close`.

    Args:
        config_file: A kubeconfig; None for the usual one, else the pod's own account.

    Raises:
        NoWallError: The client is missing, or there is no cluster to be found.
    """

    def __init__(self, config_file: str | None):
        if importlib.util.find_spec("kubernetes") is None:
            raise NoWallError(
                "Code in Kubernetes needs the extra 'kubernetes': run pip install -e "
                f'".[kubernetes]" in the clone of this package. {WAYS_OUT}'
            )
        self._pid = os.getpid()
        self._closed = False
        # In a context of its own: a loop keeps the one that it was made in, a whole chat here.
        self.loop = Context().run(asyncio.new_event_loop)
        self.loop.set_default_executor(_Threads(max_workers=1))
        self._thread = threading.Thread(target=self._run, name="autogen-kubernetes", daemon=True)
        self._thread.start()
        try:
            self.api: CoreV1Api = self._wait(_connect(config_file), CancelToken())
        except BaseException:
            self._end_thread()
            raise
        self.address = str(self.api.api_client.configuration.host)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    # -- calls -------------------------------------------------------------------------------------

    def ask(
        self,
        doing: str,
        call: Callable[[], Awaitable[T]],
        *,
        token: CancelToken | None = None,
        limit_s: float = ANSWER_S,
    ) -> T:
        """What `call`, made in the thread of the connection, gives.

        Raises:
            Refused: The API server said no.
            NoWallError: It does not answer.
            RunCancelled: `token` fired.
        """

        async def bounded() -> T:
            async with asyncio.timeout(limit_s):
                return await call()

        return self._wait(self._explained(doing, bounded), token or CancelToken())

    async def _explained(self, doing: str, call: Callable[[], Awaitable[T]]) -> T:
        from aiohttp import ClientError, WSServerHandshakeError
        from kubernetes.aio.client.exceptions import ApiException

        try:
            return await call()
        except ApiException as error:
            raise _refused(doing, int(error.status or 0), error.body, error.reason) from error
        except WSServerHandshakeError as error:
            raise _refused(doing, error.status, None, error.message) from error
        except (ClientError, OSError, TimeoutError) as error:
            said = str(error) or "no answer in time"
            raise NoWallError(
                f"The Kubernetes API server at {self.address} does not answer "
                f"({said.rstrip('.')}). {WAYS_OUT}"
            ) from error

    def _wait(self, work: Coroutine[Any, Any, T], token: CancelToken) -> T:
        if self._closed or self._pid != os.getpid():
            work.close()
            raise NoWallError("The connection to the Kubernetes API server is closed.")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            with token.listen(lambda: _cancel(future)):
                return future.result()
        except concurrent.futures.CancelledError:
            raise RunCancelled() from None
        except BaseException:
            future.cancel()
            raise

    @property
    def is_mine(self) -> bool:
        """Whether this is the thread of the connection, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    # -- the end -----------------------------------------------------------------------------------

    def close(self) -> None:
        """End every connection and the thread."""
        if self._closed or self._pid != os.getpid():
            return
        try:
            self._wait(self._shut(), CancelToken())
        finally:
            self._end_thread()

    async def _shut(self) -> None:
        me = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not me]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_S)
        async with asyncio.timeout(END_S):
            await self.api.api_client.close()
        # Transports close their sockets in the next round.
        await asyncio.sleep(0)

    def _end_thread(self) -> None:
        self._closed = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        # The garbage collector may end an executor in any thread, this one too.
        if not self.is_mine:
            self._thread.join(5.0)

    def abandon(self) -> None:
        """In a forked process, where the thread is not: keep the connections from living on here.

        The parent's end would not be seen by the cluster as long as a copy is open.
        """
        null = os.open(os.devnull, os.O_RDWR)
        for fd in self._sockets():
            os.dup2(null, fd)
        os.close(null)
        self._closed = True
        _left_to_parent.append(self)

    def _sockets(self) -> list[int]:
        selector = getattr(self.loop, "_selector", None)
        return [key.fd for key in selector.get_map().values()] if selector else []


def _cancel(future: concurrent.futures.Future[Any]) -> None:
    future.cancel()


#: Connections of the process this one was forked from; never used nor closed here.
_left_to_parent: list[Cluster] = []


async def _connect(config_file: str | None) -> CoreV1Api:
    from kubernetes.aio import client, config

    found = client.Configuration()
    try:
        if config_file is not None:
            if not _is_file(config_file):
                raise UsageError(
                    f"kube_config_file {config_file!r} does not exist; name a kubeconfig, or leave "
                    "it out for the usual one."
                )
            await _load(config_file, found)
        elif _has_usual_config():
            await _load(None, found)
        else:
            load: Any = config.load_incluster_config
            load(client_configuration=found)
    except config.ConfigException as error:
        raise NoWallError(
            f"No Kubernetes cluster is known here ({str(error).rstrip('.')}). {WAYS_OUT}"
        ) from error
    api_client = client.ApiClient(found)
    # Made here, in the thread of its loop.
    api_client.rest_client.pool_manager = api_client.rest_client._create_pool_manager()
    return client.CoreV1Api(api_client)


class _Threads(concurrent.futures.ThreadPoolExecutor):
    """A thread for each call, for names and proxies to be looked up in.

    The usual pool is closed when a program ends, before its pods are deleted.
    """

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        """Call it in a daemon thread."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - raised where the result is taken
                future.set_exception(error)

        threading.Thread(target=work, name="autogen-kubernetes-call", daemon=True).start()
        return future


async def _load(config_file: str | None, into: Configuration) -> None:
    from kubernetes.aio import config

    load: Any = config.load_kube_config
    await load(config_file=_expanded(config_file), client_configuration=into, persist_config=False)


def _expanded(path: str | None) -> str | None:
    return None if path is None else os.path.expanduser(path)


def _is_file(path: str) -> bool:
    return os.path.isfile(os.path.expanduser(path))


def _has_usual_config() -> bool:
    from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION as USUAL

    names = str(USUAL).split(os.pathsep)
    return any(os.path.isfile(os.path.expanduser(name)) for name in names if name)


def _refused(doing: str, status: int, body: Any, reason: str | None) -> Refused:
    """What the API server said, and what to do about it."""
    try:
        said = json.loads(body)
        message, word = str(said.get("message") or ""), str(said.get("reason") or "")
    except (TypeError, ValueError, AttributeError):
        message, word = str(body or ""), ""
    text = " ".join((message or reason or f"status {status}").split())[:600].rstrip(".")
    remedy = {
        401: " Log in anew, or name another kubeconfig with kube_config_file=.",
        403: (
            " The account needs a Role with create, get and delete on pods, and get and create on "
            "pods/exec, in that namespace; or name another namespace= or kube_config_file=."
        ),
    }.get(status, "")
    if status == 404 and "namespaces" in text:
        remedy = " Create it with `kubectl create namespace NAME`, or name another namespace=."
    return Refused(
        f"Kubernetes could not {doing}: {text}.{remedy}", status=status, reason=word or str(reason)
    )
