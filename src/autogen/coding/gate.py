"""The way out of a wall: an HTTP and CONNECT proxy on the host, on a socket from inside.

The runner opens the listening socket in the network of its wall and passes it out before any code
runs, so that code can neither close nor replace it. Each wall has a gate of its own, served by one
daemon thread; every client is hostile. A connection carries one request: nothing that follows it
could slip past the judgement.
"""

from __future__ import annotations

import asyncio
import ipaddress
import queue
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from .egress import USUAL_PORTS, Destination, Egress, Refusal, parse_destination
from .gate_http import (
    HEAD_BYTES,
    Stream,
    body_of,
    exchange,
    head_of,
    read_request,
    refuse,
    tunnel,
)

__all__ = ["PORT", "Contact", "Gate", "Plea"]

#: Where the gate listens inside, on 127.0.0.1.
PORT = 3128

MOST_CONNECTIONS = 64
MOST_CONTACTS = 200
#: How many hosts a block may have a person asked for.
MOST_QUESTIONS = 8
#: How long a connection waits for the answer. One that comes later counts for the next connection.
PARK_S = 900.0
MOST_ADDRESSES = 4
RESOLVE_S = 10.0
CONNECT_S = 10.0
LINGER_S = 2.0
ACCEPT_PAUSE_S = 0.05

