"""The commands about durable runs, each as a process of its own, as a person starts them."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autogen.events import Event
from autogen.testing import LoopbackLLM, Reply

pytestmark = [pytest.mark.timeout(120)]

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


PROPOSING = """
import autogen
from autogen import AssistantAgent, UserProxyAgent
from autogen.coding import CodeResult, MarkdownCodeExtractor


class EchoExecutor:
    code_extractor = MarkdownCodeExtractor()
    timeout = 5

    def execute_code_blocks(self, code_blocks):
        return CodeResult(exit_code=0, output="would run " + "|".join(b.code for b in code_blocks))

    def restart(self):
        pass


@autogen.team("proposing")
def proposing():
    entry = {{"model": "m", "base_url": {url!r}, "price": [0, 0]}}
    coder = AssistantAgent("coder", llm_config={{"config_list": [entry]}})
    user = UserProxyAgent("user", human_input_mode="ALWAYS",
                          code_execution_config={{"executor": EchoExecutor()}})
    return {{"sender": user, "recipient": coder}}
"""

#: What a person has set who has a key, and a wide terminal.
SET = {"OPENAI_API_KEY": "k", "NO_PROXY": "*", "COLUMNS": "120"}


@pytest.fixture
def autogen(start: Callable[..., Any]) -> Callable[..., Any]:
    """Starts `autogen ...` in a folder of its own."""
    return partial(start, **SET)


@pytest.fixture
def done(run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs `autogen ...` to its end: (exit code, stdout, stderr)."""
    return partial(run, **SET)


