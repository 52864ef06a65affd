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
    recorded.write_text(text + "\nassistant.generate_reply([{'role': 'user', 'content': 'x'}])\n")
    code, out, _ = inside("replay", "job")
    assert code == 1
    assert "a 'model' step outside of the recorded chats is in no record" in out.splitlines()[-1]


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
