"""The program beside a kernel behind a wall: starts it, and carries cells and their output.

Started by the runner as one long block, `python autogen_bridge.py DOOR`. It connects to the socket
`DOOR`, takes one frame that says what to start, and from then on passes orders in and messages out.
The kernel's own sockets never leave the wall, so the host parses nothing but these frames, and
trusts none of them. On the host nothing imports this file; `kernel.py` is the other end. Inside, a
Python kernel imports it under the name `autogen_bridge`, for `pack`.

A frame is 4 bytes of length (big-endian) and a JSON object.

    host -> bridge   {"do": "execute", "id", "code"}, {"do": "interrupt"}
    bridge -> host   {"op": "ready"}, {"op": "message", "id", "type", "content"},
                     {"op": "done", "id"}, {"op": "dead", "code"}
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import secrets
import signal
import struct
import sys
import tempfile
from asyncio.subprocess import Process
from typing import Any

HEADER = struct.Struct(">I")
START_S = 60.0
#: How long an answer may take before the question is put again.
AGAIN_S = 0.5
#: A message that arrives while another is sent wakes nobody who waits on the same ZeroMQ socket
#: (its descriptor is edge-triggered), so waiting looks again now and then.
RECHECK_S = 0.25
#: How long the news that a cell has ended may come after its reply.
IDLE_S = 2.0
TEXT_CHARS = 65536
MOST_CONTENT_BYTES = 16 << 20
TYPES = ("stream", "execute_result", "display_data", "error")


class Bridge:
    """One kernel and one host."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.client: Any = None
        self.process: Process | None = None
        self.by_message = True
        #: The cell that runs: its number, and its message id.
        self.cell = (0, "")
        self.replied = asyncio.Event()
        self.idle = asyncio.Event()

    async def run(self) -> None:
        """Serve until the host hangs up or the kernel is gone."""
        order = await self.receive()
        connection = connection_file()
        argv = [part.replace("{connection_file}", connection) for part in order["argv"]]
        self.by_message = order["interrupt_mode"] == "message"
        # The kernel loads while this loads what speaks with it.
        self.process = await asyncio.create_subprocess_exec(
            *argv,
            env={**os.environ, **own_variables(), **order["env"]},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        from jupyter_client.asynchronous.client import AsyncKernelClient

        self.client = AsyncKernelClient()
        self.client.load_connection_file(connection)
        self.client.start_channels(stdin=False, hb=False)
        works = [asyncio.ensure_future(work) for work in (self.watch(), self.serve())]
        done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        for work in done:
            work.result()

    async def watch(self) -> None:
        """Wait for the end of the kernel and tell of it."""
        assert self.process is not None
        code = await self.process.wait()
        # What it said last is still on its way.
        await asyncio.sleep(0.1)
        await self.tell(op="dead", code=code)

    async def serve(self) -> None:
        """Say that the kernel is there, then do what the host says."""
        await asyncio.wait_for(self.until_ready(), START_S)
        await self.tell(op="ready")
        works = (self.take_orders(), self.take_output(), self.take_replies())
        tasks = [asyncio.ensure_future(work) for work in works]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def until_ready(self) -> None:
        """Ask until the kernel answers and its output is heard; on a busy machine that takes."""
        heard = asyncio.ensure_future(self.client.get_iopub_msg())
        answered = asyncio.ensure_future(self.next_reply())
        while not (heard.done() and answered.done()):
            self.client.kernel_info()
            await asyncio.wait((heard, answered), timeout=AGAIN_S)

    async def take_orders(self) -> None:
        """Start and interrupt cells; a host that hangs up ends everything."""
        endings = set()
        while True:
            order = await self.receive()
            if order["do"] == "interrupt":
                self.interrupt()
                continue
            self.replied.clear()
            self.idle.clear()
            message = self.client.execute(order["code"], allow_stdin=False, stop_on_error=False)
            self.cell = (order["id"], message)
            ending = asyncio.ensure_future(self.tell_the_end(order["id"]))
            endings.add(ending)
            ending.add_done_callback(endings.discard)

    def interrupt(self) -> None:
        """Interrupt the cell, and the programs it started."""
        if self.by_message:
            channel = self.client.control_channel
            channel.send(self.client.session.msg("interrupt_request", {}))
            return
        assert self.process is not None
        try:
            os.killpg(self.process.pid, signal.SIGINT)
        except ProcessLookupError:
            return

    async def tell_the_end(self, number: int) -> None:
        """Say that a cell has ended when its reply and all its output are there."""
        await self.replied.wait()
        try:
            await asyncio.wait_for(self.idle.wait(), IDLE_S)
        except TimeoutError:
            pass
        await self.tell(op="done", id=number)

    async def take_replies(self) -> None:
        """Notice the reply to the cell that runs."""
        while True:
            message = await self.next_reply()
            if parent_of(message) == self.cell[1]:
                self.replied.set()

    async def next_reply(self) -> dict[str, Any]:
        """The next message of the channel that requests go out by."""
        while True:
            try:
                found: dict[str, Any] = await self.client.get_shell_msg(timeout=RECHECK_S)
            except queue.Empty:
                continue
            return found

    async def take_output(self) -> None:
        """Pass on what the cell that runs shows; others, threads of older ones, are not heard."""
        while True:
            message = await self.client.get_iopub_msg()
            number, cell = self.cell
            if parent_of(message) != cell:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content.get("execution_state") == "idle":
                self.idle.set()
            elif kind == "stream":
                text = str(content.get("text", ""))
                for start in range(0, len(text), TEXT_CHARS):
                    part = {"text": text[start : start + TEXT_CHARS]}
                    await self.tell(op="message", id=number, type=kind, content=part)
            elif kind in TYPES:
                if len(json.dumps(content)) > MOST_CONTENT_BYTES:
                    content = {"too_large": True}
                await self.tell(op="message", id=number, type=kind, content=content)

    async def receive(self) -> dict[str, Any]:
        """The next frame of the host; ends this program when the host is gone."""
        try:
            (length,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            found: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            os._exit(0)
        return found

    async def tell(self, **fields: Any) -> None:
        """Send one frame; waits for a slow reader."""
        body = json.dumps(fields).encode()
        self.writer.write(HEADER.pack(len(body)) + body)
        await self.writer.drain()


def pack(message: Any) -> bytes:
    """A message as the kernel sends it: unlike its own packer this takes lone surrogates too."""
    from jupyter_client.jsonutil import json_default

    return json.dumps(message, default=json_default, allow_nan=False).encode("ascii")


def own_variables() -> dict[str, str]:
    """What lets the kernel end with this program, and find `pack`."""
    folders = (os.environ.get("PYTHONPATH"), os.path.dirname(os.path.abspath(__file__)))
    return {"JPY_PARENT_PID": str(os.getpid()), "PYTHONPATH": ":".join(filter(None, folders))}


def parent_of(message: dict[str, Any]) -> str:
    """The id of the request that a message belongs to."""
    return str(message["parent_header"].get("msg_id", ""))


def connection_file() -> str:
    """Write the file by which kernel and client find each other, in a folder of its own."""
    folder = tempfile.mkdtemp(prefix="kernel-")
    channels = ("shell", "iopub", "stdin", "control", "hb")
    fields: dict[str, Any] = {f"{name}_port": number for number, name in enumerate(channels, 1)}
    fields |= {"transport": "ipc", "ip": f"{folder}/socket", "key": secrets.token_hex(32)}
    fields |= {"signature_scheme": "hmac-sha256"}
    path = f"{folder}/connection.json"
    with open(path, "w", encoding="ascii") as file:
        json.dump(fields, file)
    return path


async def main(door: str) -> None:
    """Connect to the host and serve it."""
    await Bridge(*await asyncio.open_unix_connection(door)).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    # Threads of the messaging library may not end by themselves.
    os._exit(0)
