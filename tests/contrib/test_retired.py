"""Retired names import, and using one says what to use instead."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent
from autogen._retired import RETIRED
from autogen.errors import UsageError

TABLE = Path(__file__).resolve().parents[2] / "docs" / "retired.md"


def imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@requirement("retired:names")
@pytest.mark.parametrize("path", RETIRED)
def test_a_retired_name_imports_and_refuses_to_be_used(path):
    name = imported(path)
    with pytest.raises(UsageError) as refused:
        name("an argument", llm_config=False)
    assert (
        str(refused.value) == f"{path} is retired. {RETIRED[path].why} Use {RETIRED[path].instead}."
    )
    with pytest.raises(UsageError, match="is retired"):
        name.start()


def test_programs_may_ask_about_a_retired_name():
    name = imported("autogen.agentchat.contrib.gpt_assistant_agent.GPTAssistantAgent")
    assert not isinstance(AssistantAgent("assistant"), name)
    assert not hasattr(name, "DEFAULT_MODEL_NAME")
    assert inspect.isclass(name)
    assert "AssistantAgent" in inspect.getdoc(name)
    assert repr(name).endswith("gpt_assistant_agent.GPTAssistantAgent'>")


def test_a_class_derived_from_a_retired_name_refuses_too():
    name = imported("autogen.agentchat.contrib.math_user_proxy_agent.MathUserProxyAgent")

    class Mine(name):
        pass

    with pytest.raises(UsageError, match="MathUserProxyAgent is retired"):
        Mine("mine")


def test_replacements_that_are_named_exist():
    for reason in RETIRED.values():
        for word in reason.instead.replace(",", " ").split():
            if word.startswith("autogen.") and "retrieve" not in word:
                assert imported(word) is not None


def test_the_documentation_has_every_retired_name():
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if "`autogen." in line]
    assert rows == [f"| `{path}` | {r.why} | {r.instead} |" for path, r in RETIRED.items()]
