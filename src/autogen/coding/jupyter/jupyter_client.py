"""`JupyterClient` and `JupyterKernelClient`: a Jupyter server, over HTTP and WebSocket.

The methods block, as in AutoGen 0.2; what they wait for runs on the I/O thread, so they work inside
a running event loop too. Every cell has a connection of its own: nothing is held open between cells
that a fork, a closed loop or a restarted server could break. What a server sends is taken as
hostile: sizes are bounded, and only answers to the request at hand count.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from ..._kernel import ioloop
from ..._kernel.cancel import CancelToken
from ..._kernel.ops import Call
from ..._kernel.run import current_run, deliver
from ...errors import ExecutionError
from .base import JupyterConnectionInfo, Stoppable
from .cell import Cell, DataItem
from .executor import Failed, take_live, timed_out

__all__ = [
    "JupyterClient",
    "JupyterKernelClient",
    "KernelLost",
    "Refused",
    "ask",
    "end_kernel",
    "on_io",
]

T = TypeVar("T")

#: What may become part of an address.
KERNEL_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
ANSWER_S = 30.0
CONNECT_S = 10.0
#: A kernel collects what is printed in a fifth of a second; more than this ends the connection.
MOST_MESSAGE_BYTES = 256 << 20
MOST_ANSWER_BYTES = 4 << 20
#: How long a cell may take to give in to an interrupt before its kernel is given up.
INTERRUPT_S = 2.0
CANCEL_S = 0.5
#: How long the news that a cell has ended may come after its reply.
IDLE_S = 2.0
ENDINGS = {
    aiohttp.WSMsgType.CLOSE,
    aiohttp.WSMsgType.CLOSING,
    aiohttp.WSMsgType.CLOSED,
    aiohttp.WSMsgType.ERROR,
}
RETRY_S = 0.25
RESTARTED = ("restarting", "autorestarting")

ENDED = (
    "The kernel ended while it ran this block (out of memory, perhaps). "
    "What earlier blocks defined is lost."
)
KEPT = "It was interrupted; what was defined is kept."


class KernelLost(Failed):
    """The kernel is gone, or must be given up; what it held is lost."""

    #: Whether the server starts it anew by itself, under the same id.
    is_restarted = False


class KernelRestarted(KernelLost):
    """The kernel ended, and the server starts it anew."""

    is_restarted = True


class Refused(ExecutionError):
    """The server answered, and said no; `status` is that of HTTP."""

    status = 0


def on_io(work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Await `work(*args)` on the I/O thread; events that it reports are delivered here."""
    leaf = ioloop.start(Call(None, work, args))
    run = current_run()
    try:
        for event in leaf.events():
            if run is not None:
                deliver(run, event)
    except BaseException:
        leaf.cancel()
        raise
    found: T = leaf.result()
    return found


class JupyterClient:
    """Starts and ends kernels of a Jupyter server.

    Args:
        connection_info: Where it is.
    """

    def __init__(self, connection_info: JupyterConnectionInfo):
        self._info = connection_info

    def list_kernel_specs(self) -> dict[str, Any]:
        """The kernels that can be started: their names stand under "kernelspecs"."""
        found: dict[str, Any] = self._ask("GET", "/api/kernelspecs")
        return found

    def list_kernels(self) -> list[dict[str, Any]]:
        """The kernels that run."""
        found: list[dict[str, Any]] = self._ask("GET", "/api/kernels")
        return found

    def start_kernel(self, kernel_spec_name: str) -> str:
        """Start a kernel; its id."""
        kernel = self._ask("POST", "/api/kernels", {"name": kernel_spec_name})
        found = kernel.get("id") if isinstance(kernel, dict) else None
        if not isinstance(found, str) or not KERNEL_ID.fullmatch(found):
            raise ExecutionError(
                f"What answers at {self._info.url} is no Jupyter server: it started no kernel."
            )
        return found

    def delete_kernel(self, kernel_id: str) -> None:
        """End a kernel."""
        self._ask("DELETE", f"/api/kernels/{kernel_id}")

    def restart_kernel(self, kernel_id: str) -> None:
        """End a kernel and start it anew under its id."""
        self._ask("POST", f"/api/kernels/{kernel_id}/restart")

    def interrupt_kernel(self, kernel_id: str) -> None:
        """Interrupt the cell that runs."""
        self._ask("POST", f"/api/kernels/{kernel_id}/interrupt")

    def get_kernel_client(self, kernel_id: str) -> JupyterKernelClient:
        """A client of one kernel that runs."""
        return JupyterKernelClient(self._info, kernel_id)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return on_io(ask, self._info, method, path, body)


