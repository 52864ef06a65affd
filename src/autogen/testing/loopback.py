"""`LoopbackLLM`: a model server on this machine that answers what the test wrote down.

It speaks OpenAI's interface over real HTTP, fast enough to measure clients against, and can fail in
every way that a service or a network can.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from ..errors import UsageError
from .exchange import Reply, Request, reply_of
from .faults import answer, plain
from .http1 import Act, Connection, Listener
from .script import Script, ScriptError, Strict, UnexpectedCall, told
from .wire import dumped, embeddings, error, model, models

__all__ = ["LoopbackLLM"]

_HOST = "127.0.0.1"
_NAME = "scripted"
_REST = "*"
_START_S = 10.0
_BACKLOG = 1024
_CLOSING_TURNS = 10
_AZURE = re.compile(r"/openai/deployments/[^/]+/chat/completions")
# The official client and others do not try again when told so.
_FINAL = {"x-should-retry": "false"}


class LoopbackLLM(Strict):
    """A scripted, OpenAI-compatible server in a thread of its own.

        with LoopbackLLM(["hello", Reply(status=429, retry_after_s=0), "again"]) as srv:
            agent = AssistantAgent("agent", llm_config=srv.config())

    It serves `POST /v1/chat/completions` (whole and streamed) from the script, at the addresses of
    Azure's deployments too, and `/v1/models`, `/v1/embeddings` and `/health` without one. A call
    that the script does not know is answered with status 500 and raises `UnexpectedCall` at the
    end of the `with` block or in `assert_done()`; replies that are left raise `UnusedReplies`
    there.

    Args:
        script: A list of replies, a function that is called with each `Request` and gives one, or a
            dict of either for each model, "*" for all others. A reply is a `Reply`, text, a message
            dict, `call(...)`, `calls(...)`, an HTTP status, or None (an empty answer). Functions
            run in the server's thread: to be slow, give `Reply(delay_s=...)`.
        port: 0 for any that is free.
        keep: Requests that are kept, the newest ones; None for all, 0 for none.

    Attributes:
        requests: What was asked, in order, health checks included.
    """

    def __init__(
        self,
        script: Iterable[Any] | Callable[[Request], Any] | Mapping[str, Any],
        *,
        port: int = 0,
        keep: int | None = None,
    ):
        by_model = script if isinstance(script, Mapping) else {_REST: script}
        self._scripts = {
            name: Script(items, owner=_owner(name)) for name, items in by_model.items()
        }
        # For calls that no script of the above takes.
        self._script = Script([], owner="LoopbackLLM")
        self._port = port
        self._keep = keep
        self._listener = _Endpoints(self)
        self._thread: threading.Thread | None = None
        self._stopped: Callable[[], object] = lambda: None
        self.requests: list[Request] = []

    @property
    def base_url(self) -> str:
        """Where clients find it, `/v1` included.

        Raises:
            UsageError: It is not running.
        """
        if self._thread is None:
            raise UsageError("LoopbackLLM is not running; use it in a `with` block, or start() it.")
        return f"http://{_HOST}:{self._port}/v1"

    @property
    def max_in_flight(self) -> int:
        """The most requests that were being answered at one time."""
        return self._listener.max_in_flight

    @property
    def cancelled(self) -> int:
        """Clients that went away before their answer was complete."""
        return self._listener.cancelled

    @property
    def n_connections(self) -> int:
        """Connections that clients opened."""
        return self._listener.n_connections

    def config(self, model: str = _NAME, /, **more: Any) -> dict[str, Any]:
        """An `llm_config` whose one entry is this server; its tokens cost nothing.

        Args:
            model: Name of the model.
            more: Further keys of the `llm_config`.
        """
        entry = {
            "model": model,
            "api_key": "loopback",
            "base_url": self.base_url,
            "price": [0.0, 0.0],
        }
        return {"config_list": [entry], **more}

    def assert_done(self) -> None:
        """Pass if the script was played exactly.

        Raises:
            UnexpectedCall: A call was not in the script, or a function of the script failed.
            UnusedReplies: Replies are left.
        """
        failed: list[ScriptError] = []
        for script in (self._script, *self._scripts.values()):
            try:
                script.assert_done()
            except ScriptError as error:
                failed.append(error)
        if failed:
            unexpected = [e for e in failed if isinstance(e, UnexpectedCall)]
            raise type((unexpected or failed)[0])("\n".join(map(str, failed)))

    # ---------------------------------------------------------------------------------------- life

    def start(self) -> Self:
        """Begin to serve.

        Raises:
            OSError: The port is taken.
        """
        if self._thread is not None:
            raise UsageError("LoopbackLLM is running already.")
        listening = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
        self._port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening, ready)),
            name="autogen-loopback",
            daemon=True,
        )
        self._thread.start()
        if not ready.wait(_START_S):
            raise RuntimeError(f"LoopbackLLM did not start within {_START_S:g} seconds.")
        return self

    def stop(self) -> None:
        """Stop serving; connections that are open are cut. Again is no harm."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped()
            thread.join(_START_S)

    async def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stopped = lambda: loop.call_soon_threadsafe(stopped.set)
        server = await loop.create_server(lambda: Connection(self._listener), sock=listening)
        ready.set()
        await stopped.wait()
        server.close()
        # Sockets are closed some turns of the loop after they are cut, and a client may have come
        # in through the closing door.
        for _ in range(_CLOSING_TURNS):
            for connection in list(self._listener.connections):
                connection.abort()
            await asyncio.sleep(0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.stop()
        super().__exit__(kind, error, trace)

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await asyncio.to_thread(self.stop)
        super().__exit__(kind, error, trace)

    # ----------------------------------------------------------------------- in the server's thread

    def _record(self, request: Request) -> None:
        if self._keep == 0:
            return
        self.requests.append(request)
        if self._keep is not None:
            del self.requests[: -self._keep]

    def _reply(self, request: Request) -> Reply:
        """What the script says. A script that fails says so to both sides."""
        script = self._scripts.get(request.model) or self._scripts.get(_REST) or self._script
        try:
            return reply_of(script.take(request, lambda: _about(request)))
        except UnexpectedCall as unexpected:
            said = str(unexpected)
        except BaseException as failed:  # noqa: BLE001 the thread lives on, the test is told
            return self._failed(request, f"the script failed with {failed!r}")
        return Reply(status=500, error=said, headers=_FINAL)

    def _failed(self, request: Request, why: str) -> Reply:
        """The answer to a call that the script could not answer; the test is told at the end."""
        said = f"{why} at a call about:\n{_about(request)}"
        self._script.report(said)
        return Reply(status=500, error=said, headers=_FINAL)

    def __repr__(self) -> str:
        where = f"port {self._port}" if self._thread is not None else "not running"
        return f"LoopbackLLM({where})"


def _owner(name: str) -> str:
    return "LoopbackLLM" if name == _REST else f"LoopbackLLM for model {name!r}"


def _about(request: Request) -> str:
    return f"  model {request.model!r}\n{told(request.messages)}"


class _Endpoints(Listener):
    """The paths of the server."""

    def __init__(self, server: LoopbackLLM):
        super().__init__()
        self._server = server

    def refusal(self, reason: str) -> bytes:
        return plain(error(400, reason), status=400, headers={"connection": "close"})

    def acts(self, request: Request) -> Sequence[Act]:
        self._server._record(request)
        try:
            return self._routed(request)
        except (ValueError, RecursionError) as bad:
            return [plain(error(400, f"the request is not usable: {bad}"), status=400)]

    def _routed(self, request: Request) -> Sequence[Act]:
        path = request.path
        if request.method == "POST":
            if not isinstance(request.json, dict):
                raise ValueError("the body is not a JSON object")
            if path == "/v1/chat/completions" or _AZURE.fullmatch(path):
                return self._chat(request)
            if path == "/v1/embeddings":
                return [plain(embeddings(request))]
        elif request.method == "GET":
            if path == "/health":
                return [plain(dumped({"status": "ok"}))]
            if path == "/v1/models":
                names = [n for n in self._server._scripts if n != _REST]
                return [plain(models(names or [_NAME]))]
            if path.startswith("/v1/models/"):
                return [plain(model(path.removeprefix("/v1/models/")))]
        return [plain(error(404, f"nothing is at {request.method} {path}"), status=404)]

    def _chat(self, request: Request) -> Sequence[Act]:
        if not request.messages or not all(isinstance(m, dict) for m in request.messages):
            raise ValueError("'messages' must be a list of messages, and not empty")
        reply = self._server._reply(request)
        try:
            return answer(request, reply)
        except (AttributeError, KeyError, TypeError, ValueError) as failed:
            why = f"what the script says has no form on the wire ({failed!r}): {reply!r}"
            return answer(request, self._server._failed(request, why))
