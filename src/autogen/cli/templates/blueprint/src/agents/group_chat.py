"""The chat: a solver writes code, an executor runs it in a container and tells what came of it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

import autogen
from autogen import AssistantAgent, UserProxyAgent
from autogen.coding import DockerCommandLineCodeExecutor, PodCommandLineCodeExecutor

ROOT = Path(__file__).resolve().parents[2]
WORK_DIR = ROOT / "work_dir"
TASK = "Plot a chart of the first 30 squares and save it as squares.png."

load_dotenv(ROOT / ".env")


def is_termination_msg(message: dict[str, Any]) -> bool:
    """Whether the solver says that it is done."""
    return "TERMINATE" in str(message.get("content") or "")


def require_docker() -> None:
    """Refuse to begin without an engine, before anything is paid for.

    Raises:
        SystemExit: The engine does not answer.
    """
    if os.environ.get("SANDBOX") == "pod":
        return
    import docker

    try:
        with closing(docker.from_env()) as client:
            client.ping()
    except docker.errors.DockerException as error:
        raise SystemExit(
            "No Docker engine answers, and this project runs generated code nowhere else. Start "
            f"Docker, then try again. (What the engine's client said: {error})"
        ) from None


def sandbox() -> DockerCommandLineCodeExecutor | PodCommandLineCodeExecutor:
    """Where the code runs: a container of this machine, or a pod where SANDBOX=pod."""
    network = "public" if os.environ.get("SANDBOX_NETWORK") == "public" else "none"
    if os.environ.get("SANDBOX") == "pod":
        return PodCommandLineCodeExecutor(
            image=os.environ.get("SANDBOX_IMAGE", "autogen-blueprint-sandbox"),
            namespace=os.environ.get("SANDBOX_NAMESPACE", "autogen"),
            timeout=120,
            local_dir=WORK_DIR,
            network=network,
        )
    return DockerCommandLineCodeExecutor(
        image=os.environ.get("SANDBOX_IMAGE", "autogen-blueprint-sandbox"),
        timeout=120,
        work_dir=WORK_DIR,
        network=network,
    )


@autogen.team("group_chat", description="A solver writes code, an executor runs it in Docker.")
def group_chat() -> dict[str, Any]:
    """The two agents, made anew for each chat."""
    solver = AssistantAgent(
        "solver",
        llm_config={"model": os.environ.get("MODEL", "gpt-4o"), "temperature": 0},
    )
    executor = UserProxyAgent(
        "executor",
        human_input_mode=os.environ.get("HUMAN_INPUT_MODE", "NEVER"),
        is_termination_msg=is_termination_msg,
        code_execution_config={"executor": sandbox()},
    )
    return {
        "sender": executor,
        "recipient": solver,
        "message": TASK,
        "max_turns": 15,
        "summary_method": "last_msg",
    }
