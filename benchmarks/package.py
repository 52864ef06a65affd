"""The workloads for any package with the AutoGen 0.2 API; only documented names of 0.2 are used."""

from __future__ import annotations

import asyncio
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from benchmarks.texts import OPENING, SYSTEM, next_text

Go = Callable[[], Any]


def _config(base_url: str) -> dict[str, Any]:
    entry = {"model": "gpt-4o-mini", "api_key": "sk-bench", "base_url": base_url}
    return {"config_list": [entry], "cache_seed": None}


class _Model:
    """A model in the process, by the documented protocol for clients of one's own."""

    def __init__(self, config: dict[str, Any], **_: Any):
        self.model = config["model"]

    def create(self, params: dict[str, Any]) -> Any:
        message = SimpleNamespace(content=next_text(), function_call=None, tool_calls=None)
        n = 20 * len(params["messages"])
        usage = SimpleNamespace(prompt_tokens=n, completion_tokens=19, total_tokens=n + 19)
        choices = [SimpleNamespace(message=message)]
        return SimpleNamespace(choices=choices, model=self.model, cost=0, usage=usage)

    def message_retrieval(self, response: Any) -> list[Any]:
        return [choice.message.content for choice in response.choices]

    def cost(self, response: Any) -> float:
        return 0

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        usage = response.usage
        return {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "cost": 0,
            "model": response.model,
        }


def _agent(name: str, base_url: str | None) -> Any:
    from autogen import ConversableAgent

    config = _config(base_url) if base_url else None
    if config is None:
        entry = {"model": "bench", "api_key": "k", "model_client_cls": "_Model"}
        config = {"config_list": [entry], "cache_seed": None}
    agent = ConversableAgent(
        name,
        system_message=SYSTEM,
        llm_config=config,
        human_input_mode="NEVER",
        code_execution_config=False,
        max_consecutive_auto_reply=10**9,
    )
    if not base_url:
        agent.register_model_client(model_client_cls=_Model)
    return agent


