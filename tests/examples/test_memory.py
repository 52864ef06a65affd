"""The examples with a memory or with documents, in the built-in store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

NOTHING = json.dumps({"task": None, "advice": None, "facts": []})
LESSON = json.dumps(
    {
        "task": "tell the weather",
        "advice": "answer with one word",
        "facts": [{"question": "Where does the user live?", "answer": "In Bergen."}],
    }
)


@pytest.fixture(autouse=True)
def _numpy(require_part: Callable[..., Any]) -> None:
    try:
        import numpy  # noqa: F401 the store needs it
    except ImportError as error:
        require_part("numpy", because=str(error), do='pip install -e ".[memory]"')


def test_what_one_agent_was_taught_the_next_one_knows(run: Run, tmp_path: Path) -> None:
    weather = json.dumps({"task": "tell the weather", "advice": None, "facts": []})
    first = run("teachable_agent", [LESSON, "Noted.", weather, "Rain."])
    asked = first["server"].requests[3].last_text
    assert asked.startswith("How is the weather where I live?")
    assert "Where does the user live? In Bergen." in asked
    assert "tell the weather answer with one word" in asked
    assert first["asked"].summary == "Rain."
    assert first["asked"].chat_history[0]["content"] == "How is the weather where I live?"
    # After a restart the first chat knows it too.
    again = run("teachable_agent", [NOTHING, "Noted.", NOTHING, "Rain."])
    assert "In Bergen." in again["server"].requests[1].last_text
    assert list((tmp_path / "memory").iterdir())


def test_question_comes_with_the_passage_that_fits(run: Run) -> None:
    names = run("rag_chat", ["199 steps."])
    asked = names["server"].requests[0].last_text
    assert "199 steps lead to the gallery" in asked
    assert "How many steps lead to the gallery?" in asked
    assert "every 400 days" not in asked
    result = names["result"]
    assert (result.summary, result.stop_reason) == ("199 steps.", "termination")
    assert result.cost.total["gpt-4o-mini"]["completion_tokens"] == 2


def test_passages_that_are_missing_are_asked_for(run: Run) -> None:
    names = run("rag_chat", ["UPDATE CONTEXT", "199 steps."])
    first, second = (request.last_text for request in names["server"].requests)
    assert "199 steps lead" in first
    assert "199 steps lead" not in second
    assert "How many steps lead to the gallery?" in second
    assert names["result"].summary == "199 steps."
