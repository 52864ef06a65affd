"""What editors and type checkers of users see: every lazy name has its type, calls have theirs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import autogen

PACKAGE = Path(autogen.__file__).parent

PROGRAM = """
import autogen
from autogen import (
    Agent, AssistantAgent, Cache, ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent,
)

llm_config = {"config_list": autogen.config_list_from_json("LIST"), "cache_seed": 42}
assistant = AssistantAgent("assistant", llm_config=llm_config)
user = UserProxyAgent("user", human_input_mode="NEVER")

@user.register_for_execution()
@assistant.register_for_llm(description="Add one.")
def more(x: int) -> int:
    return x + 1

with Cache.disk(cache_seed=1) as cache:
    result = user.initiate_chat(assistant, message="hi", max_turns=2, cache=cache)
reveal_type(result)
reveal_type(more)
print(result.cost.total, result.cost[0], result.chat_history[-1]["content"])
reveal_type(assistant.generate_reply(messages=[{"role": "user", "content": "hi"}]))
manager = GroupChatManager(groupchat=GroupChat(agents=[assistant, user], messages=[]))

class Mine(ConversableAgent):
    def receive(
        self,
        message: dict[str, object] | str,
        sender: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        super().receive(message, sender, request_reply, silent)

async def main() -> None:
    reveal_type(await user.a_initiate_chat(manager, message="hi"))
    user.initiate_chat()
"""


def lazy_packages() -> list[Path]:
    return [p for p in PACKAGE.rglob("__init__.py") if "= lazy_names(" in p.read_text("utf-8")]


@pytest.mark.parametrize("path", lazy_packages(), ids=lambda p: str(p.parent.relative_to(PACKAGE)))
def test_every_lazy_name_is_imported_for_type_checkers(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    blocks = [
        n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    ]
    typed = {
        alias.asname or alias.name: "." * node.level + (node.module or alias.name)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    table = next(
        n.value.args[1]
        for n in tree.body
        if isinstance(n, ast.Assign)
        and isinstance(n.value, ast.Call)
        and ast.unparse(n.value.func) == "lazy_names"
    )
    assert typed == ast.literal_eval(table)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_program_of_a_user_is_type_checked(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "program.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(PACKAGE.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("program.py")]
    revealed = [line.split('"')[1] for line in said if "Revealed" in line]
    assert revealed == [
        "autogen._chat.state.ChatResult",
        "def (x: int) -> int",
        "str | dict[str, Any] | None",
        "autogen._chat.state.ChatResult",
    ]
    errors = [line for line in said if " error: " in line]
    assert len(errors) == 1, done.stdout
    assert "Too few arguments" in errors[0]