def _talk(a: Any, b: Any, turns: int) -> dict[str, Any]:
    # `turns` model calls, alternating and beginning with b; an odd number fits max_turns exactly.
    return {"recipient": b, "message": OPENING, "max_turns": (turns + 1) // 2, "silent": True}


def chat(url: str, turns: int) -> Go:
    """A two-agent chat over HTTP."""
    a, b = _agent("a", f"{url}/chat/0/0/v1"), _agent("b", f"{url}/chat/0/0/v1")
    return lambda: a.initiate_chat(**_talk(a, b, turns))


def inproc(url: str, turns: int) -> Go:
    """A two-agent chat with the model in the process."""
    a, b = _agent("a", None), _agent("b", None)
    return lambda: a.initiate_chat(**_talk(a, b, turns))


def _durable(database: str, turns: int, *, first: bool = True) -> Go:
    from autogen import RunOptions

    name = f"run-{time.time_ns()}"

    def go() -> Any:
        a, b = _agent("a", None), _agent("b", None)
        options = RunOptions(id=name, durable=True, database=database)
        return a.initiate_chat(**_talk(a, b, turns), run=options)

    if not first:
        go()
    return go


def durable(url: str, turns: int) -> Go:
    """A two-agent chat whose every step is kept in SQLite."""
    return _durable(f"sqlite:///{_folder()}/runs.db", turns)


def durable_postgres(url: str, turns: int) -> Go:
    """The same in Postgres."""
    return _durable(os.environ["AUTOGEN_BENCH_POSTGRES"], turns)


def retold(url: str, turns: int) -> Go:
    """A durable run that is over, run again."""
    return _durable(f"sqlite:///{_folder()}/runs.db", turns, first=False)


@functools.cache
def _folder() -> str:
    # One database in a process; the operating system clears the folder of temporary files.
    return tempfile.mkdtemp(prefix="autogen-bench-")


def group(url: str, agents: int, messages: int = 200) -> Go:
    """A round-robin group with the model in the process."""
    from autogen import GroupChat, GroupChatManager

    members = [_agent(f"agent{i}", None) for i in range(agents)]
    chat = GroupChat(
        agents=members, messages=[], max_round=messages + 1, speaker_selection_method="round_robin"
    )
    manager = GroupChatManager(
        groupchat=chat, llm_config=False, human_input_mode="NEVER", code_execution_config=False
    )
    return lambda: members[0].initiate_chat(manager, message=OPENING, silent=True)


def many(url: str, chats: int) -> Go:
    """Concurrent chats of 5 turns with a model of 50 ms; making the agents is part of it."""

    async def all_of_them() -> None:
        base = f"{url}/chat/0/50/v1"
        pairs = [(_agent("a", base), _agent("b", base)) for _ in range(chats)]
        await asyncio.gather(*(a.a_initiate_chat(**_talk(a, b, 5)) for a, b in pairs))

    return lambda: asyncio.run(all_of_them())


def _tool_pair(base_url: str, function: Any, **more: Any) -> tuple[Any, Any]:
    from autogen import AssistantAgent, UserProxyAgent

    assistant = AssistantAgent(
        "assistant",
        system_message=SYSTEM,
        llm_config=_config(base_url),
        max_consecutive_auto_reply=10**9,
    )
    user = UserProxyAgent(
        "user",
        human_input_mode="NEVER",
        code_execution_config=False,
        is_termination_msg=lambda m: "TERMINATE" in (m.get("content") or ""),
        max_consecutive_auto_reply=10**9,
    )
    assistant.register_for_llm(description="Do something with two numbers.")(function)
    user.register_for_execution(**more)(function)
    return assistant, user


def tools(url: str, calls: int) -> Go:
    """Tool calls one after the other, over HTTP."""

    def add(a: int, b: int) -> str:
        return str(a + b)

    assistant, user = _tool_pair(f"{url}/tools/{calls}/0/v1", add)
    return lambda: user.initiate_chat(assistant, message=OPENING, silent=True)


def parallel_tools(url: str, calls: int) -> Go:
    """Blocking tools of 50 ms that one message asks for together, sync face."""

    def slow(a: int, b: int) -> str:
        time.sleep(0.05)
        return str(a + b)

    try:
        assistant, user = _tool_pair(f"{url}/many/{calls}/0/v1", slow, parallel=True)
    except TypeError:  # AutoGen 0.2 knows no `parallel`
        assistant, user = _tool_pair(f"{url}/many/{calls}/0/v1", slow)
    return lambda: user.initiate_chat(assistant, message=OPENING, silent=True)


def construct(url: str, agents: int) -> Go:
    """Agents that share a configuration."""
    from autogen import AssistantAgent

    shared = _config(url)
    kept: list[Any] = []

    def go() -> None:
        kept.extend(
            AssistantAgent(f"agent{i}", system_message=SYSTEM, llm_config=shared)
            for i in range(agents)
        )

    return go


def code(url: str, blocks: int) -> Go:
    """Warm code blocks, behind the default wall where the package has one."""
    from autogen.coding import CodeBlock

    folder = tempfile.mkdtemp(prefix="bench-code-")
    try:
        from autogen.coding import SandboxCommandLineCodeExecutor as Executor
    except ImportError:
        from autogen.coding import LocalCommandLineCodeExecutor as Executor
    executor = Executor(work_dir=folder)
    block = [CodeBlock(language="python", code="print(1)")]
    executor.execute_code_blocks(block)

    def go() -> None:
        for _ in range(blocks):
            result = executor.execute_code_blocks(block)
            assert (result.exit_code, result.output.strip()) == (0, "1"), result

    return go


def code_cold(url: str, chats: int) -> Go:
    """The first block of a chat, whose wall goes up with it."""
    from autogen.coding import CodeBlock, SandboxCommandLineCodeExecutor

    root = tempfile.mkdtemp(prefix="bench-code-")
    boxes = [SandboxCommandLineCodeExecutor(work_dir=f"{root}/{n}") for n in range(chats)]
    return _blocks(boxes, [CodeBlock(language="python", code="print(1)")])


def code_first(url: str, chats: int) -> Go:
    """The first block of a chat that takes its sandbox from a pool."""
    from autogen.coding import CodeBlock, SandboxPool

    pool = SandboxPool(chats)
    pool.fill()
    block = [CodeBlock(language="python", code="print(1)")]
    return _blocks((pool.executor() for _ in range(chats)), block)


def code_numpy(url: str, blocks: int) -> Go:
    """Blocks that import numpy, in a sandbox that has done so before."""
    from autogen.coding import CodeBlock, SandboxPool

    box = SandboxPool(1, preload=("numpy",)).executor()
    block = [CodeBlock(language="python", code="import numpy\nprint(1)")]
    box.execute_code_blocks(block)
    return _blocks([box] * blocks, block)


def _blocks(boxes: Iterable[Any], blocks: list[Any]) -> Go:
    """The same blocks in each of `boxes`, which live on until the end."""
    kept = []

    def go() -> None:
        for box in boxes:
            kept.append(box)
            result = box.execute_code_blocks(blocks)
            assert (result.exit_code, result.output.strip()) == (0, "1"), result

    return go


os.environ.setdefault("AUTOGEN_USE_DOCKER", "0")
