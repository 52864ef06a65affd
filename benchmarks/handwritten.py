"""The same workloads as a person would write them without any framework: the yardstick."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.texts import OPENING, SYSTEM, next_text

Go = Callable[[], Any]

_TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Do something with two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


async def _complete(session: Any, url: str, messages: list[Any], tools: Any = None) -> Any:
    body = {"model": "gpt-4o-mini", "messages": messages}
    if tools:
        body["tools"] = tools
    async with session.post(f"{url}/chat/completions", json=body) as response:
        return json.loads(await response.read())["choices"][0]["message"]


def _session() -> Any:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"authorization": "Bearer sk-bench"}
    )


def _histories() -> tuple[list[Any], list[Any]]:
    system = {"role": "system", "content": SYSTEM}
    mine = [system, {"role": "assistant", "content": OPENING}]
    return mine, [system, {"role": "user", "content": OPENING}]


async def _talk(complete: Callable[[list[Any]], Any], turns: int) -> None:
    other, me = _histories()
    for _ in range(turns):
        text = (await complete(me))["content"]
        me.append({"role": "assistant", "content": text})
        other.append({"role": "user", "content": text})
        me, other = other, me


def chat(url: str, turns: int) -> Go:
    async def go() -> None:
        async with _session() as session:
            await _talk(lambda m: _complete(session, f"{url}/chat/0/0/v1", m), turns)

    return lambda: asyncio.run(go())


def inproc(url: str, turns: int) -> Go:
    def go() -> None:
        other, me = _histories()
        for _ in range(turns):
            text = next_text()
            me.append({"role": "assistant", "content": text})
            other.append({"role": "user", "content": text})
            me, other = other, me

    return go


def durable(url: str, turns: int) -> Go:
    """Each answer is committed to SQLite before it is used."""

    def go() -> None:
        with tempfile.TemporaryDirectory() as folder:
            database = sqlite3.connect(f"{folder}/runs.db", isolation_level=None)
            database.execute("pragma journal_mode=wal")
            database.execute("pragma synchronous=normal")
            database.execute("create table steps (n integer primary key, answer text)")

            async def complete(messages: list[Any]) -> dict[str, Any]:
                answer = {"role": "assistant", "content": next_text()}
                database.execute("insert into steps (answer) values (?)", (json.dumps(answer),))
                return answer

            asyncio.run(_talk(complete, turns))
            database.close()

    return go


def retold(url: str, turns: int) -> Go:
    """The answers are read back, and both histories are made of them."""
    folder = tempfile.mkdtemp(prefix="autogen-bench-")
    path = f"{folder}/runs.db"
    with sqlite3.connect(path) as database:
        database.execute("create table steps (n integer primary key, answer text)")
        rows = [(json.dumps({"content": next_text()}),) for _ in range(turns)]
        database.executemany("insert into steps (answer) values (?)", rows)

    def go() -> None:
        found = sqlite3.connect(path).execute("select answer from steps order by n").fetchall()
        answers = iter(found)

        async def complete(messages: list[Any]) -> Any:
            return json.loads(next(answers)[0])

        asyncio.run(_talk(complete, turns))

    return go


def group(url: str, agents: int, messages: int = 200) -> Go:
    def go() -> None:
        log = [{"role": "user", "content": OPENING, "name": "agent0"}]
        for i in range(messages):
            log.append({"role": "user", "content": next_text(), "name": f"agent{i % agents}"})

    return go


def many(url: str, chats: int) -> Go:
    async def go() -> None:
        async with _session() as session:
            base = f"{url}/chat/0/50/v1"
            await asyncio.gather(
                *(_talk(lambda m: _complete(session, base, m), 5) for _ in range(chats))
            )

    return lambda: asyncio.run(go())


def _tool_loop(url: str, kind: str, calls: int, run: Callable[[list[Any]], list[str]]) -> Go:
    async def go() -> None:
        messages: list[Any] = [{"role": "user", "content": OPENING}]
        async with _session() as session:
            while True:
                answer = await _complete(session, f"{url}/{kind}/{calls}/0/v1", messages, [_TOOL])
                messages.append(answer)
                asked = answer.get("tool_calls")
                if not asked:
                    return
                for call, result in zip(asked, run(asked), strict=True):
                    messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})

    return lambda: asyncio.run(go())


def _added(call: Any) -> str:
    arguments = json.loads(call["function"]["arguments"])
    return str(arguments["a"] + arguments["b"])


def tools(url: str, calls: int) -> Go:
    return _tool_loop(url, "tools", calls, lambda asked: [_added(c) for c in asked])


def parallel_tools(url: str, calls: int) -> Go:
    def slow(call: Any) -> str:
        time.sleep(0.05)
        return _added(call)

    pool = ThreadPoolExecutor(calls)
    return _tool_loop(url, "many", calls, lambda asked: list(pool.map(slow, asked)))


class _Agent:
    __slots__ = ("messages", "name")

    def __init__(self, name: str):
        self.name = name
        self.messages = [{"role": "system", "content": SYSTEM}]


def construct(url: str, agents: int) -> Go:
    kept: list[Any] = []
    return lambda: kept.extend(_Agent(f"agent{i}") for i in range(agents))


def code(url: str, blocks: int, text: str = "print(1)") -> Go:
    """A bare `python file.py` for each block."""
    path = os.path.join(tempfile.mkdtemp(prefix="bench-code-"), "block.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)

    def go() -> None:
        for _ in range(blocks):
            done = subprocess.run([sys.executable, path], capture_output=True, check=True)
            assert done.stdout == b"1\n"

    return go


code_cold = code_first = code


def code_numpy(url: str, blocks: int) -> Go:
    """A bare `python file.py` that imports numpy, for each block."""
    return code(url, blocks, "import numpy\nprint(1)")