@asynccontextmanager
async def session_of(info: JupyterConnectionInfo) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for a few requests in a row.

    Raises:
        ExecutionError: The server cannot be reached.
    """
    headers = {"Authorization": f"token {info.token}"} if info.token else {}
    limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=limits) as session:
            yield session
    except aiohttp.WSServerHandshakeError as error:
        raise refusal(info, error.status, error.message) from error
    except (aiohttp.ClientError, OSError) as error:
        raise ExecutionError(
            f"The Jupyter server at {info.url} does not answer ({error}); "
            "is it running, and are host, port and use_https right?"
        ) from error


def refusal(info: JupyterConnectionInfo, status: int, text: str) -> Refused:
    """What a server that says no amounts to."""
    if status in (401, 403):
        found = Refused(
            f"The Jupyter server at {info.url} refused the token (HTTP {status}); "
            "use the token that it was started with."
        )
    else:
        found = Refused(f"The Jupyter server at {info.url} said HTTP {status}: {text[:500]}")
    found.status = status
    return found


async def ask(
    info: JupyterConnectionInfo, method: str, path: str, body: Any = None, limit_s: float = ANSWER_S
) -> Any:
    """One request of the server's REST interface; its JSON, or None.

    Raises:
        ExecutionError: The server cannot be reached, or says no.
    """
    async with (
        session_of(info) as session,
        asyncio.timeout(limit_s),
        # Redirects lead to a login page, and would take the token elsewhere.
        session.request(method, info.url + path, json=body, allow_redirects=False) as answer,
    ):
        data = b""
        while len(data) < MOST_ANSWER_BYTES and (more := await answer.content.readany()):
            data += more
    if answer.status == 302:
        raise refusal(info, 403, "")
    if answer.status >= 300:
        raise refusal(info, answer.status, said(data))
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        raise ExecutionError(
            f"What answers at {info.url} is no Jupyter server: it sent no JSON."
        ) from None


async def end_kernel(info: JupyterConnectionInfo, kernel_id: str, limit_s: float) -> None:
    """End a kernel, whatever state it is in; where the server is gone, so is the kernel."""
    until_s = time.monotonic() + limit_s
    path = f"/api/kernels/{kernel_id}"
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            await ask(info, "DELETE", path, None, left_s)
        except Refused as error:
            # A server that is just starting it anew cannot end it, and says 500.
            if error.status < 500:
                return
            await asyncio.sleep(RETRY_S)
        except ExecutionError:
            return
        else:
            return


def said(data: bytes) -> str:
    """The server's own words."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    text = found.get("message") if isinstance(found, dict) else None
    return " ".join(str(text or data.decode("utf-8", "replace")).split())


