"""A model server that answers at once, in a process of its own: what is left is the client's cost.

    python -m benchmarks.server        prints its port as JSON, runs until its stdin closes

Paths: /chat/0/<latency_ms>/v1/chat/completions answers text; /tools/<n>/... asks n times for one
call of the tool it is offered, then ends; /many/<n>/... asks for n calls in one message, then ends.
"""

from __future__ import annotations

import asyncio
import json
import sys

_TEXT = "Step %07d: understood. I have checked the last result, please go on with the next step."


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    n_answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + size:
                return
            body = self.buffer[end + 4 : end + 4 + size]
            path = self.buffer[: self.buffer.find(b"\r\n")].split(b" ")[1].decode()
            self.buffer = self.buffer[end + 4 + size :]
            _, kind, n, latency_ms, *_ = path.split("/")
            answer = self._answer(kind, int(n), body)
            if latency_ms == "0":
                self._write(answer)
            else:
                loop = asyncio.get_running_loop()
                loop.call_later(int(latency_ms) / 1000, self._write, answer)

    def _write(self, answer: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(answer) + answer)

    def _answer(self, kind: str, n: int, body: bytes) -> bytes:
        Connection.n_answers += 1
        message: dict[str, object] = {"role": "assistant"}
        if kind == "chat":
            message["content"] = _TEXT % Connection.n_answers
        else:
            request = json.loads(body)
            done = sum(m["role"] == "tool" for m in request["messages"])
            name = request["tools"][0]["function"]["name"]
            if done >= n:
                message["content"] = "TERMINATE"
            else:
                message["content"] = None
                message["tool_calls"] = [
                    {
                        "id": f"call_{done + i}",
                        "type": "function",
                        "function": {"name": name, "arguments": json.dumps({"a": i, "b": 2})},
                    }
                    for i in range(n if kind == "many" else 1)
                ]
        return json.dumps(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o-mini",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": len(body) // 4,
                    "completion_tokens": 20,
                    "total_tokens": 20,
                },
            }
        ).encode()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
