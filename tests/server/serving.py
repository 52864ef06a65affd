"""`Serving`: `autogen serve` in a process of its own, and requests to it over real HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

START_S = 30.0
WAIT_S = 15.0

TEAMS = Path(__file__).parent / "teams"
LIVE_TEAMS = Path(__file__).parent / "live_teams"


@dataclass(frozen=True)
class Answer:
    """What a request got."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def is_problem(self) -> bool:
        """Whether it tells of an error as every error has to be told."""
        return (
            self.headers["Content-Type"] == "application/problem+json"
            and self.json["status"] == self.status
            and bool(self.json["title"])
        )


class Serving:
    """A server of the teams beside this file, or of others, on a free port."""

    def __init__(
        self,
        database: str,
        *arguments: str,
        port: int = 0,
        teams: Path = TEAMS,
        env: dict[str, str] | None = None,
    ):
        command = [sys.executable, "-m", "autogen.cli", "serve", "--teams", str(teams)]
        command += ["--database", database, "--port", str(port), *arguments]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        try:
            self.url = self._after("serving on ")
            self.token = self._after("token: ")
        except BaseException:
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.said.append(line)
                self.lines.put(line)
        self.lines.put("")

    def _after(self, words: str) -> str:
        while line := self.lines.get(timeout=START_S):
            if line.startswith(words):
                return line.removeprefix(words).strip()
        raise AssertionError("".join(self.said))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """As when the power goes."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """As with Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self._end()

    def _end(self) -> int:
        try:
            return self.process.wait(WAIT_S)
        finally:
            self.process.kill()
            self._reading.join()

    # -- requests

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
        token: str | None = "",
    ) -> Answer:
        """Make one request; with the token, unless `token` says otherwise (None: without)."""
        sent = {**self.bearer(token), **(headers or {})}
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")

        async def make() -> Answer:
            timeout = aiohttp.ClientTimeout(total=WAIT_S)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(
                    method,
                    self.url + path,
                    headers=sent,
                    data=io.BytesIO(data) if data is not None else None,
                ) as got,
            ):
                return Answer(got.status, got.headers, await got.text(errors="replace"))

        return asyncio.run(make())

    def bearer(self, token: str | None = "") -> dict[str, str]:
        return {} if token is None else {"Authorization": f"Bearer {token or self.token}"}

    def get(self, path: str) -> Any:
        """The body of an answer that is none of an error."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer.text
        return answer.json

    def pages(self, path: str, *, limit: int, token: str = "") -> list[list[Any]]:
        """The items of a list, each page of them."""
        found: list[list[Any]] = []
        more, mark = f"{path}{'&' if '?' in path else '?'}limit={limit}", ""
        while True:
            answer = self.call("GET", more + mark, token=token)
            assert answer.status == 200, answer.text
            found.append(answer.json["items"])
            if answer.json["next"] is None:
                return found
            mark = f"&cursor={answer.json['next']}"

    def begin(self, team: str, message: str = "hi", **more: Any) -> str:
        """Begin a run; its id."""
        answer = self.call("POST", "/api/v1/runs", {"team": team, "message": message, **more})
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def ended(self, run_id: str) -> Any:
        """The run, once it does not go on by itself."""
        return self.get(f"/api/v1/runs/{run_id}/wait?timeout_s=10")

    async def stream(
        self, session: aiohttp.ClientSession, run_id: str, last: int | None = None
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The names ("message" where they have none) and data of streamed events."""
        headers = {**self.bearer(), "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        url = f"{self.url}/api/v1/runs/{run_id}/events"
        async with session.get(url, headers=headers) as got:
            assert got.status == 200
            assert got.content_type == "text/event-stream"
            fields: dict[str, str] = {}
            async for line in got.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    data = json.loads(fields["data"])
                    assert "id" not in fields or int(fields["id"]) == data["pos"]
                    yield fields.get("event", "message"), data
                    fields = {}
