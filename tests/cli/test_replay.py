"""`autogen replay` of programs: offline, and with a verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autogen.testing import LoopbackLLM

PROGRAM = """
import sys
from autogen import AssistantAgent, UserProxyAgent

entry = {{"model": "m", "api_key": "k", "base_url": {url!r}, "price": [0, 0]}}
for task in ("one", sys.argv[1]):
    assistant = AssistantAgent("coder", llm_config={{"config_list": [entry]}})
    user = UserProxyAgent("user", human_input_mode="NEVER", default_auto_reply="go on",
                          code_execution_config={{"work_dir": "coding", "use_docker": False}})
    result = user.initiate_chat(assistant, message=task, max_turns=3, silent=True)
    print(task, [m["content"] for m in result.chat_history], flush=True)
"""

CODE = "```python\nwith open('ran.txt', 'a') as file: file.write('x')\nprint('ran')\n```"


@pytest.fixture
def recorded(tmp_path: Path, inside: Callable[..., Any], wall: None) -> Path:
    """`job.py two` ran as `job`; the model that answered is gone."""

    def answer(request: Any) -> str:
        return CODE if len(request.messages) == 2 else f"answer {len(request.messages)}"

    path = tmp_path / "job.py"
    with LoopbackLLM(answer) as service:
        path.write_text(PROGRAM.format(url=service.base_url))
        code, _, err = inside("run", "job.py", "--id", "job", "--", "two")
        assert (code, err) == (0, "")
    assert (tmp_path / "coding" / "ran.txt").read_text() == "xx"
    return path


def test_a_program_is_told_again_offline(
    tmp_path: Path, recorded: Path, inside: Callable[..., Any]
) -> None:
    for words in (("job",), ("job/2",), ("job", "job.py", "--", "two")):
        code, out, err = inside("replay", *words)
        assert (code, err) == (0, ""), err
        lines = out.splitlines()
        assert lines[0].startswith("one ['one', ")
        assert lines[-1] == "all 8 recorded steps are the same"
    assert (tmp_path / "coding" / "ran.txt").read_text() == "xx", "no code runs"


def test_the_first_request_that_differs_is_told(recorded: Path, inside: Callable[..., Any]) -> None:
    text = recorded.read_text()
    recorded.write_text(text.replace('"go on"', '"go off"'))
    code, out, _ = inside("replay", "job")
    assert code == 1
    assert "of the run asked for something else before" in out.splitlines()[-1]
    recorded.write_text(text)
    code, out, _ = inside("replay", "job", "job.py", "--", "three")
    assert code == 1
    assert "run 'job/2' began with something else: message was 'two'" in out.splitlines()[-1]
    asked = "([{'role': 'user', 'content': 'x'}])"
    for further, what in (
        ("generate_reply", "the chat 'job/3'"),
        ("generate_oai_reply", "a 'model' step outside of the recorded chats"),
    ):
        recorded.write_text(f"{text}\nassistant.{further}{asked}\n")
        code, out, _ = inside("replay", "job")
        assert code == 1
        assert f"{what} is in no record of 'job'" in out.splitlines()[-1]


def test_a_program_that_fails_otherwise_is_no_success(
    recorded: Path, inside: Callable[..., Any]
) -> None:
    recorded.write_text(recorded.read_text() + "\nraise KeyError('mine')\n")
    code, out, err = inside("replay", "job")
    assert code == 1
    assert "KeyError" in err
    assert out.splitlines()[-1].endswith("and the program ended with KeyError: 'mine'")


def test_what_cannot_be_told_again_is_said(recorded: Path, inside: Callable[..., Any]) -> None:
    code, _, err = inside("replay", "none")
    assert code == 1
    assert "there is no run 'none'" in err
    recorded.rename(recorded.with_name("elsewhere.py"))
    code, _, err = inside("replay", "job")
    assert code == 2
    assert "is not there any more; name it: autogen replay job/1 PROGRAM.py" in err
    code, _, err = inside("replay", "job", "nowhere.py")
    assert code == 2
    assert "there is no program 'nowhere.py'" in err


TEAM = """
schema_version: 1
name: pair
llm: {{model: m, base_url: {url!r}, price: [0, 0]}}
agents:
  - {{name: writer, kind: assistant, human_input_mode: NEVER}}
  - {{name: user, kind: user, human_input_mode: NEVER, default_auto_reply: go on}}
chat: {{from: user, to: writer, max_turns: 2}}
"""


def test_a_task_is_told_again_offline(
    tmp_path: Path,
    inside: Callable[..., Any],
    wall: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with LoopbackLLM([CODE, "Done. TERMINATE"]) as service:
        words = ("run", "do it", "--model", "m", "--base-url", service.base_url, "--id", "job")
        code, _, err = inside(*words)
        assert (code, err) == (0, "")
    monkeypatch.delenv("OPENAI_API_KEY")
    code, out, err = inside("replay", "job")
    assert (code, out, err) == (0, "all 3 recorded steps are the same\n", "")
    assert (tmp_path / "coding" / "ran.txt").read_text() == "x", "no code runs"
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["coding"]


TEAM_OF_CODE = """
import autogen

@autogen.team("pair")
def pair():
    entry = {{"model": "m", "api_key": "k", "base_url": {url!r}, "price": [0, 0]}}
    writer = autogen.AssistantAgent("writer", llm_config={{"config_list": [entry]}})
    user = autogen.UserProxyAgent("user", human_input_mode="NEVER", default_auto_reply="go on",
                                  code_execution_config=False)
    return {{"sender": user, "recipient": writer, "message": "begin", "max_turns": 2}}
"""


@pytest.mark.parametrize(
    "file, text, words, n_steps",
    [
        ("pair.team.yaml", TEAM, ("pair.team.yaml", "say hello", "--max-turns", "3"), 3),
        ("teams/pair.py", TEAM_OF_CODE, ("pair", "--teams", "teams"), 2),
    ],
)
def test_a_team_that_ran_here_is_told_again_offline(
    file: str,
    text: str,
    words: tuple[str, ...],
    n_steps: int,
    tmp_path: Path,
    inside: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    with LoopbackLLM(lambda request: f"answer {len(request.messages)}") as service:
        path.write_text(text.format(url=service.base_url))
        code, _, err = inside("run", *words, "--id", "job")
        assert (code, err) == (4, "")
    same = f"all {n_steps} recorded steps are the same\n"
    assert inside("replay", "job") == (0, same, "")
    path.write_text(path.read_text().replace("go on", "go off"))
    code, out, _ = inside("replay", "job")
    assert code == 1
    assert "asked for something else before" in out
    path.unlink()
    code, _, err = inside("replay", "job")
    assert code == 2
    assert "pair" in err
