"""Programs as people wrote them for AutoGen 0.2, run unchanged.

The texts in `programs/` are left as they were found; names that a text leaves undefined
(`config_list`, `os`) are supplied. The model is a scripted server on loopback; everything else,
the sandbox included, is real.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from autogen.testing import LoopbackLLM

PROGRAMS = Path(__file__).parent / "programs"

BROKEN = """I plot synthetic prices.
```python
prices = [100, 103, 99, 110]
print("first close", prices["close"])
```"""
REPAIRED = """The list has no columns; I use positions.
```python
# filename: chart.py
prices = [100, 103, 99, 110]
with open("chart.svg", "w") as chart:
    chart.write("<svg>" + ",".join(map(str, prices)) + "</svg>")
print("chart saved, last close", prices[-1])
```"""


def run(name: str, **names: Any) -> dict[str, Any]:
    """Execute one program as if it were a script; its globals."""
    source = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
    names = {"__name__": "__main__", "os": os, **names}
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), names)
    return names


@pytest.fixture
def work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    return tmp_path


@pytest.mark.wall
def test_two_agents_write_code_read_the_error_repair_it_and_stop(work_dir: Path) -> None:
    def reply(request: Any) -> str:
        text = request.last_text
        if text.startswith("exitcode: 0"):
            return "The chart is in chart.svg; the last close is 110.\n\nTERMINATE"
        return REPAIRED if "TypeError" in text else BROKEN

    with LoopbackLLM(reply) as server:
        names = run(
            "two_agent_coding",
            config_list=[{"model": "gpt-4", "api_key": "k", "base_url": server.base_url}],
        )
    chat = names["assistant"].chat_messages[names["user_proxy"]]
    assert len(chat) == 6
    assert chat[2]["content"].startswith("exitcode: 1 (execution failed)")
    assert "TypeError: list indices must be integers" in chat[2]["content"]
    assert chat[4]["content"].startswith("exitcode: 0 (execution succeeded)")
    assert "last close 110" in chat[4]["content"]
    assert (work_dir / "coding" / "chart.svg").read_text() == "<svg>100,103,99,110</svg>"


@pytest.mark.wall
def test_the_fibonacci_program_runs_its_code_in_a_wall(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """Here it is.
```python
import os
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print([fib(i) for i in range(10)], os.environ.get("OPENAI_API_KEY"))
```"""
    with LoopbackLLM([code, "It works. TERMINATE"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        names = run("fibonacci")
        assert server.requests[0].json["temperature"] == 0
        assert server.requests[0].headers["authorization"] == "Bearer sk-of-this-test"
    chat = names["user_proxy"].chat_messages[names["assistant"]]
    assert "[0, 1, 1, 2, 3, 5, 8, 13, 21, 34] None" in chat[2]["content"]
    assert len(chat) == 4


def test_a_group_of_four_is_led_by_the_model(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter(
        [
            "planner",
            "1. models 2. routes",
            "coder",
            "the code",
            "reviewer",
            "Approved.\n\nTERMINATE",
        ]
    )
    with LoopbackLLM(lambda request: next(lines)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        from autogen import AssistantAgent, UserProxyAgent

        config = {"model": "gpt-4", "api_key": "k"}
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        names = run("group_chat", llm_config=config, AssistantAgent=AssistantAgent, user_proxy=user)
    said = [(m["name"], m["content"]) for m in names["group_chat"].messages[1:]]
    assert said == [
        ("planner", "1. models 2. routes"),
        ("coder", "the code"),
        ("reviewer", "Approved.\n\nTERMINATE"),
    ]


def test_the_joke_is_told_and_kept_in_the_cache_folder_of_its_seed(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with LoopbackLLM(["Two agents walk into a chat. Neither says TERMINATE."]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        first, second = run("joke"), run("joke")
    assert (
        first["reply"] == second["reply"] == "Two agents walk into a chat. Neither says TERMINATE."
    )
    assert capsys.readouterr().out.count("Two agents walk into a chat.") == 2
    assert (work_dir / ".cache" / "41").is_dir()
