"""The example with a person at a web socket: a program of its own, and a real client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import autogen
from autogen.testing import LoopbackLLM

PROGRAM = Path(__file__).parents[2] / "examples" / "websocket_human.py"
PACKAGE_DIR = str(Path(autogen.__file__).parents[1])


@pytest.fixture
def connect(require_part: Any) -> Any:
    try:
        from websockets.sync.client import connect
    except ImportError as error:
        require_part("websockets", because=str(error), do="pip install websockets")
    return connect


def test_person_at_a_socket_talks_with_the_model_and_leaves(
    connect: Any, tmp_path: Path, wait_s: float
) -> None:
    with LoopbackLLM(["A tower with a light.", "For ships at night."]) as server:
        environment = os.environ | {
            "OAI_CONFIG_LIST": '[{"model": "gpt-4o-mini"}]',
            "OPENAI_API_KEY": "sk-of-this-test",
            "OPENAI_BASE_URL": server.base_url,
            "PORT": "0",
            "PYTHONPATH": PACKAGE_DIR,
            "PYTHONWARNINGS": "error",
        }
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = _conversation(connect, program, wait_s)
            out, err = program.communicate(timeout=4 * wait_s)
        finally:
            program.kill()
            program.communicate()
    assert (program.returncode, out, err) == (0, "", "")
    assert "A tower with a light." in said
    assert "For ships at night." in said
    assert said.endswith("Goodbye (human_exit).\n")


def _conversation(connect: Any, program: subprocess.Popen[str], wait_s: float) -> str:
    """Everything that the person gets to see."""
    assert program.stdout is not None
    url = program.stdout.readline().removeprefix("Waiting at ").strip()
    said = ""
    with connect(url) as client:

        def answer(expected: str, text: str) -> None:
            nonlocal said
            while expected not in said[n_before:]:
                said += client.recv(wait_s)
            client.send(text)

        n_before = 0
        answer("What would you like to know?", "What is a lighthouse?")
        for answers_to, text in (("chat", "What for?"), ("chat", "exit")):
            n_before = len(said)
            answer(f"'exit' ends the {answers_to}", text)
        for rest in client:
            said += rest
    return said
