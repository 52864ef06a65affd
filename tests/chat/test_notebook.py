"""Chats in the cells of a notebook: a real Jupyter kernel, whose event loop runs in every cell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import autogen
from autogen.testing import LoopbackLLM, Reply, call

# A kernel starts within a second or two on a machine that has nothing else to do.
START_S = 60
CELL_S = 30

AGENTS = """
from autogen import AssistantAgent, UserProxyAgent

assistant = AssistantAgent(
    "assistant", llm_config={"model": "gpt-4o-mini", "cache_seed": None, "price": [0, 0]}
)
user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
"""

Outputs = list[dict[str, Any]]
Notebook = Callable[..., list[Outputs]]


@pytest.fixture
def notebook(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    require_part: Callable[..., Any],
) -> Notebook:
    """`notebook(script, *cells)`: the outputs of each cell, run by one kernel after `AGENTS`.

    Where the script says "interrupt", the kernel is interrupted while it waits for the answer.
    """
    try:
        import ipykernel  # noqa: F401 the kernel that nbclient starts
        import nbclient
        import nbformat
    except ImportError as error:
        require_part("jupyter kernel", because=str(error), do="pip install ipykernel nbclient")
    package_dir = str(Path(autogen.__file__).parents[1])
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", package_dir)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")

    def run(script: Any, *cells: str) -> list[Outputs]:
        pages = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(source, metadata={"tags": ["raises-exception"]})
                for source in (AGENTS, *cells)
            ]
        )
        client = nbclient.NotebookClient(
            pages,
            timeout=CELL_S,
            startup_timeout=START_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        )
        loop = asyncio.new_event_loop()

        def interrupt(request: Any) -> Reply:
            asyncio.run_coroutine_threadsafe(client.km.interrupt_kernel(), loop)
            return Reply(fault="hang")

        if isinstance(script, list):
            script = [interrupt if reply == "interrupt" else reply for reply in script]
        with LoopbackLLM(script) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            try:
                loop.run_until_complete(client.async_execute())
            finally:
                loop.close()
        first, *rest = [cell.outputs for cell in pages.cells]
        assert first == []
        return rest

    return run


def printed(outputs: Outputs) -> str:
    """What a cell wrote, if it failed in no way."""
    assert {output["output_type"] for output in outputs} <= {"stream"}, outputs
    return "".join(output["text"] for output in outputs)


def failure(outputs: Outputs) -> str:
    """The name of the exception that ended a cell."""
    names = [output["ename"] for output in outputs if output["output_type"] == "error"]
    assert len(names) == 1, outputs
    return str(names[0])


def test_chats_of_both_flavours_run_in_cells_and_print_there(notebook: Notebook) -> None:
    first, second = notebook(
        ["Salt. TERMINATE", "Pepper. TERMINATE"],
        """
import asyncio
assert asyncio.get_running_loop().is_running()
result = user.initiate_chat(assistant, message="What makes the sea salty?")
print(result.stop_reason, len(result.chat_history))
""",
        """
result = await user.a_initiate_chat(assistant, message="And what makes food hot?")
print(result.stop_reason, len(result.chat_history))
""",
    )
    assert "user (to assistant):\n\nWhat makes the sea salty?" in printed(first)
    assert "assistant (to user):\n\nSalt. TERMINATE" in printed(first)
    assert printed(first).endswith("termination 2\n")
    assert "Pepper." not in printed(first)
    assert "assistant (to user):\n\nPepper. TERMINATE" in printed(second)
    assert printed(second).endswith("termination 2\n")


def test_async_tools_work_in_chats_of_both_flavours(notebook: Notebook) -> None:
    cell = """
@user.register_for_execution()
@assistant.register_for_llm(description="The tide in a port.")
async def tide(port: str) -> str:
    await asyncio.sleep(0)
    return f"high in {port}"
"""
    chat = """
result = %s(assistant, message="How is the tide?", silent=True)
print(result.chat_history[2]["content"], result.stop_reason)
"""
    script = [call("tide", port="Brest"), "High. TERMINATE"] * 2
    _, sync, async_ = notebook(
        script,
        "import asyncio\n" + cell,
        chat % "user.initiate_chat",
        chat % "await user.a_initiate_chat",
    )
    assert printed(sync) == printed(async_) == "high in Brest termination\n"


HELLO = """
print(len(user.chat_messages[assistant]), len(assistant.chat_messages[user]))
result = user.initiate_chat(assistant, message="Hello?", clear_history=False, silent=True)
print([message["content"] for message in result.chat_history], result.stop_reason)
"""
STILL_THERE = """
result = await user.a_initiate_chat(assistant, message="And there?", silent=True)
print(result.stop_reason, len(result.chat_history))
"""


def test_interrupted_cell_leaves_both_agents_usable(notebook: Notebook) -> None:
    interrupted, after, await_after = notebook(
        ["interrupt", "Here. TERMINATE", "Still here. TERMINATE"],
        'user.initiate_chat(assistant, message="Wait for ever.")',
        HELLO,
        STILL_THERE,
    )
    assert failure(interrupted) == "KeyboardInterrupt"
    assert printed(after) == "1 1\n['Wait for ever.', 'Hello?', 'Here. TERMINATE'] termination\n"
    assert printed(await_after) == "termination 2\n"


# An interrupt of a cell that awaits is Jupyter's to handle; a limit of the user's is the way here.
def test_chat_awaited_with_a_limit_leaves_both_agents_usable(notebook: Notebook) -> None:
    def model(request: Any) -> Any:
        return Reply(fault="hang") if request.last_text == "Wait." else "Here. TERMINATE"

    limited, after, await_after = notebook(
        model,
        """
import asyncio
try:
    await asyncio.wait_for(user.a_initiate_chat(assistant, message="Wait.", silent=True), 0.2)
except TimeoutError:
    print("too late")
""",
        HELLO,
        STILL_THERE,
    )
    assert printed(limited) == "too late\n"
    assert printed(after) == "1 1\n['Wait.', 'Hello?', 'Here. TERMINATE'] termination\n"
    assert printed(await_after) == "termination 2\n"
