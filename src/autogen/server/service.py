"""`Service`: the HTTP server with its own worker, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn

from ..coding.policy import CodePolicy
from ..errors import UsageError
from ..runtime.folder import find_teams
from ..runtime.runtime import Runtime
from ..runtime.teams import teams
from ..runtime.worker import Worker
from .api import application
from .common import Parts
from .credentials import Bearers, Credentials
from .crowd import Crowd, room
from .feed import Feed, Mark
from .guard import LOOPBACK_NAMES
from .impatient import Impatient, Seldom

__all__ = ["Service"]

#: How long requests under way may take when the server ends.
_GRACE_S = 3

#: The longest head of a request that is waited for.
_MOST_HEAD = 64 * 1024

_SELDOM = Seldom()


class Service:
    """Serves the runs of a database.

    On loopback whoever has the token may do everything; keys and JWTs work as well. Elsewhere
    there is no token, and the server starts only where keys or JWTs tell callers apart.

    Args:
        database: As `Runtime` takes it.
        teams_in: A folder with teams; None for those this process knows.
        host: The address to listen at.
        port: 0 for any that is free.
        token: What callers on loopback have to show; None for a random one.
        is_worker: Whether runs are executed here as well.
        allowed_hosts: The names that requests may give the server, beside those of loopback where
            it listens there: `Host` has to be one of them.
        jwt: What checks JWTs; None for nobody.
        allow_unwalled: Whether the code of teams may run without a wall, if they say so.
        per_caller: How many requests and streams each caller may have at once; None for half of
            what the server serves. The token of loopback may have all.

    Raises:
        UsageError: There is nothing that tells callers apart, the port is taken, or there are no
            teams.
        JournalError: The database cannot be used.
    """

    def __init__(
        self,
        database: str | None = None,
        *,
        teams_in: str | Path | None = None,
        host: str = "127.0.0.1",
        port: int = 8000,
        token: str | None = None,
        is_worker: bool = True,
        allowed_hosts: Collection[str] = (),
        jwt: Bearers | None = None,
        allow_unwalled: bool = False,
        per_caller: int | None = None,
    ):
        is_local = host in LOOPBACK_NAMES
        if teams_in is not None:
            find_teams(teams_in)
        self.token = (token or secrets.token_urlsafe(32)) if is_local else None
        self._socket: socket.socket | None = None
        self._feed = Feed(self._marks)
        self._runtime: Runtime | None = None
        self._worker: Worker | None = None
        try:
            self._runtime = Runtime(database)
            if not is_local and jwt is None and not self._runtime.keys.is_any():
                raise UsageError(
                    f"the host {host!r} can be reached from elsewhere, and nothing tells callers "
                    "apart; make a key with `autogen keys add NAME --scope runs:write`, or use "
                    "'127.0.0.1'."
                )
            if not is_local and not allowed_hosts:
                raise UsageError(
                    f"the host {host!r} can be reached under names that are not known here; name "
                    "them with --allowed-host (allowed_hosts=), so that pages of others can't "
                    "reach it."
                )
            self._socket = _bound(host, port)
            policy = CodePolicy(network="none", is_walled=not allow_unwalled)
            # Also where another process executes the run.
            self._runtime.policy = policy
            self._worker = None
            if is_worker:
                self._worker = self._runtime.worker(is_eager=True, policy=policy)
        except BaseException:
            self.close()
            raise
        self._runtime.on_change(self._feed.changed)
        self._runtime.on_status(self._feed.status_changed)
        self._runtime.on_event(self._feed.heard)
        parts = Parts(
            runtime=self._runtime,
            teams=teams(),
            feed=self._feed,
            credentials=Credentials(
                self.token,
                keys=self._runtime.keys,
                bearers=jwt,
                open_budget=self._open_budget,
            ),
        )
        most, waiting = room()
        names = {*allowed_hosts, *(LOOPBACK_NAMES if is_local else ())}
        #: The FastAPI application; routes that are added to it stand behind the same guard.
        self.app = application(parts, names=names, most_each=per_caller or most // 2)
        self._server = _Server(
            uvicorn.Config(
                self.app,
                access_log=False,
                # The logging of the program is its own affair.
                log_config=None,
                log_level="warning",
                server_header=False,
                lifespan="on",
                # The other implementation that uvicorn takes where it is installed has no limits.
                http=cast("Any", partial(Impatient, crowd=Crowd(most))),
                ws="none",
                backlog=waiting,
                proxy_headers=False,
                h11_max_incomplete_event_size=_MOST_HEAD,
                timeout_graceful_shutdown=_GRACE_S,
            ),
            self._feed,
        )

    @property
    def runtime(self) -> Runtime:
        """The runs that are served."""
        assert self._runtime is not None
        return self._runtime

    def _marks(self, run_ids: list[str]) -> Mapping[str, Mark]:
        assert self._runtime is not None
        return self._runtime.marks(run_ids)

    def _open_budget(self, name: str, usd: float | None) -> bool:
        runtime = self.runtime
        is_there = bool(runtime.budgets([name]))
        if not is_there and usd is not None:
            runtime.budget(name, usd=usd)
        return is_there or usd is not None

    @property
    def url(self) -> str:
        """Where the server answers."""
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, *, when_ready: Callable[[], Any] | None = None) -> None:
        """Serve until SIGINT or SIGTERM, or `stop`. Runs under way go on with the next worker."""
        try:
            if self._worker is not None:
                self._worker.start()
            self._server.when_ready = when_ready
            assert self._socket is not None
            logging.getLogger("uvicorn.error").addFilter(_SELDOM)
            self._server.run(sockets=[self._socket])
        finally:
            logging.getLogger("uvicorn.error").removeFilter(_SELDOM)
            self.close()

    def stop(self) -> None:
        """Have `run` return; may be called from any thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Let go of the port and the database."""
        if self._socket is not None:
            self._socket.close()
        if self._worker is not None:
            self._worker.stop()
        if self._runtime is not None:
            self._runtime.close()


class _Server(uvicorn.Server):
    """Ends the streams before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, feed: Feed):
        super().__init__(config)
        self._feed = feed
        self.when_ready: Callable[[], Any] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal again when all is over, which makes an error of the end.
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.when_ready is not None:
            await asyncio.to_thread(self.when_ready)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._feed.close()
        await super().shutdown(sockets=sockets)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise UsageError(
            f"port {port} of {host} cannot be used ({error.strerror}); choose another one with "
            "--port, or 0 for any that is free."
        ) from error
    return made
