"""Teams from files: the agents that a team file describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..agentchat.assistant_agent import AssistantAgent
from ..agentchat.conversable_agent import ConversableAgent
from ..agentchat.groupchat import GroupChat, GroupChatManager
from ..agentchat.user_proxy_agent import UserProxyAgent
from ..config.team import AgentSpec, CodeSpec, GroupSpec, ModelSpec, TeamFile, read_team
from .teams import Team

__all__ = ["SUFFIX", "team_of", "team_of_file"]

#: Of the files that are looked for.
SUFFIX = ".team.yaml"

_KINDS: dict[str, type[ConversableAgent]] = {
    "assistant": AssistantAgent,
    "conversable": ConversableAgent,
    "user": UserProxyAgent,
}


def team_of_file(path: str | Path) -> Team:
    """The team of a file.

    Raises:
        UsageError: It is no team file.
    """
    return team_of(read_team(path), where=str(Path(path).absolute()))


def team_of(file: TeamFile, *, where: str = "a team file") -> Team:
    """The team that a file describes; its agents are made anew for each chat.

    Args:
        where: The file, as it is called where two teams have one name.
    """

    def make() -> dict[str, Any]:
        return _chat_of(file)

    make.__module__, make.__qualname__ = "", where
    return Team(
        name=file.name, make=make, concurrency=file.concurrency, description=file.description
    )


def _chat_of(file: TeamFile) -> dict[str, Any]:
    agents: dict[str, ConversableAgent] = {
        spec.name: _agent(spec, file.llm) for spec in file.agents
    }
    if file.group is not None:
        agents[file.group.name] = _manager(file.group, agents, file.group.llm or file.llm)
    return {
        "sender": agents[file.chat.sender],
        "recipient": agents[file.chat.recipient],
        "max_turns": file.chat.max_turns,
        "summary_method": file.chat.summary_method,
    }


def _agent(spec: AgentSpec, shared: ModelSpec | None) -> ConversableAgent:
    options: dict[str, Any] = spec.model_dump(
        include={
            "name",
            "system_message",
            "description",
            "human_input_mode",
            "max_consecutive_auto_reply",
            "default_auto_reply",
        },
        exclude_none=True,
    )
    # Somebody who only runs code or asks people needs no model, and gets one where it is named.
    model = spec.llm if spec.llm is not None else (None if spec.kind == "user" else shared)
    options["llm_config"] = model.config() if model else False
    options["code_execution_config"] = _code(spec.code) if spec.code else False
    return _KINDS[spec.kind](**options)


def _code(spec: CodeSpec) -> dict[str, Any]:
    name = f"commandline-{spec.executor}"
    options = spec.model_dump(exclude={"executor"}, exclude_none=True)
    Path(spec.work_dir).mkdir(parents=True, exist_ok=True)
    return {"executor": name, name: options}


def _manager(
    spec: GroupSpec, agents: dict[str, ConversableAgent], model: ModelSpec | None
) -> GroupChatManager:
    options: dict[str, Any] = {}
    if spec.allow_repeat_speaker is not None and spec.transitions is None:
        options["allow_repeat_speaker"] = spec.allow_repeat_speaker
    if spec.transitions is not None:
        options["allowed_or_disallowed_speaker_transitions"] = {
            agents[name]: [agents[other] for other in after]
            for name, after in spec.transitions.items()
        }
        options["speaker_transitions_type"] = "allowed"
    group = GroupChat(
        agents=[agents[name] for name in spec.agents],
        messages=[],
        max_round=spec.max_round,
        speaker_selection_method=spec.speaker_selection_method,
        **options,
    )
    llm = model.config() if model is not None else False
    return GroupChatManager(groupchat=group, name=spec.name, llm_config=llm)
