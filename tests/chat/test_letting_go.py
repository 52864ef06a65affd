"""What nobody holds any more goes: agents, their histories, and the walls of their code."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from autogen import AssistantAgent, UserProxyAgent
from autogen.testing import LoopbackLLM
from autogen.testing.face import Face

CODE = "```python\nprint(1)\n```"


@pytest.mark.wall
def test_agents_and_their_walls_go_with_the_last_reference(face: Face, tmp_path: Path) -> None:
    def model(request: Any) -> str:
        return "TERMINATE" if "exitcode" in request.last_text else CODE

    with LoopbackLLM(model) as server:
        left = _talk(face, server, tmp_path)
        gc.collect()
        # The connection to the server is still open for the next chat.
        assert [ref() for ref in left] == [None, None, None]


def _talk(face: Face, server: LoopbackLLM, folder: Path) -> list[weakref.ref[Any]]:
    coder = AssistantAgent("coder", llm_config=server.config())
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config={"work_dir": str(folder / "w")}
    )
    face.initiate_chat(user, coder, message="go", silent=True)
    return [weakref.ref(coder), weakref.ref(user), weakref.ref(user._executor)]
