"""The measures of the server and its worker, each beside the ideal of the same run.

    python -m benchmarks.serving [--quick] [--database postgresql://...]

Latency of a start: from the request to the `run.started` that the worker wrote, as another process
sees it in the database; on Postgres (`--database`) also where server and worker are two processes,
so that the one wakes the other. Throughput: 200 runs of 20 turns at once, beside the time that the
model alone takes. Followers: 1,000 streams of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parent.parent

N_RUNS, N_TURNS = 200, 20

N_FOLLOWERS = 1000

_TEAMS = '''
import autogen
from autogen import ConversableAgent

def make(url, turns):
    config = {{"config_list": [{{"model": "gpt-4o-mini", "api_key": "x", "base_url": url,
                                 "price": [0, 0]}}]}}
    quiet = {{"human_input_mode": "NEVER"}}
    b = ConversableAgent("b", llm_config=config, **quiet)
    a = ConversableAgent("a", default_auto_reply="go on", **quiet)
    return {{"sender": a, "recipient": b, "max_turns": turns}}

@autogen.team("quick")
def quick():
    """One answer at once."""
    return make("{quick}", 1)

@autogen.team("long")
def long():
    """Many answers of a slow model."""
    return make("{slow}", {turns})
'''


@contextmanager
def _process(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, text=True, **options) as process:
        try:
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()


@contextmanager
def _model() -> Iterator[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with _process("-m", "benchmarks.server", **pipes) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"


@contextmanager
def _served(
    database: str, folder: Path, model: str, latency_ms: int, *more: str
) -> Iterator[tuple[str, str]]:
    teams = folder / "teams"
    teams.mkdir(exist_ok=True)
    text = _TEAMS.format(
        quick=f"{model}/chat/0/0/v1", slow=f"{model}/chat/0/{latency_ms}/v1", turns=N_TURNS
    )
    (teams / "bench.py").write_text(text)
    command = ["-m", "autogen.cli", "serve", "--teams", str(teams), "--database", database]
    with _process(*command, "--port", "0", *more, stderr=subprocess.PIPE) as process:
        found: dict[str, str] = {}
        assert process.stderr is not None
        for line in process.stderr:
            for word in ("serving on ", "token: "):
                if line.startswith(word):
                    found[word] = line.removeprefix(word).strip()
            if len(found) == 2:
                break
        # Whatever else it says must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield found["serving on "], found["token: "]


async def _begin(session: aiohttp.ClientSession, team: str) -> str:
    async with session.post("/api/v1/runs", json={"team": team, "message": "hi"}) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def _ended(session: aiohttp.ClientSession, run_id: str) -> dict[str, Any]:
    while True:
        async with session.get(f"/api/v1/runs/{run_id}/wait?timeout_s=60") as answer:
            run: dict[str, Any] = await answer.json()
            if run["status"] not in ("queued", "running", "waiting"):
                return run


class _Starts(threading.Thread):
    """Sees in the database when each run was started."""

    def __init__(self, database: str):
        super().__init__(daemon=True)
        self.database = database
        self.seen: dict[str, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        look, close = self._looking()
        while not self.over.wait(0.0005):
            for (run_id,) in look():
                self.seen.setdefault(run_id, time.perf_counter())
        close()

    def _looking(self) -> tuple[Callable[[], list[Any]], Callable[[], None]]:
        """What tells the newest starts, and what ends it."""
        query = "select run_id from autogen_events where type = 'run.started'"
        if self.database.startswith("sqlite"):
            lite = sqlite3.connect(self.database.removeprefix("sqlite:///"))
            newest = f"{query} order by rowid desc limit 5"
            return lambda: lite.execute(newest).fetchall(), lite.close
        import psycopg

        post = psycopg.connect(self.database, autocommit=True)
        return lambda: post.execute(query).fetchall(), post.close


async def _latencies_ms(url: str, token: str, database: str, n: int) -> list[float]:
    starts = _Starts(database)
    starts.start()
    began: dict[str, float] = {}
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        for _ in range(n):
            at = time.perf_counter()
            run_id = await _begin(session, "quick")
            began[run_id] = at
            await _ended(session, run_id)
    await asyncio.sleep(0.05)
    starts.over.set()
    return [(starts.seen[run_id] - at) * 1000 for run_id, at in began.items()]


async def _durable_s(url: str, token: str) -> float:
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        await _ended(session, await _begin(session, "quick"))
        at = time.perf_counter()
        ids = await asyncio.gather(*(_begin(session, "long") for _ in range(N_RUNS)))
        ends = await asyncio.gather(*(_ended(session, run_id) for run_id in ids))
        assert all(run["stop_reason"] == "max_turns" for run in ends)
        return time.perf_counter() - at


async def _followed(url: str, token: str) -> tuple[float, int]:
    """Seconds from the end of a run until its followers have all of it, and how much is lost."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, min(most, 4096)), most))
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        run_id = await _begin(session, "long")

        async def follow() -> int:
            path, n = f"/api/v1/runs/{run_id}/events", 0
            async with session.get(path, headers={"Accept": "text/event-stream"}) as got:
                assert got.status == 200
                async for line in got.content:
                    if line.startswith(b"id: "):
                        n += 1
                        assert int(line.split()[1]) == n
            return n

        following = asyncio.gather(*(follow() for _ in range(N_FOLLOWERS)))
        await _ended(session, run_id)
        at = time.perf_counter()
        seen = await following
        taken = time.perf_counter() - at
        async with session.get(f"/api/v1/runs/{run_id}/events?limit=1000") as got:
            n_events = len((await got.json())["items"])
    return taken, sum(n_events - n for n in seen)


