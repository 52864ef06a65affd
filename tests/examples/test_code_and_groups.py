"""The examples that run code behind a real wall, and those in which a group talks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

DICE = """I count the sums.
```python
import random
counts = {}
for _ in range(100):
    total = random.randint(1, 6) + random.randint(1, 6)
    counts[total] += 1
```"""
DICE_REPAIRED = """The first count of a sum has to start somewhere.
```python
import csv, random
counts = dict.fromkeys(range(2, 13), 0)
for _ in range(100):
    counts[random.randint(1, 6) + random.randint(1, 6)] += 1
with open("sums.csv", "w", newline="") as file:
    csv.writer(file).writerows(counts.items())
print("saved", sum(counts.values()), "throws")
```"""
FIBONACCI = """Here it is.
```python
import os
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print([fib(i) for i in range(10)], os.environ.get("OPENAI_API_KEY"))
```"""
CHART = """```python
# filename: chart.py
masses = {"Jupiter": 317.8, "Saturn": 95.2, "Neptune": 17.1, "Uranus": 14.5, "Earth": 1.0}
bars = "".join(f'<rect y="{20 * i}" width="{m}" height="15"/>' for i, m in enumerate(masses.values()))
with open("chart.svg", "w") as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg">{bars}</svg>')
print("chart.svg is there")
```"""  # noqa: E501
APP = '''The service, and a first check of it.
```python
app = """from flask import Flask

app = Flask(__name__)
todos = {}
"""
with open("app.py", "w") as file:
    file.write(app)
compile(app, "app.py", "exec")
print("routes:", app.count("@app."))
assert app.count("@app.") == 5, "routes are missing"
```'''
APP_REPAIRED = APP.replace(
    "todos = {}\n",
    "todos = {}\n"
    + "".join(f"\n@app.get('/todos/{i}')\ndef route_{i}():\n    return todos\n" for i in range(5)),
)


def names_and_texts(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["name"], message["content"]) for message in messages]


@pytest.mark.wall
def test_two_agents_repair_their_code_and_leave_a_file(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run(
        "two_agent_coding",
        [DICE, DICE_REPAIRED, "sums.csv has the sums. TERMINATE", "A file of sums was made."],
    )
    result = names["result"]
    assert result.stop_reason == "termination"
    assert len(result.chat_history) == 6
    assert "KeyError" in result.chat_history[2]["content"]
    assert "saved 100 throws" in result.chat_history[4]["content"]
    assert [file.name for file in result.artifacts] == ["sums.csv"]
    rows = (tmp_path / "coding" / "sums.csv").read_text().split()
    assert [row.split(",")[0] for row in rows] == [str(i) for i in range(2, 13)]
    assert result.summary == "A file of sums was made."
    assert result.cost.total["total_cost"] > 0
    assert "Files: ['sums.csv']" in capsys.readouterr().out


@pytest.mark.wall
def test_fibonacci_numbers_are_printed_where_no_key_is_seen(run: Run, tmp_path: Path) -> None:
    names = run("fibonacci", [FIBONACCI, "TERMINATE"])
    assert "[0, 1, 1, 2, 3, 5, 8, 13, 21, 34] None" in names["result"].chat_history[2]["content"]
    assert names["result"].stop_reason == "termination"
    request = names["server"].requests[0]
    assert request.headers["authorization"] == "Bearer sk-of-this-test"
    assert request.json["temperature"] == 0
    assert (tmp_path / "workspace").is_dir()


@pytest.mark.wall
def test_the_critic_ends_the_group_when_the_chart_is_good(run: Run, tmp_path: Path) -> None:
    names = run(
        "group_coder_critic",
        ["Coder", CHART, "User_proxy", "Critic", "Data 9, kind 9, labels 8, looks 8.\n\nTERMINATE"],
    )
    said = names_and_texts(names["groupchat"].messages)
    assert [name for name, _ in said] == ["User_proxy", "Coder", "User_proxy", "Critic"]
    assert said[2][1].startswith("exitcode: 0 (execution succeeded)")
    assert "chart.svg is there" in said[2][1]
    assert (tmp_path / "groupchat" / "chart.svg").read_text().startswith("<svg")
    result = names["result"]
    assert result.stop_reason == "termination"
    assert [file.name for file in result.artifacts] == ["chart.svg"]
    assert "Critic: Judges a chart" in names["server"].requests[0].messages[0]["content"]


@pytest.mark.wall
def test_planner_coder_and_reviewer_build_a_service(run: Run, tmp_path: Path) -> None:
    names = run(
        "flask_todo_group",
        ["1. model 2. routes", APP, APP_REPAIRED, "APPROVED\n\nTERMINATE"],
    )
    said = names_and_texts(names["group_chat"].messages)
    assert [name for name, _ in said] == [
        "user_proxy",
        "planner",
        "coder",
        "user_proxy",
        "coder",
        "user_proxy",
        "reviewer",
    ]
    assert "AssertionError: routes are missing" in said[3][1]
    assert "routes: 5" in said[5][1]
    assert names["result"].stop_reason == "termination"
    assert [file.name for file in names["result"].artifacts] == ["app.py"]
    assert "route_4" in (tmp_path / "todo" / "app.py").read_text()


def test_the_group_speaks_along_its_graph(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(
        "group_fsm",
        [
            "Two questions.",
            "technician",
            "Use another socket.",
            "front_desk",
            "Now the bill.",
            "billing",
            "You get it back.",
            "closer",
            "Socket changed, money back. TERMINATE",
        ],
    )
    assert [message["name"] for message in names["group_chat"].messages] == [
        "customer",
        "front_desk",
        "technician",
        "front_desk",
        "billing",
        "closer",
    ]
    requests = names["server"].requests
    # After the customer only the front desk may speak, so the first question is to the desk itself.
    assert requests[0].messages[0]["content"].startswith("You find out whether")
    assert "front_desk: Sends a question on" in requests[0].messages[1]["content"]
    assert "['billing', 'technician']" in requests[1].last_text
    assert names["result"].summary == "Socket changed, money back. "
    out = capsys.readouterr().out
    assert "customer -> front_desk -> technician -> front_desk -> billing -> closer" in out


def test_the_society_talks_inside_and_answers_as_one(run: Run) -> None:
    names = run(
        "society_of_mind",
        ["People like tea.", "Cups break. TERMINATE", "Sell it, in strong cups."],
    )
    result = names["result"]
    assert [message["content"] for message in result.chat_history] == [
        "Should we sell tea by the cup?",
        "Sell it, in strong cups.",
    ]
    assert "Cups break." in str(names["server"].requests[2].messages)
    assert result.cost.total["gpt-4o-mini"]["completion_tokens"] == 3 + 3 + 5