class JupyterKernelClient(Stoppable):
    """Runs cells in one kernel of a server.

    Args:
        connection_info: Where the server is.
        kernel_id: The kernel, which runs.
    """

    #: Something a cell displayed: `mime_type` and `data`.
    DataItem = DataItem

    @dataclass
    class ExecutionResult:
        """What came of a cell.

        Attributes:
            is_ok: Whether it ran to its end without an error.
            output: What it printed, or the error.
            data_items: Pictures and pages it displayed.
        """

        is_ok: bool
        output: str
        data_items: list[DataItem] = field(default_factory=list)

    def __init__(self, connection_info: JupyterConnectionInfo, kernel_id: str):
        self._info = connection_info
        self._kernel_id = kernel_id
        #: The number that the kernel gave to its newest cell; it counts from 1 when started anew.
        self.count = 0

    def stop(self) -> None:
        """Nothing is held between cells; the kernel runs on until `JupyterClient.delete_kernel`."""

    def wait_for_ready(self, timeout_seconds: float | None = None) -> bool:
        """Whether the kernel answers within that time; by default a minute."""
        limit_s = 60.0 if timeout_seconds is None else timeout_seconds

        async def answers() -> bool:
            try:
                async with (
                    asyncio.timeout(limit_s),
                    session_of(self._info) as session,
                    self._channels(session) as socket,
                ):
                    request = message("kernel_info_request", {})
                    await socket.send_json(request)
                    async for found in received(socket, request):
                        if found.get("msg_type") == "kernel_info_reply":
                            return True
            except TimeoutError:
                return False
            return False

        return on_io(answers)

    def execute(self, code: str, timeout_seconds: float | None = None) -> ExecutionResult:
        """Run a cell and wait for its end; by default without a limit.

        A cell that runs out of time is interrupted.

        Raises:
            ExecutionError: The server cannot be reached.
        """
        cell = Cell()
        try:
            self.run_cell(code, cell, CancelToken(), timeout_s=timeout_seconds)
        except Failed as failure:
            return self.ExecutionResult(is_ok=False, output=str(failure))
        if cell.error is not None:
            return self.ExecutionResult(is_ok=False, output=cell.error)
        return self.ExecutionResult(is_ok=True, output=cell.text, data_items=cell.items)

    def run_cell(
        self, code: str, cell: Cell, token: CancelToken, *, timeout_s: float | None = None
    ) -> None:
        """Run a cell and feed `cell` with what it shows.

        Raises:
            KernelLost: The kernel ended, or does not end the cell.
            Failed: It ran out of time, and was interrupted.
            ExecutionError: The server cannot be reached.
        """
        ended = False
        try:
            on_io(self._execute, code, cell, token, timeout_s)
            ended = True
        except (Failed, ExecutionError):
            ended = True
            raise
        finally:
            if not ended:
                # Ctrl-C here, or an error of whoever watches: the cell goes no further either.
                quietly(on_io, ask, self._info, "POST", self._path("interrupt"), None, CANCEL_S)

    def _path(self, act: str) -> str:
        return f"/api/kernels/{self._kernel_id}/{act}"

    @asynccontextmanager
    async def _channels(
        self, session: aiohttp.ClientSession
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        url = self._info.url + self._path("channels")
        async with session.ws_connect(
            url, max_msg_size=MOST_MESSAGE_BYTES, heartbeat=30.0
        ) as socket:
            yield socket

    async def _execute(
        self, code: str, cell: Cell, token: CancelToken, timeout_s: float | None
    ) -> None:
        loop = asyncio.get_running_loop()
        cancelled = asyncio.Event()

        def cancel() -> None:
            loop.call_soon_threadsafe(cancelled.set)

        async with session_of(self._info) as session, self._channels(session) as socket:
            content = {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": False,
            }
            request = message("execute_request", content)
            work = asyncio.ensure_future(self._until_done(socket, request, cell))
            stop = asyncio.ensure_future(cancelled.wait())
            try:
                with token.listen(cancel):
                    await socket.send_json(request)
                    await asyncio.wait(
                        (work, stop), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not work.done():
                        await self._interrupt(work, CANCEL_S if stop.done() else INTERRUPT_S, code)
                await work
            finally:
                await ended(work, stop)

    async def _interrupt(self, work: asyncio.Task[None], limit_s: float, code: str) -> None:
        """End a cell early.

        Raises:
            KernelLost: It does not end.
            Failed: It has.
        """
        until_s = time.monotonic() + limit_s
        try:
            await ask(self._info, "POST", self._path("interrupt"), None, limit_s)
        except (ExecutionError, TimeoutError):
            pass
        await asyncio.wait((work,), timeout=max(0.0, until_s - time.monotonic()))
        if not work.done():
            raise KernelLost(
                f"Timeout waiting for output from code block: {code}\nIt did not react to an "
                "interrupt, so its kernel was ended; what earlier blocks defined is lost."
            )
        work.result()
        raise timed_out(code, KEPT)

    async def _until_done(
        self, socket: aiohttp.ClientWebSocketResponse, request: dict[str, Any], cell: Cell
    ) -> None:
        """Feed the cell until its reply and all its output are there."""
        replied, idle = False, False
        async for found in received(socket, request):
            kind, content = found.get("msg_type"), found.get("content")
            if kind == "status" and isinstance(content, dict):
                state = content.get("execution_state")
                if state in RESTARTED:
                    raise KernelRestarted(ENDED)
                if state == "dead":
                    raise KernelLost(ENDED)
                idle = idle or (state == "idle" and is_answer(found, request))
            elif is_answer(found, request):
                if kind == "execute_input" and isinstance(content, dict):
                    self.count = content.get("execution_count", 0)
                replied = replied or kind == "execute_reply"
                take_live(cell, kind, content)
            if replied and idle:
                return
        raise KernelLost(
            "The connection to the kernel broke while it ran this block. "
            "What earlier blocks defined is lost."
        )


def message(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """A request to a kernel. Source: Jupyter's messaging protocol, version 5.3."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "username": "autogen",
        "session": uuid.uuid4().hex,
        "date": datetime.now(UTC).isoformat(),
        "version": "5.3",
    }
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "buffers": [],
        "channel": "shell",
    }


def is_answer(found: dict[str, Any], request: dict[str, Any]) -> bool:
    """Whether a message answers this request."""
    parent = found.get("parent_header")
    return isinstance(parent, dict) and parent.get("msg_id") == request["header"]["msg_id"]


async def received(
    socket: aiohttp.ClientWebSocketResponse, request: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Messages as they come: answers, and news of the kernel itself; ends with the connection."""
    while True:
        frame = await socket.receive()
        if frame.type in ENDINGS:
            return
        if frame.type != aiohttp.WSMsgType.TEXT:
            continue
        try:
            found = json.loads(frame.data)
        except (ValueError, RecursionError):
            continue
        if not isinstance(found, dict):
            continue
        if found.get("msg_type") == "status" or is_answer(found, request):
            yield found


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def quietly(call: Callable[..., Any], *args: Any) -> None:
    """Call, whatever comes of it: for tidying up behind an error."""
    try:
        call(*args)
    except (ExecutionError, OSError):
        pass