def test_a_program_that_is_killed_goes_on_with_the_same_id(
    tmp_path: Path,
    autogen: Callable[..., Any],
    done: Callable[..., Any],
    inside: Callable[..., Any],
) -> None:
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        (tmp_path / "job.py").write_text(PROGRAM.format(url=service.base_url))
        # In the second chat, whose first answer is the fourth call.
        killed_at(4, service, autogen("run", "job.py", "--id", "job"))
        code, out, err = done("run", "job.py", "--id", "job")
        assert (code, err) == (0, "")
        history = ["answer 2", "go on", "answer 4", "go on", "answer 6"]
        assert out == f"one {['one', *history]}\ntwo {['two', *history]}\n"
        # Six answers are due, and a call in flight at the kill may be made again.
        assert 6 <= len(service.requests) <= 7
        n_calls = len(service.requests)
        assert done("run", "job.py", "--id", "job") == (0, out, "")
        assert len(service.requests) == n_calls
    code, out, _ = inside("runs", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [(run["id"], run["status"]) for run in found] == [
        ("job/2", "finished"),
        ("job/1", "finished"),
    ]
    code, out, _ = inside("verify", "job/1")
    assert (code, out.split()[0], out.split()[2:4]) == (0, "all", ["events", "are"])


def test_a_program_without_an_id_is_told_one(tmp_path: Path, done: Callable[..., Any]) -> None:
    (tmp_path / "job.py").write_text("import sys; raise ValueError(sys.argv)")
    code, _, err = done("run", "job.py", "--", "--x", "1")
    assert code == 1
    assert "ValueError: ['job.py', '--x', '1']" in err
    assert "To go on: autogen run job.py --id job-" in err


def test_a_program_that_met_its_limit_is_told_how_to_go_on_with_one(
    tmp_path: Path, done: Callable[..., Any]
) -> None:
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        text = PROGRAM.format(url=service.base_url).replace("[0, 0]", "[9, 9]")
        (tmp_path / "job.py").write_text(text)
        code, _, err = done("run", "job.py", "--id", "job", "--budget-usd", "0.001")
    assert code == 4, err
    # Without a limit it would be one of nobody's choice, and the same again would end at once.
    assert err.endswith("To go on: autogen run job.py --id job --budget-usd 0.002\n")


def test_a_program_whose_chat_somebody_cancelled_says_so(
    tmp_path: Path, autogen: Callable[..., Any], inside: Callable[..., Any]
) -> None:
    with LoopbackLLM(lambda request: Reply(fault="hang")) as service:
        (tmp_path / "job.py").write_text(PROGRAM.format(url=service.base_url))
        process = autogen("run", "job.py", "--id", "job")
        for n in (1, 2):
            deadline = time.monotonic() + 30
            while len(service.requests) < n:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert inside("cancel", f"job/{n}")[0] == 0
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "a chat was cancelled by somebody else" in err


def test_a_worker_runs_what_is_submitted_and_asks_people(
    tmp_path: Path, autogen: Callable[..., Any], inside: Callable[..., Any]
) -> None:
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        text = TEAM.format(url=service.base_url, mode="ALWAYS")
        (tmp_path / "pair.team.yaml").write_text(text)
        worker = autogen("worker", "--teams", ".")
        assert "working for pair" in worker.stderr.readline()
        assert inside("submit", "pair", "hello", "--id", "talk") == (0, "talk\n", "")
        deadline_s = time.monotonic() + 60
        while not (asked := inside("answer")[1]) and time.monotonic() < deadline_s:
            time.sleep(0.2)
        question = asked.split()[0]
        assert inside("runs")[1].splitlines()[1].split()[:3] == ["talk", "pair", "waiting"]
        assert f"user asks ({question}):\nYour answer to writer" in inside("show", "talk")[1]
        assert inside("answer", question, "more", "--by", "anna")[:2] == (
            0,
            f"{question}: answered\n",
        )
        code, _, err = inside("answer", question, "again")
        assert code == 1
        assert "was answered by anna before" in err
        code, out, _ = inside("submit", "pair", "hello", "--id", "talk", "--wait")
        assert (code, out) == (0, "talk\nanswer 4\n")
        shown = inside("show", "talk")[1]
        assert "user -> writer:\nhello" in shown
        assert "talk: finished (max_turns), " in shown
        assert inside("replay", "talk")[:2] == (0, "all 3 recorded steps are the same\n")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    at = shown.split("] writer -> user:")[0].rsplit("[", 1)[1]
    code, out, _ = inside("fork", "talk", "--at", at, "--edit", "EDITED", "--id", "other")
    assert (code, out) == (0, "other\n")
    assert inside("cancel", "other")[:2] == (0, "other: is being cancelled\n")
    assert "cancelled" in inside("runs", "--status", "cancelled")[1]
    # A run that another one was forked from stays as long as that.
    for _ in range(2):
        assert inside("prune", "--older-than", "0s", "--yes")[:2] == (0, "1 run deleted\n")


def test_whoever_waits_is_told_that_no_worker_or_no_person_is_there(
    tmp_path: Path, autogen: Callable[..., Any], inside: Callable[..., Any]
) -> None:
    with LoopbackLLM(lambda request: "answer") as service:
        text = TEAM.format(url=service.base_url, mode="ALWAYS")
        (tmp_path / "pair.team.yaml").write_text(text)
        waiting = autogen("submit", "pair", "hello", "--id", "talk", "--wait")
        said = waiting.stderr.readline()
        assert "talk is queued: no worker that knows the team 'pair' has taken it up" in said
        worker = autogen("worker", "--teams", ".")
        assert "talk is waiting: an agent asks a person" in waiting.stderr.readline()
        assert inside("answer", inside("answer")[1].split()[0], "--stop")[0] == 0
        out, err = waiting.communicate(timeout=60)
        assert (waiting.returncode, out, err) == (0, "talk\nanswer\n", "")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


def test_what_an_agent_proposes_is_edited_from_the_shell(
    tmp_path: Path, autogen: Callable[..., Any], inside: Callable[..., Any]
) -> None:
    def asked() -> str:
        deadline_s = time.monotonic() + 60
        while not (lines := inside("answer")[1]):
            assert time.monotonic() < deadline_s
            time.sleep(0.2)
        return lines.split()[0]

    proposal = "```python\nprint(1)\n```"
    with LoopbackLLM(lambda request: proposal) as service:
        (tmp_path / "teams.py").write_text(PROPOSING.format(url=service.base_url))
        worker = autogen("worker", "--teams", ".")
        assert "working for proposing" in worker.stderr.readline()
        assert inside("submit", "proposing", "go", "--id", "talk")[0] == 0
        first = asked()
        assert inside("answer", first, "--edit", proposal.replace("1", "2"))[:2] == (
            0,
            f"{first}: answered\n",
        )
        assert inside("answer", asked(), "--stop")[0] == 0
        assert inside("submit", "proposing", "go", "--id", "talk", "--wait")[0] == 0
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    shown = inside("show", "talk")[1]
    assert "a person made this of the message of coder:\n```python\nprint(2)\n```" in shown
    assert "would run print(2)" in shown
    assert "would run print(1)" not in shown


@pytest.mark.parametrize(
    "words, code, said",
    [
        (("show", "none"), 1, "there is no run 'none'"),
        (("answer", "none", "text"), 1, "there is no question 'none'"),
        (("answer", "none"), 2, "give one answer"),
        (("answer", "none", "text", "--edit", "more"), 2, "give one answer"),
        # As from a variable that is not set: nothing is approved, or denied, by mistake.
        (("answer", "none", ""), 2, "the answer is empty"),
        (("answer", "none", "--edit", " "), 2, "the answer is empty"),
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
    inside: Callable[..., Any], words: tuple[str, ...], code: int, said: str
) -> None:
    found, _, err = inside(*words)
    assert found == code
    assert said in " ".join(err.split())
    assert "Traceback" not in err


# -- one chat in this process, recorded ------------------------------------------------------------


def killed_at(n_calls: int, service: LoopbackLLM, process: subprocess.Popen[str]) -> int:
    """Kill `process` once that many calls came in; how many there were."""
    deadline_s = time.monotonic() + 60
    while len(service.requests) < n_calls and time.monotonic() < deadline_s:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(service.requests) >= n_calls
    return len(service.requests)


def test_a_task_that_is_killed_goes_on_with_the_same_id(
    autogen: Callable[..., Any], done: Callable[..., Any], inside: Callable[..., Any]
) -> None:
    def answer(request: Any) -> str:
        n = len(request.messages) // 2
        return "It is done.\nTERMINATE" if n == 6 else f"thought {n}"

    with LoopbackLLM(lambda request: Reply(answer(request), delay_s=0.05)) as service:
        words = ("run", "think", "--id", "t", "--model", "m", "--base-url", service.base_url)
        killed_at(3, service, autogen(*words))
        code, out, err = done(*words)
        assert (code, err) == (0, ""), err
        assert "the task is done (TERMINATE)" in out
        # Six answers are due, and a call in flight at the kill may be made again.
        n_calls = len(service.requests)
        assert 6 <= n_calls <= 7
        assert inside(*words)[0] == 0
        assert len(service.requests) == n_calls, "what is over is told from its record"


def test_a_team_that_is_killed_goes_on_with_the_same_id(
    tmp_path: Path,
    autogen: Callable[..., Any],
    done: Callable[..., Any],
    inside: Callable[..., Any],
) -> None:
    def slowly(request: Any) -> Reply:
        return Reply(f"answer {len(request.messages)}", delay_s=0.05)

    with LoopbackLLM(slowly) as service:
        text = TEAM.format(url=service.base_url, mode="NEVER, default_auto_reply: go on")
        (tmp_path / "pair.team.yaml").write_text(text.replace("max_turns: 2", "max_turns: 6"))
        words = ("run", "pair.team.yaml", "hello", "--id", "t")
        killed_at(3, service, autogen(*words))
        code, out, err = done(*words)
        assert (code, err) == (4, "")
        assert "answer 12" in out
        n_calls = len(service.requests)
        assert 6 <= n_calls <= 7
        assert inside(*words)[0] == 4
        assert len(service.requests) == n_calls
    [run] = [json.loads(line) for line in inside("runs", "--json")[1].splitlines()]
    assert (run["id"], run["status"], run["stop_reason"]) == ("t", "finished", "max_turns")


@pytest.mark.parametrize(
    "limits, code, n_messages",
    [
        (("--max-turns", "1"), 4, 2),
        (("--budget-usd", "0"), 4, 4),
        (("--timeout", "60"), 4, 4),
    ],
)
def test_a_team_keeps_to_what_the_command_says(
    tmp_path: Path,
    inside: Callable[..., Any],
    limits: tuple[str, ...],
    code: int,
    n_messages: int,
) -> None:
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        text = TEAM.format(url=service.base_url, mode="NEVER, default_auto_reply: go on")
        (tmp_path / "pair.team.yaml").write_text(text)
        found, out, err = inside("run", "pair", "hello", "--teams", ".", "--json", *limits)
    assert found == code, err
    events = [json.loads(line) for line in out.splitlines()]
    said = [event for event in events if event["type"] == "message.sent"]
    assert len(said) == n_messages
    assert said[0]["data"]["message"]["content"] == "hello"


def test_a_team_whose_time_is_up_is_exit_code_6(tmp_path: Path, inside: Callable[..., Any]) -> None:
    with LoopbackLLM(lambda request: Reply("late", delay_s=30)) as service:
        text = TEAM.format(url=service.base_url, mode="NEVER")
        (tmp_path / "pair.team.yaml").write_text(text)
        assert inside("run", "pair.team.yaml", "hello", "--timeout", "1")[0] == 6


# -- without the extra -----------------------------------------------------------------------------


@pytest.fixture
def no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What records runs is not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "dbos" else find(name)
    )


SILENT_TEAM = """
schema_version: 1
name: pair
agents:
  - {name: writer, kind: conversable, human_input_mode: NEVER, default_auto_reply: TERMINATE}
  - {name: user, kind: user, human_input_mode: NEVER}
chat: {from: user, to: writer, max_turns: 1}
"""


@pytest.mark.usefixtures("no_extra")
@pytest.mark.parametrize("what", ["task", "team", "program"])
def test_without_the_extra_a_run_is_told_to_be_unrecorded(
    what: str, tmp_path: Path, inside: Callable[..., Any]
) -> None:
    (tmp_path / "job.py").write_text("print('hello')")
    (tmp_path / "pair.team.yaml").write_text(SILENT_TEAM)
    with LoopbackLLM(lambda request: "TERMINATE") as service:
        words = {
            "task": ("run", "x", "--model", "m", "--base-url", service.base_url),
            "team": ("run", "pair.team.yaml", "x"),
            "program": ("run", "job.py"),
        }[what]
        code, _, err = inside(*words)
        assert (code, err) == (
            0,
            'This run is not recorded; that needs the extra "durable": '
            'pip install -e ".[durable]" in a clone of autogen-next.\n',
        )
        code, out, err = inside(*words, "--id", "x")
    assert (code, out) == (2, "")
    assert 'need the extra "durable": pip install -e ".[durable]"' in err
    assert not (tmp_path / ".autogen").exists()


# -- schemas ---------------------------------------------------------------------------------------


def test_schemas_describe_what_is_written(inside: Callable[..., Any]) -> None:
    code, out, _ = inside("schema", "team")
    team = json.loads(out)
    assert code == 0
    assert {"schema_version", "name", "agents", "chat"} <= set(team["required"])
    code, out, _ = inside("schema", "event")
    event = json.loads(out)
    assert code == 0
    made = Event(type="message.sent", at=1.0, run_id="r").to_dict()
    assert set(event["required"]) == set(made)
    assert made["type"] in event["properties"]["type"]["enum"]
    assert inside("schema", "agent")[0] == 2
