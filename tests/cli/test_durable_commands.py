"""The commands about durable runs, each as a process of its own, as a person starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autogen.testing import LoopbackLLM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PROGRAM = """
import sys
from autogen import AssistantAgent, UserProxyAgent

entry = {{"model": "m", "api_key": "k", "base_url": {url!r}, "price": [0, 0]}}
llm_config = {{"config_list": [entry]}}
for task in ("one", "two"):
    assistant = AssistantAgent("coder", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False,
                          default_auto_reply="go on")
    result = user.initiate_chat(assistant, message=task, max_turns=3, silent=True)
    print(task, [m["content"] for m in result.chat_history], flush=True)
"""

TEAM = """
schema_version: 1
name: pair
description: Two who talk.
llm: {{model: m, base_url: {url!r}, price: [0, 0]}}
agents:
  - {{name: writer, kind: assistant, human_input_mode: NEVER}}
  - {{name: user, kind: user, human_input_mode: {mode}}}
chat: {{from: user, to: writer, max_turns: 2}}
"""


@pytest.fixture
def autogen(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts `autogen ...` in a folder of its own; `.done(...)` waits for it."""
    started: list[subprocess.Popen[str]] = []
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AUTOGEN_")}
    environment |= {"NO_PROXY": "*", "OPENAI_API_KEY": "k", "COLUMNS": "120"}

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "autogen.cli", *words],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def done(autogen: Callable[..., Any]) -> Callable[..., tuple[int, str, str]]:
    """Runs `autogen ...` to its end: (exit code, stdout, stderr)."""

    def run(*words: str) -> tuple[int, str, str]:
        process = autogen(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run


def test_a_program_that_is_killed_goes_on_with_the_same_id(
    tmp_path: Path, autogen: Callable[..., Any], done: Callable[..., Any]
) -> None:
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        (tmp_path / "job.py").write_text(PROGRAM.format(url=service.base_url))
        process = autogen("run", "job.py", "--id", "job")
        deadline_s = time.monotonic() + 60
        # In the second chat, whose first answer is the fourth call.
        while len(service.requests) < 4 and time.monotonic() < deadline_s:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        n_calls = len(service.requests)
        assert n_calls >= 4
        code, out, err = done("run", "job.py", "--id", "job")
        assert (code, err) == (0, "")
        history = ["answer 2", "go on", "answer 4", "go on", "answer 6"]
        assert out == f"one {['one', *history]}\ntwo {['two', *history]}\n"
        # Six answers are due, and a call in flight at the kill may be made again.
        assert 6 <= len(service.requests) <= 7
        n_calls = len(service.requests)
        assert done("run", "job.py", "--id", "job") == (0, out, "")
        assert len(service.requests) == n_calls
    code, out, _ = done("runs", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [(run["id"], run["status"]) for run in found] == [
        ("job/2", "finished"),
        ("job/1", "finished"),
    ]
    code, out, _ = done("verify", "job/1")
    assert (code, out.split()[0], out.split()[2:4]) == (0, "all", ["events", "are"])


def test_a_program_without_an_id_is_told_one(tmp_path: Path, done: Callable[..., Any]) -> None:
    (tmp_path / "job.py").write_text("import sys; raise ValueError(sys.argv)")
    code, _, err = done("run", "job.py", "--", "--x", "1")
    assert code == 1
    assert "ValueError: ['job.py', '--x', '1']" in err
    assert "To go on: autogen run job.py --id job-" in err


def test_a_worker_runs_what_is_submitted_and_asks_people(
    tmp_path: Path, autogen: Callable[..., Any], done: Callable[..., Any]
) -> None:
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        text = TEAM.format(url=service.base_url, mode="ALWAYS")
        (tmp_path / "pair.team.yaml").write_text(text)
        worker = autogen("worker", "--teams", ".")
        assert "working for pair" in worker.stderr.readline()
        assert done("submit", "pair", "hello", "--id", "talk") == (0, "talk\n", "")
        deadline_s = time.monotonic() + 60
        while not (asked := done("answer")[1]) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        question = asked.split()[0]
        assert done("runs")[1].splitlines()[1].split()[:3] == ["talk", "pair", "waiting"]
        assert done("answer", question, "more", "--by", "anna")[:2] == (
            0,
            f"{question}: answered\n",
        )
        code, _, err = done("answer", question, "again")
        assert code == 1
        assert "was answered by anna before" in err
        code, out, _ = done("submit", "pair", "hello", "--id", "talk", "--wait")
        assert (code, out) == (0, "talk\nanswer 4\n")
        shown = done("show", "talk")[1]
        assert "user -> writer:\nhello" in shown
        assert "talk: finished (max_turns), 1 executions" in shown
        assert done("replay", "talk")[:2] == (0, "all 3 recorded steps are the same\n")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    at = shown.split("] writer -> user:")[0].rsplit("[", 1)[1]
    code, out, _ = done("fork", "talk", "--at", at, "--edit", "EDITED", "--id", "other")
    assert (code, out) == (0, "other\n")
    assert done("cancel", "other")[:2] == (0, "other: is being cancelled\n")
    assert "cancelled" in done("runs", "--status", "cancelled")[1]
    # A run that another one was forked from stays as long as that.
    for _ in range(2):
        assert done("prune", "--older-than", "0s", "--yes")[:2] == (0, "1 run deleted\n")


@pytest.mark.parametrize(
    "words, code, said",
    [
        (("show", "none"), 1, "there is no run 'none'"),
        (("answer", "none", "text"), 1, "there is no question 'none'"),
        (("answer", "none"), 2, "give one answer"),
        (("submit", "pair", "--database", "mysql://x"), 2, "of no known kind"),
        (("prune", "--older-than", "soon"), 2, "give a number and s, m, h or d"),
        (("prune", "--older-than", "30d"), 2, "say --yes to mean it"),
        (("worker", "--teams", "nowhere"), 2, "there is no folder 'nowhere'"),
        (("run", "none", "--teams", "."), 2, "no team has the name 'none'"),
        (("run", "none.team.yaml"), 2, "the team file 'none.team.yaml' cannot be read"),
        (("run", "pair", "--teams", ".", "--model", "m"), 2, "a team brings its own"),
    ],
)
def test_mistakes_are_told(
    done: Callable[..., Any], words: tuple[str, ...], code: int, said: str
) -> None:
    found, _, err = done(*words)
    assert found == code
    assert said in " ".join(err.split())
    assert "Traceback" not in err
