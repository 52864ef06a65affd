"""Teams to look at, for `autogen studio` in a folder that has none.

Their models are the script of the demo and one for a group: no key is needed, nothing costs money.
All else is real, as in `autogen demo`.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..agentchat.assistant_agent import AssistantAgent
from ..agentchat.groupchat import GroupChat, GroupChatManager
from ..agentchat.user_proxy_agent import UserProxyAgent
from ..runtime.teams import Team, add
from ..testing import LoopbackLLM, Reply, Request
from .demo_script import DATA, TASK, next_answer

__all__ = ["add_demo_teams"]

#: Where their programs run, below the folder in which the studio was started.
WORK_DIR = "autogen-demo"

#: Between two words, so that one can watch them come.
_WORD_PAUSE_S = 0.012

_DRAFT = (
    "The sky is blue because air scatters short waves of light far more than long ones, so blue "
    "comes from everywhere. It also looks nice."
)
_TEXT = (
    "The sky is blue because air scatters short waves of light far more than long ones: blue "
    "reaches the eye from every direction, red only along the line to the sun."
)
#: What each member of the group says, its first time and after.
_SAID = {
    "planner": ("Two sentences at most: the cause first, then why no other colour wins.",),
    "writer": (_DRAFT, _TEXT),
    "critic": ("The last sentence explains nothing. Say why it is not red instead.", "TERMINATE"),
}


def add_demo_teams() -> None:
    """Have this process know them."""
    for name, make, description in (
        ("demo", _chart, "Two agents draw a chart of a share price; the model is a script."),
        ("demo-approval", _approved_chart, "The same, and a person approves each program."),
        ("demo-group", _group, "Three agents write a paragraph together; scripted as well."),
    ):
        add(Team(name=name, make=make, description=description))


def _chart(mode: Literal["ALWAYS", "NEVER"] = "NEVER") -> dict[str, Any]:
    work_dir = Path(WORK_DIR)
    work_dir.mkdir(exist_ok=True)
    if not (work_dir / DATA).exists():
        shutil.copyfile(Path(__file__).parent / "data" / DATA, work_dir / DATA)
    user_proxy = UserProxyAgent(
        "user_proxy",
        human_input_mode=mode,
        code_execution_config={"work_dir": str(work_dir), "network": "public"},
    )
    coder = AssistantAgent("coder", llm_config=_llm_config())
    return {"sender": user_proxy, "recipient": coder, "message": TASK}


def _approved_chart() -> dict[str, Any]:
    return _chart("ALWAYS")


def _group() -> dict[str, Any]:
    person = UserProxyAgent("person", human_input_mode="NEVER", code_execution_config=False)
    planner, writer, critic = (
        AssistantAgent(name, system_message=f"You are the {name}.", llm_config=_llm_config())
        for name in _SAID
    )
    group = GroupChat(
        [person, planner, writer, critic],
        max_round=12,
        speaker_selection_method="round_robin",
        allowed_or_disallowed_speaker_transitions={
            person: [planner],
            planner: [writer],
            writer: [critic],
            critic: [writer],
        },
        speaker_transitions_type="allowed",
    )
    manager = GroupChatManager(group, llm_config=_llm_config())
    return {"sender": person, "recipient": manager, "message": "Why is the sky blue?"}


@cache
def _model() -> LoopbackLLM:
    """The stand-in for a model: one in each process, for as long as that lives."""
    return LoopbackLLM(_answer, keep=0).start()


def _llm_config() -> dict[str, Any]:
    return _model().config(stream=True, cache_seed=None)


def _answer(request: Request) -> Reply:
    messages = request.json["messages"]
    name = str(messages[0].get("content", "")).removeprefix("You are the ").rstrip(".")
    if name not in _SAID:
        return Reply(next_answer(messages), chunk_delay_s=_WORD_PAUSE_S)
    n_said = sum(message["role"] == "assistant" for message in messages)
    said = _SAID[name]
    return Reply(said[min(n_said, len(said) - 1)], chunk_delay_s=_WORD_PAUSE_S)
