"""Run the benchmarks and print a table: `python -m benchmarks [--quick] [--classic PYTHON]`.

`--classic PYTHON` adds AutoGen 0.2: an interpreter with `pip install "autogen-agentchat==0.2.40"`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent


class Row(NamedTuple):
    """One line of the table."""

    title: str
    workload: str
    size: int
    unit: str  # what one of `size` is called
    scale: float  # seconds times this is shown
    shown: str  # unit of the figure
    figure: str = "cpu"
    goal: str = ""


ROWS = [
    Row("chat over HTTP, 200 turns", "chat", 199, "turn", 1e3, "ms CPU", goal="<= 1.5x"),
    Row("chat over HTTP, 1,000 turns", "chat", 999, "turn", 1e3, "ms CPU"),
    Row(
        "chat, model in the process, 200 turns", "inproc", 199, "turn", 1e6, "us CPU", goal="<= 30"
    ),
    Row("the same, 1,000 turns", "inproc", 999, "turn", 1e6, "us CPU", goal="<= 30"),
    Row("group of 4, 200 messages", "group", 4, "message", 1e6, "us CPU", goal="<= 40"),
    Row("group of 16", "group", 16, "message", 1e6, "us CPU", goal="<= 40"),
    Row("group of 64", "group", 64, "message", 1e6, "us CPU", goal="<= 40"),
    Row("200 chats at once, 5 turns, 50 ms model", "many", 200, "run", 1, "s", "wall"),
    Row("tool calls over HTTP, 100", "tools", 100, "call", 1e3, "ms CPU", goal="<= 1.5x"),
    Row(
        "20 tools of 50 ms in one message", "parallel_tools", 20, "run", 1e3, "ms", "wall", "<= 100"
    ),
    Row("durable chat on SQLite, 200 turns", "durable", 199, "turn", 1e3, "ms CPU", goal="<= 2.5"),
    Row(
        "the same on Postgres (AUTOGEN_BENCH_POSTGRES)",
        "durable_postgres",
        199,
        "turn",
        1e3,
        "ms CPU",
        goal="<= 3.5",
    ),
    Row("a durable run of 300 steps, told again", "retold", 299, "run", 1, "s", "wall", "< 1"),
    Row("make an agent", "construct", 1000, "agent", 1e6, "us CPU", goal="<= 60"),
    Row("warm code block, walled", "code", 30, "block", 1e3, "ms", "wall", "<= 0.2x"),
    Row(
        "first block of a chat, from a pool", "code_first", 4, "block", 1e3, "ms", "wall", "<= 0.3x"
    ),
    Row("first block of a chat, cold", "code_cold", 8, "block", 1e3, "ms", "wall", "<= 3x"),
    Row("block with numpy, preloaded", "code_numpy", 10, "block", 1e3, "ms", "wall", "<= 0.3x"),
]
MEMORY = [
    ("group of 4", "group", 4, 200, "message", "<= 2"),
    ("group of 64", "group", 64, 200, "message", "<= 2"),
    ("an agent", "construct", 1000, 1000, "agent", "<= 8"),
]
_IMPORTS = {
    "bare python": "pass",
    "import autogen": "import autogen",
    "from autogen import AssistantAgent, UserProxyAgent": (
        "from autogen import AssistantAgent, UserProxyAgent"
    ),
    "import aiohttp": "import aiohttp",
}


def _environment() -> dict[str, str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "NO_PROXY": "*",
    }
    # Without compiled files an import costs three times as much, for everybody.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _worker(python: str, module: str, *args: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-m", "benchmarks.worker", module, *args],
        capture_output=True,
        text=True,
        env=_environment(),
        cwd=ROOT,
    )
    if done.returncode != 0:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr else "failed"}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _per_unit(row: Row, seconds: float) -> float:
    n = {"message": 200, "run": 1}.get(row.unit, row.size)
    return seconds / n * row.scale


def _import_ms(python: str, statement: str) -> float:
    code = (
        f"{statement}\nimport resource\nu = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print((u.ru_utime + u.ru_stime) * 1e3)"
    )
    runs = [
        float(
            subprocess.run(
                [python, "-c", code], capture_output=True, text=True, check=True, env=_environment()
            ).stdout.splitlines()[-1]
        )
        for _ in range(7)
    ]
    return statistics.median(runs)


class Table:
    """Lines that are printed as they are measured."""

    def __init__(self, peers: dict[str, tuple[str, str]], repetitions: int):
        self.peers = peers
        self.repetitions = repetitions
        self.results: dict[str, Any] = {}

    def line(self, row: Row, url: str) -> None:
        """Measure one workload, the peers taking turns, and print its line."""
        runs: dict[str, list[float]] = {name: [] for name in self.peers}
        for _ in range(self.repetitions):
            for name, (python, module) in self.peers.items():
                figures = _worker(python, module, row.workload, url, str(row.size))
                if "error" in figures:
                    print(f"  {name}: {figures['error']}", file=sys.stderr)
                else:
                    runs[name].append(_per_unit(row, figures[row.figure]))
        medians = {name: statistics.median(all_) for name, all_ in runs.items() if all_}
        yardstick = medians.get("hand-written")
        cells = []
        for name in self.peers:
            value = medians.get(name)
            ratio = f" ({value / yardstick:.2f}x)" if value and yardstick else ""
            cells.append("–" if value is None else f"{value:.3g}{ratio}")
        self.results[row.title] = medians
        print(f"| {row.title} | {row.shown} per {row.unit} | {' | '.join(cells)} | {row.goal} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="one run of each instead of five")
    parser.add_argument("--classic", metavar="PYTHON", help="an interpreter with AutoGen 0.2")
    parser.add_argument("--only", metavar="WORD", help="only lines whose workload is WORD")
    args = parser.parse_args()
    peers = {"hand-written": (sys.executable, "handwritten"), "ours": (sys.executable, "package")}
    if args.classic:
        peers["AutoGen 0.2"] = (args.classic, "package")
    table = Table(peers, 1 if args.quick else 5)
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{json.loads(server.stdout.readline())['port']}"
        print(f"| workload | figure | {' | '.join(peers)} | goal |")
        print("|" + "---|" * (len(peers) + 3))
        for row in ROWS:
            if not args.only or row.workload == args.only:
                table.line(row, url)
        for title, workload, size, n, unit, goal in MEMORY:
            if args.only and args.only != workload:
                continue
            found = [
                _worker(python, module, workload, url, str(size), "memory")
                for python, module in peers.values()
            ]
            cells = [f"{f['kib'] / n:.3g}" if "kib" in f else "–" for f in found]
            print(f"| memory of {title} | KiB per {unit} | {' | '.join(cells)} | {goal} |")
        if not args.only or args.only == "import":
            bare = _import_ms(sys.executable, "pass")
            for title, statement in _IMPORTS.items():
                above = _import_ms(sys.executable, statement) - bare
                print(f"| {title} | ms CPU above bare python | – | {above:.3g} | < 50 |")
    finally:
        server.communicate()


if __name__ == "__main__":
    main()
