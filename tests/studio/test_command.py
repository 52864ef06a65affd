"""`autogen studio` and `autogen run PROGRAM.py --studio`, each as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

PATIENCE_S = 30.0

TEAM = """
schema_version: 1
name: pair
description: Two who talk.
llm: {model: m, base_url: "http://127.0.0.1:9/v1", price: [0, 0]}
agents:
  - {name: writer, kind: assistant, human_input_mode: NEVER}
  - {name: user, kind: user, human_input_mode: NEVER}
chat: {from: user, to: writer, max_turns: 2}
"""

PROGRAM = """
from autogen import ConversableAgent

quiet = {"human_input_mode": "NEVER"}
parrot = ConversableAgent("parrot", default_auto_reply="hello yourself", **quiet)
ConversableAgent("user", **quiet).initiate_chat(parrot, message="hello", max_turns=1, silent=True)
print("said", flush=True)
input()
"""

pytestmark = [pytest.mark.timeout(90)]


class Command:
    """`autogen ARGUMENTS` in a folder; what it says is read as it comes."""

    def __init__(self, folder: Path, *arguments: str, **env: str):
        shown = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autogen.cli", *arguments],
            cwd=folder,
            env={**shown, "COLUMNS": "200", **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line_with(self, words: str) -> str:
        """The next line that has `words`."""
        said = ""
        while line := self._lines.get(timeout=PATIENCE_S):
            said += line
            if words in line:
                return line
        raise AssertionError(said)

    def address(self) -> str:
        """The address that it says."""
        return next(word for word in self.line_with("#token=").split() if "#token=" in word)

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reading.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def autogen(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def start(*arguments: str, **env: str) -> Command:
        started.append(Command(tmp_path, *arguments, **env))
        return started[-1]

    yield start
    for command in started:
        command.close()


def ask(address: str, path: str, *, method: str = "GET", body: Any = None) -> Any:
    """What the server of an address answers to whoever has the address."""
    parts = urlsplit(address)
    token = parts.fragment.removeprefix("token=")
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_S)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", data, headers)
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        return json.loads(answer.read())
    finally:
        connection.close()


def names_of_teams(address: str) -> list[str]:
    return [team["name"] for team in ask(address, "/teams")["items"]]


def test_studio_has_teams_to_begin_with_where_a_folder_has_none(autogen):
    studio = autogen("studio", "--no-browser", "--port", "0")
    studio.line_with("no teams in teams/")
    address = studio.address()
    assert names_of_teams(address) == ["demo", "demo-approval", "demo-group"]
    run = ask(address, "/runs", method="POST", body={"team": "demo-group"})
    ended = ask(address, f"/runs/{run['id']}/wait?timeout_s=20")
    assert (ended["status"], ended["stop_reason"]) == ("finished", "termination")
    said = ask(address, f"/runs/{run['id']}/messages")["items"]
    assert said[0]["message"]["content"] == "Why is the sky blue?"
    assert {one["sender"] for one in said} >= {"planner", "writer", "critic"}
    assert studio.interrupt() == 0


@pytest.mark.wall
@pytest.mark.xdist_group("matplotlib")
def test_team_of_the_demo_draws_its_chart_in_the_studio(autogen, tmp_path, require_part):
    address = autogen("studio", "--no-browser", "--port", "0").address()
    run = ask(address, "/runs", method="POST", body={"team": "demo"})
    ended = ask(address, f"/runs/{run['id']}/wait?timeout_s=60")
    said = str(ask(address, f"/runs/{run['id']}/messages"))
    if "index cannot be reached" in said:
        require_part("package index", because="it cannot be reached", do="connect this machine")
    assert ended["stop_reason"] == "termination", said
    assert "KeyError" in said
    assert (tmp_path / "autogen-demo" / "share_price.png").stat().st_size > 10_000


def test_studio_offers_the_teams_of_the_folder_beside_it(autogen, tmp_path):
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "pair.team.yaml").write_text(TEAM, encoding="utf-8")
    assert names_of_teams(autogen("studio", "--no-browser", "--port", "0").address()) == ["pair"]


def test_studio_runs_no_program_that_lies_about(autogen, tmp_path):
    (tmp_path / "program.py").write_text("raise SystemExit('I was run')", encoding="utf-8")
    assert "demo" in names_of_teams(autogen("studio", "--no-browser", "--port", "0").address())


def test_studio_takes_a_free_port_where_its_own_is_taken(autogen):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        except OSError:
            pass  # Somebody else has it, which serves as well.
        address = autogen("studio", "--no-browser").address()
        assert urlsplit(address).port != 8000
        assert names_of_teams(address)


def test_studio_says_that_a_port_that_was_asked_for_is_taken(autogen):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        studio = autogen("studio", "--no-browser", "--port", str(taken.getsockname()[1]))
        studio.line_with("cannot be used")
        assert studio.process.wait(PATIENCE_S) == 2


def test_studio_opens_the_browser_with_the_token(autogen, tmp_path):
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    studio = autogen("studio", "--port", "0", BROWSER=str(browser))
    address = studio.address()
    assert opened.read_text(encoding="utf-8").strip() == address


def test_studio_shows_what_was_run_in_the_folder_before(autogen, tmp_path):
    (tmp_path / "hello.py").write_text(PROGRAM, encoding="utf-8")
    program = autogen("run", "hello.py")
    program.type("\n")
    assert program.process.wait(PATIENCE_S) == 0
    (run,) = ask(autogen("studio", "--no-browser", "--port", "0").address(), "/runs")["items"]
    assert run["id"].startswith("hello-")
    assert run["status"] == "finished"


def test_program_is_shown_by_its_own_process_while_it_runs(autogen, tmp_path):
    (tmp_path / "hello.py").write_text(PROGRAM, encoding="utf-8")
    program = autogen("run", "hello.py", "--id", "hello", "--studio", BROWSER="true")
    address = program.address()
    program.line_with("said")
    (run,) = ask(address, "/runs")["items"]
    assert (run["id"], run["team"]) == ("hello/1", None)
    said = ask(address, f"/runs/{run['id'].replace('/', '%2F')}/messages")["items"]
    assert [one["message"]["content"] for one in said] == ["hello", "hello yourself"]
    program.type("\n")
    assert program.process.wait(PATIENCE_S) == 0


def test_tasks_have_no_studio_yet(autogen):
    command = autogen("run", "say hello", "--studio")
    command.line_with("only programs are shown")
    assert command.process.wait(PATIENCE_S) == 2
