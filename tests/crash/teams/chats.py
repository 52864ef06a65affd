"""The teams under test: a group whose chat has steps of every kind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from typing import Any

from tests.crash.audit import mark

import autogen
from autogen import AssistantAgent, ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent
from autogen.coding import CommandLineCodeResult, MarkdownCodeExtractor

CYCLES = 4


def model(name: str) -> dict[str, Any]:
    """A model of the harness, which outlives the workers."""
    entry = {
        "model": name,
        "api_key": "none",
        "base_url": os.environ["CRASH_MODEL"],
        "price": [0, 0],
    }
    return {"config_list": [entry], "cache_seed": None}


class Executor:
    """Runs a block by writing down that it was run."""

    code_extractor = MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks: list[Any]) -> CommandLineCodeResult:
        code = code_blocks[0].code.strip()
        mark("begin", call=f"code {code}", case=code.split()[1])
        time.sleep(float(os.environ.get("CRASH_CODE_S", "0")))
        mark("end", call=f"code {code}", case=code.split()[1])
        return CommandLineCodeResult(exit_code=0, output=f"ran {code}")

    def restart(self) -> None:
        """There is nothing to begin anew."""


def look(case: str, part: str) -> str:
    """Look something up."""
    mark("begin", call=f"tool {case} {part}", case=case)
    mark("end", call=f"tool {case} {part}", case=case)
    return f"{case} has {part}"


async def listen(case: str, part: str) -> str:
    """Look something up, slowly; raises what has keyword-only arguments, which the agent tells."""
    mark("begin", call=f"tool {case} {part}", case=case)
    await asyncio.sleep(0.01)
    mark("end", call=f"tool {case} {part}", case=case)
    raise Deaf(part=part)


class Deaf(Exception):
    """An exception that cannot be made from its text."""

    def __init__(self, *, part: str):
        super().__init__(f"deaf to {part}")
        self.part = part


def _agent(name: str, *, kind: type[ConversableAgent] = AssistantAgent) -> ConversableAgent:
    return kind(name, llm_config=model(name), human_input_mode="NEVER")


def _selected(last: Any, group: Any) -> Any:
    """Who speaks next: by rule, but after the critic a model says so."""
    order = {"planner": "runner", "coder": "runner", "boss": "planner", "user": "planner"}
    name = last.name
    if name == "runner":
        name = "coder" if group.messages[-1].get("role") == "tool" else "critic"
    elif name == "critic":
        return "auto"
    else:
        name = order[name]
    return group.agent_by_name(name)


def _is_over(message: dict[str, Any]) -> bool:
    return "ALL DONE" in str(message.get("content"))


def _chat(critic: ConversableAgent) -> dict[str, Any]:
    planner, coder = _agent("planner"), _agent("coder")
    runner = UserProxyAgent(
        "runner", human_input_mode="NEVER", code_execution_config={"executor": Executor()}
    )
    for agent in (planner,):
        agent.register_for_llm(name="look", description="Look.")(look)
        agent.register_for_llm(name="listen", description="Listen.")(listen)
    runner.register_for_execution(name="look")(look)
    runner.register_for_execution(name="listen")(listen)
    boss = UserProxyAgent("boss", human_input_mode="ALWAYS", code_execution_config=False)
    group = GroupChat(
        agents=[planner, coder, runner, critic, boss],
        messages=[],
        max_round=5 * CYCLES + 3,
        speaker_selection_method=_selected,
    )
    manager = GroupChatManager(
        groupchat=group,
        llm_config=model("selector"),
        human_input_mode="NEVER",
        is_termination_msg=_is_over,
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return {"sender": user, "recipient": manager, "summary_method": "last_msg"}


def first_message(messages: list[dict[str, Any]]) -> str:
    """What a nested chat begins with: enough to tell it from those of other cycles."""
    return f"judge: {messages[-1]['content']}"


@autogen.team("crash")
def crash(*, use_async: bool = True) -> dict[str, Any]:
    """A group with a nested pair of chats that run side by side, where `use_async`."""
    critic = ConversableAgent("critic", llm_config=False, human_input_mode="NEVER")
    chats = [
        {
            "recipient": _agent(name, kind=ConversableAgent),
            "message": lambda recipient, messages, sender, config: first_message(messages),
            "max_turns": 1,
            "summary_method": "last_msg",
            "chat_id": number,
            "silent": True,
        }
        for number, name in enumerate(("judge", "jury"), start=1)
    ]
    critic.register_nested_chats(
        chats,
        trigger=lambda sender: sender.name == "chat_manager",
        use_async=use_async,
        position=0,
    )
    return _chat(critic)


def founding() -> dict[str, Any]:
    """The program that everybody begins with: an assistant, and a proxy that runs its code."""
    proxy = UserProxyAgent(
        "user_proxy",
        human_input_mode="NEVER",
        code_execution_config={"executor": Executor()},
        is_termination_msg=lambda message: "TERMINATE" in str(message.get("content")),
    )
    return {"sender": proxy, "recipient": _agent_of("assistant", "solo")}


def _agent_of(name: str, model_name: str) -> ConversableAgent:
    return AssistantAgent(name, llm_config=model(model_name))


@autogen.team("raw")
def raw() -> dict[str, Any]:
    """The negative control: steps side by side in no `Gather`, so that they have no order."""
    critic = ConversableAgent("critic", llm_config=False, human_input_mode="NEVER")

    async def judged(
        recipient: Any, messages: Any = None, sender: Any = None, config: Any = None
    ) -> Any:
        """Two agents, asked three times each, under one number."""

        async def asked(agent: ConversableAgent) -> str:
            said = first_message(messages)
            for turn in range(3):
                answer = await agent.a_generate_reply([{"role": "user", "content": said}])
                said = f"judge: {turn} {answer}"
            return said

        both = await asyncio.gather(*(asked(_agent(name)) for name in ("judge", "jury")))
        return True, " and ".join(both)

    critic.register_reply(
        [ConversableAgent, None], judged, position=0, ignore_async_in_sync_chat=False
    )
    return _chat(critic)


@autogen.team("killer")
def killer() -> dict[str, Any]:
    """A chat that takes its worker down each time."""

    def strike(recipient: Any, messages: Any = None, sender: Any = None, config: Any = None) -> Any:
        mark("struck")
        os.kill(os.getpid(), signal.SIGKILL)
        return True, "never said"

    victim = ConversableAgent("victim", llm_config=False, human_input_mode="NEVER")
    victim.register_reply([ConversableAgent, None], strike, position=0)
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    return {"sender": user, "recipient": victim, "max_turns": 1}


def case_of(text: str) -> str:
    """The case that a text is about."""
    found = re.search(r"case-\d+", text)
    assert found is not None, text
    return found[0]
