"""Teams whose model is a server in the process of the test, and which run code behind a wall."""

from __future__ import annotations

import os
from typing import Any, Literal

import autogen
from autogen import AssistantAgent, ConversableAgent, UserProxyAgent
from autogen.coding import SandboxCommandLineCodeExecutor


def _llm_config(model: str) -> dict[str, Any]:
    url = os.environ["AUTOGEN_TEST_MODEL_URL"]
    entry = {"model": model, "base_url": url, "api_key": "k", "price": [1.0, 2.0]}
    return {"config_list": [entry], "stream": True, "cache_seed": None}


def _coding(mode: Literal["ALWAYS", "NEVER"], **options: Any) -> dict[str, Any]:
    folder = os.environ["AUTOGEN_TEST_WORK_DIR"]
    executor = SandboxCommandLineCodeExecutor(work_dir=folder, timeout=20, **options)
    user = UserProxyAgent(
        "user", human_input_mode=mode, code_execution_config={"executor": executor}
    )
    return {"sender": user, "recipient": AssistantAgent("coder", llm_config=_llm_config("coder"))}


@autogen.team("story")
def story() -> dict[str, Any]:
    """One who tells a story, word by word."""
    quiet: Any = {"human_input_mode": "NEVER"}
    teller = ConversableAgent("teller", llm_config=_llm_config("teller"), **quiet)
    listener = ConversableAgent("listener", default_auto_reply="and then?", **quiet)
    return {"sender": listener, "recipient": teller, "max_turns": 1}


@autogen.team("coding")
def coding() -> dict[str, Any]:
    """Two of whom one writes code and one runs it."""
    return {**_coding("NEVER", network="none"), "max_turns": 2}


@autogen.team("checked")
def checked() -> dict[str, Any]:
    """Two of whom one writes code, and a person looks at it before it runs."""
    return {**_coding("ALWAYS", network="none"), "max_turns": 2}


@autogen.team("reaching")
def reaching() -> dict[str, Any]:
    """Two whose code wants to reach a host that it may not."""
    return {**_coding("NEVER", network=[]), "max_turns": 2}