URL = re.compile(r"http://([^/?#]*)([/?][\x21\x22\x24-\x7e]*)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Contact:
    """A host that code reached or wanted to; `reason` says why it was refused, None if not."""

    host: str
    port: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Plea:
    """A host that was refused and that a person may allow; `pattern` is what would."""

    pattern: str
    reason: str


class Gate:
    """Serves one listening socket until it is closed.

    Args:
        listener: Taken over.
        egress: What may be reached.
    """

    def __init__(self, listener: socket.socket, egress: Egress):
        self._listener = listener
        self._egress = egress
        self._contacts: queue.SimpleQueue[Contact] = queue.SimpleQueue()
        self._seen: set[Contact] = set()
        self._pleas: queue.SimpleQueue[Plea] = queue.SimpleQueue()
        self._answers: dict[str, asyncio.Future[bool]] = {}
        self._is_asked = False
        self._wake: Callable[[], None] = lambda: None
        # In a context of its own: a loop keeps the one that it was made in, a whole chat here.
        self._loop = Context().run(asyncio.new_event_loop)
        self._stop = asyncio.Event()
        listener.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="autogen-gate", daemon=True)
        self._thread.start()

    # -- for the thread that runs blocks -----------------------------------------------------------

    def begin(self, wake: Callable[[], None], *, is_asked: bool = False) -> None:
        """A block begins: its contacts are reported anew, and `wake` is called at each.

        Args:
            wake: Called from the thread of the gate.
            is_asked: Whether somebody answers `pleas` while this block runs.
        """
        self.end()
        self.contacts()
        self._wake, self._seen = wake, set()
        self._is_asked = is_asked

    def end(self) -> None:
        """The block is over: what still waits for an answer gets none."""
        self._is_asked = False
        answers, self._answers = self._answers, {}
        self.pleas()
        if answers:
            self._soon(_refuse_all, answers)

    def contacts(self) -> list[Contact]:
        """The contacts since the last call, each host, port and reason once per block."""
        found = []
        while not self._contacts.empty():
            found.append(self._contacts.get())
        return found

    def pleas(self) -> list[Plea]:
        """The hosts to ask a person for since the last call, each once per block."""
        found = []
        while not self._pleas.empty():
            found.append(self._pleas.get())
        return found

    def answer(self, plea: Plea, is_allowed: bool) -> None:
        """What the person said. A host that is allowed is so for good."""
        if is_allowed:
            self._egress.allow(plea.pattern)
        future = self._answers.get(plea.pattern)
        if future is not None:
            self._soon(_settle, future, is_allowed)

    def grant(self, pattern: str) -> None:
        """Let a host through that nobody was asked about; it is told of as a contact."""
        self.answer(Plea(pattern, ""), True)
        host, port = split_pattern(pattern)
        self._contacts.put(Contact(host, port, None))
        self._wake()

    def _soon(self, function: Callable[..., None], *args: Any) -> bool:
        """Have the thread of the gate call it; whether there is one."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return False
        return True

    def close(self) -> None:
        """End every connection and the thread."""
        self._wake = lambda: None
        if not self._soon(self._stop.set):
            return
        # The garbage collector may end an executor in any thread, this one too.
        if threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def abandon(self) -> None:
        """In a forked process, where the thread is not: let go of the socket alone."""
        self._listener.close()
        _left_to_parent.append(self._loop)

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._listener.close()
            self._loop.close()

    async def _serve(self) -> None:
        accepting = asyncio.ensure_future(self._accept())
        try:
            await self._stop.wait()
        finally:
            accepting.cancel()
            await asyncio.wait({accepting})
            # Transports that were aborted close their sockets in the next round.
            await asyncio.sleep(0)

    async def _accept(self) -> None:
        # Room is made before a connection is taken: code could use up the descriptors of the host.
        room = asyncio.Semaphore(MOST_CONNECTIONS)
        async with asyncio.TaskGroup() as connections:
            while True:
                await room.acquire()
                try:
                    client, _ = await self._loop.sock_accept(self._listener)
                except OSError:
                    # The client is gone again, or descriptors are short for a moment.
                    room.release()
                    await asyncio.sleep(ACCEPT_PAUSE_S)
                    continue
                task = connections.create_task(self._attend(client))
                task.add_done_callback(lambda done: room.release())

    async def _attend(self, client: socket.socket) -> None:
        """Serve one connection; whatever goes wrong in it ends it and nothing else."""
        try:
            stream = await asyncio.open_connection(sock=client, limit=HEAD_BYTES)
        except OSError:
            client.close()
            return
        _, writer = stream
        try:
            try:
                await self._answer(stream)
            except Refusal as refusal:
                await refuse(stream, refusal)
            writer.close()
            async with asyncio.timeout(LINGER_S):
                await writer.wait_closed()
        except Exception:  # noqa: BLE001 - a hostile client ends its own connection and no other
            return
        finally:
            writer.transport.abort()

    async def _answer(self, client: Stream) -> None:
        method, target, fields = await read_request(client[0])
        if method == b"CONNECT":
            async with self._dialled(parse_destination(target)) as server:
                client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await tunnel(client, server)
            return
        url = URL.fullmatch(target)
        if url is None:
            raise Refusal("only http:// addresses and CONNECT are served here", status=400)
        send_body = body_of(fields)
        destination = parse_destination(url[1], usual_port=80)
        path = url[2] or "/"
        if path[0] != "/":
            path = f"/{path}"
        async with self._dialled(destination) as server:
            head = head_of(method, path, destination, fields)
            await exchange(head, send_body, client, server)

    # -- judging and dialling ----------------------------------------------------------------------

    @asynccontextmanager
    async def _dialled(self, destination: Destination) -> AsyncIterator[Stream]:
        try:
            if len(self._seen) >= MOST_CONTACTS:
                raise Refusal(f"one block may reach {MOST_CONTACTS} hosts and no more")
            await self._ask_about(destination)
            server = await self._reach(destination)
        except Refusal as refusal:
            self._note(Contact(destination.host, destination.port, str(refusal)))
            raise
        self._note(Contact(destination.host, destination.port, None))
        try:
            yield server
        finally:
            server[1].transport.abort()

    async def _ask_about(self, destination: Destination) -> None:
        """Wait until a person has allowed it, where one is asked and may; else go on at once.

        Names are resolved after that: a look-up alone would carry a secret out.
        """
        try:
            self._egress.admit(destination)
        except Refusal as refusal:
            if refusal.pattern is None or not self._is_asked:
                return
            self._note(Contact(destination.host, destination.port, str(refusal)))
            answers = self._answers
            if refusal.pattern not in answers:
                if len(answers) >= MOST_QUESTIONS:
                    return
                answers[refusal.pattern] = self._loop.create_future()
                self._pleas.put(Plea(refusal.pattern, str(refusal)))
                self._wake()
            try:
                async with asyncio.timeout(PARK_S):
                    await asyncio.shield(answers[refusal.pattern])
            except TimeoutError:
                return

    def _note(self, contact: Contact) -> None:
        if contact not in self._seen and len(self._seen) <= MOST_CONTACTS:
            self._seen.add(contact)
            self._contacts.put(contact)
            self._wake()

    async def _reach(self, destination: Destination) -> Stream:
        """A connection to one of the very addresses that were judged."""
        self._egress.admit(destination)
        host, port = destination.host, destination.port
        try:
            async with asyncio.timeout(RESOLVE_S):
                texts = [host] if destination.address else await look_up(host, port)
        except (OSError, UnicodeError, TimeoutError):
            raise Refusal(f"{host} cannot be resolved", status=502) from None
        addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(texts)]
        for address in addresses:
            self._egress.admit_address(destination, address)
        for address in addresses[:MOST_ADDRESSES]:
            try:
                async with asyncio.timeout(CONNECT_S):
                    return await dial(str(address), port)
            except (OSError, TimeoutError):
                continue
        raise Refusal(f"{destination} cannot be reached", status=502)


def split_pattern(pattern: str) -> tuple[str, int]:
    """The host and the port that a pattern allows; of the usual ports the second."""
    host, _, port = pattern.rpartition(":")
    if not port.isdecimal() or (":" in host and not host.endswith("]")):
        host, port = pattern, str(USUAL_PORTS[-1])
    return host.strip("[]"), int(port)


def _settle(future: asyncio.Future[bool], is_allowed: bool) -> None:
    if not future.done():
        future.set_result(is_allowed)


def _refuse_all(answers: dict[str, asyncio.Future[bool]]) -> None:
    for future in answers.values():
        _settle(future, False)


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine resolves it."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(texts: list[str], error: Exception | None) -> None:
        if answer.cancelled():
            return
        if error is None:
            answer.set_result(texts)
        else:
            answer.set_exception(error)

    def work() -> None:
        texts, error = [], None
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            texts = [str(entry[4][0]) for entry in found]
        except (OSError, UnicodeError) as trouble:
            error = trouble
        try:
            loop.call_soon_threadsafe(tell, texts, error)
        except RuntimeError:
            return

    # Not a pool: its threads would hold up the end of the program as long as a name server is mute.
    threading.Thread(target=work, name="autogen-resolve", daemon=True).start()
    return await answer


async def dial(address: str, port: int) -> Stream:
    """A connection to an address."""
    return await asyncio.open_connection(address, port, limit=HEAD_BYTES)


#: Loops of gates that belong to the process this one was forked from; never used nor closed here.
_left_to_parent: list[asyncio.AbstractEventLoop] = []
