"""Runs a program of `examples/` as a person would, with a scripted server in place of the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from autogen.testing import LoopbackLLM

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Dollars per 1,000 tokens; the server counts words.
PRICE = [1.0, 2.0]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`run(name, script)`: the globals of the program; the script has to be played to its end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    entry = {"model": "gpt-4o-mini", "price": PRICE}
    monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps([entry]))

    def run(name: str, script: Any) -> dict[str, Any]:
        with LoopbackLLM(script) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            names = run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        names["server"] = server
        return names

    return run