async def _plain_s(model: str, latency_ms: int) -> float:
    from autogen import ConversableAgent

    url = f"{model}/chat/0/{latency_ms}/v1"
    entry = {"model": "gpt-4o-mini", "api_key": "x", "base_url": url, "price": [0, 0]}
    quiet: Any = {"human_input_mode": "NEVER"}

    async def chat(turns: int) -> None:
        b = ConversableAgent("b", llm_config={"config_list": [entry]}, **quiet)
        a = ConversableAgent("a", default_auto_reply="go on", **quiet)
        result = await a.a_initiate_chat(b, message="hi", max_turns=turns, silent=True)
        assert result.stop_reason == "max_turns"

    await chat(1)
    at = time.perf_counter()
    await asyncio.gather(*(chat(N_TURNS) for _ in range(N_RUNS)))
    return time.perf_counter() - at


_WORKER = ("-m", "autogen.cli", "worker", "--teams")


def _shown(found: list[float]) -> str:
    p50, p95 = statistics.median(found), sorted(found)[int(len(found) * 0.95)]
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--quick", action="store_true", help="fewer starts")
    parser.add_argument("--database", help="for the runs; a new SQLite file unless given")
    args = parser.parse_args()
    n = 30 if args.quick else 200
    with tempfile.TemporaryDirectory() as name, _model() as model:
        folder = Path(name)
        path = folder / "runs.db"
        with _served(f"sqlite:///{path}", folder, model, 1000) as (url, token):
            found = asyncio.run(_latencies_ms(url, token, f"sqlite:///{path}", n))
            print(f"| start of a run, SQLite | {_shown(found)} | p50 <= 15 ms |")
            taken, n_lost = asyncio.run(_followed(url, token))
            print(
                f"| {N_FOLLOWERS:,} followers of a run | {n_lost} events lost, all told "
                f"{taken:.1f} s after its end | 0 |"
            )
        if args.database is not None:
            with _served(args.database, folder, model, 1000) as (url, token):
                found = asyncio.run(_latencies_ms(url, token, args.database, n))
                print(f"| start of a run, Postgres | {_shown(found)} | |")
            with (
                _served(args.database, folder, model, 1000, "--no-worker") as (url, token),
                _process(
                    *(*_WORKER, str(folder / "teams"), "--database", args.database),
                    stderr=subprocess.DEVNULL,
                ),
            ):
                found = asyncio.run(_latencies_ms(url, token, args.database, n))
                print(f"| the same, the worker another process | {_shown(found[1:])} | |")
        with _served(args.database or f"sqlite:///{path}", folder, model, 1000) as (url, token):
            taken = asyncio.run(_durable_s(url, token))
            ratio = taken / N_TURNS
            print(f"| {N_RUNS} durable runs of {N_TURNS} turns, 1 s | {ratio:.2f}x | <= 1.6x |")
        taken = asyncio.run(_plain_s(model, 50))
        ratio = taken / (N_TURNS * 0.05)
        print(f"| {N_RUNS} plain chats of {N_TURNS} turns, 50 ms | {ratio:.2f}x | <= 2.5x |")


if __name__ == "__main__":
    main()
