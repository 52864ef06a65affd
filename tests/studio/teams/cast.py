"""The teams of the studio's tests. Their model is a server in the process of the test."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import autogen
from autogen import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from autogen.coding import SandboxCommandLineCodeExecutor

Mode = Literal["ALWAYS", "NEVER"]


def _llm_config(persona: str) -> dict[str, Any]:
    url = os.environ["AUTOGEN_TEST_MODEL_URL"]
    entry = {"model": persona, "base_url": url, "api_key": "k", "price": [0.001, 0.002]}
    return {"config_list": [entry], "stream": True, "cache_seed": None}


def _pair(persona: str, *, mode: Mode = "NEVER", **options: Any) -> dict[str, Any]:
    coder = AssistantAgent("coder", llm_config=_llm_config(persona))
    options = {"code_execution_config": False, **options}
    user = UserProxyAgent("user_proxy", human_input_mode=mode, **options)
    return {"sender": user, "recipient": coder}


def _work_dir(name: str) -> str:
    folder = Path(os.environ.get("AUTOGEN_TEST_WORK_DIR", tempfile.gettempdir())) / name
    folder.mkdir(exist_ok=True)
    return str(folder)


@autogen.team("coding")
def coding() -> dict[str, Any]:
    """Two who write and run programs; a person approves each."""
    return _pair("coding", mode="ALWAYS", code_execution_config={"work_dir": _work_dir("coding")})


@autogen.team("reader")
def reader() -> dict[str, Any]:
    """Two who read the files that they are given."""
    return _pair("reader", code_execution_config={"work_dir": _work_dir("reader")})


@autogen.team("reach")
def reach() -> dict[str, Any]:
    """Two whose code wants out, where nothing is allowed."""
    executor = SandboxCommandLineCodeExecutor(work_dir=_work_dir("reach"), network=[])
    return _pair("reach", code_execution_config={"executor": executor})


@autogen.team("weigher")
def weigher() -> dict[str, Any]:
    """One who calls a function twice."""
    chat = _pair("weigher")

    def weigh(what: str) -> str:
        return f"{len(what)} ounces of {what}"

    autogen.register_function(
        weigh, caller=chat["recipient"], executor=chat["sender"], description="Weighs."
    )
    return chat


@autogen.team("talk")
def talk() -> dict[str, Any]:
    """One who tells a long story, slowly."""
    return {**_pair("talk"), "max_turns": 1}


@autogen.team("turns")
def turns() -> dict[str, Any]:
    """Two who take many turns."""
    chat = _pair("turns", default_auto_reply="go on", max_consecutive_auto_reply=200)
    return {**chat, "max_turns": 60}


@autogen.team("long")
def long() -> dict[str, Any]:
    """Two who say more than is shown at once."""
    turns = int(os.environ.get("AUTOGEN_TEST_TURNS", "250"))
    chat = _pair("quick", default_auto_reply="go on", max_consecutive_auto_reply=turns)
    chat["recipient"].update_max_consecutive_auto_reply(turns)
    return {**chat, "max_turns": turns}


@autogen.team("group")
def group() -> dict[str, Any]:
    """Three who write a text together."""
    person = UserProxyAgent("person", human_input_mode="NEVER", code_execution_config=False)
    planner, writer, critic = (
        AssistantAgent(name, llm_config=_llm_config(name))
        for name in ("planner", "writer", "critic")
    )
    chat = GroupChat(
        [person, planner, writer, critic],
        max_round=8,
        speaker_selection_method="round_robin",
        allowed_or_disallowed_speaker_transitions={
            person: [planner],
            planner: [writer],
            writer: [critic],
            critic: [writer],
        },
        speaker_transitions_type="allowed",
    )
    manager = GroupChatManager(chat, llm_config=_llm_config("manager"))
    return {"sender": person, "recipient": manager}
