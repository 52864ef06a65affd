"""`GroupChat` and `GroupChatManager`: several agents in one conversation."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .. import oai
from .._chat import group, select
from .._chat.audience import ManagerHistories
from .._kernel.drive import drive_sync
from .._kernel.faces import faces
from .._kernel.record import random_index
from ..errors import AgentNameConflict, NoEligibleSpeaker, UsageError, UsageTypeError
from ..messages import content_str
from .agent import Agent
from .conversable_agent import ConversableAgent, plain_method
from .group_fields import check_fields, transitions_of

__all__ = ["SELECT_SPEAKER_PROMPT_TEMPLATE", "GroupChat", "GroupChatManager", "NoEligibleSpeaker"]

#: The closing prompt of the model that selects, unless a group has its own.
SELECT_SPEAKER_PROMPT_TEMPLATE = (
    "Read the conversation above. Which role of {agentlist} speaks next? "
    "Answer with the name alone."
)


class _Unchosen(int):
    """A default that can be told from the same number chosen by somebody."""


_ROUNDS = _Unchosen(10)


@dataclass
class GroupChat:
    """Who takes part in a group, by which rules they speak, and what was said.

    Attributes:
        agents: The members; their order is that of "round_robin".
        messages: What was said, oldest first; live.
        max_round: How many messages one run records, the opening one included.
        admin_name: The member who speaks when the chat is interrupted from the keyboard.
        func_call_filter: After a call, only members that can carry it out are candidates.
        speaker_selection_method: "auto" (a model chooses), "manual", "random", "round_robin", or a
            function of (last_speaker, groupchat) that gives an agent, one of these words, or None
            to end.
        max_retries_for_selecting_speaker: How often the model is asked again after an unclear
            answer.
        allow_repeat_speaker: Whether a member may speak twice in a row, or the members who may.
        allowed_or_disallowed_speaker_transitions: Agent to the agents that may, or may not, follow.
        speaker_transitions_type: "allowed" or "disallowed": what those transitions say.
        enable_clear_history: A person may say "clear history [agent] [number to keep]".
        send_introductions: Tell each member first who the others are.
        select_speaker_message_template: System message of the selecting model; `{roles}`,
            `{agentlist}`.
        select_speaker_prompt_template: Its closing prompt; `{agentlist}`. None or "" for none.
        select_speaker_auto_multiple_template: What it is told when it named several; `{agentlist}`.
        select_speaker_auto_none_template: What it is told when it named nobody; `{agentlist}`.
        select_speaker_transform_messages: A `TransformMessages` for what it sees.
        select_speaker_auto_verbose: Print what it says.
        select_speaker_auto_model_client_cls: Model client class (or classes) of the user's for it.
        select_speaker_auto_llm_config: Its model; None for the manager's.
        role_for_select_speaker_messages: Role of its prompts.

    Raises:
        UsageError: A value that can't work; the message says what can.
    """

    agents: list[Any]
    messages: list[dict[str, Any]] = field(default_factory=list)
    max_round: int = _ROUNDS
    admin_name: str = "Admin"
    func_call_filter: bool = True
    speaker_selection_method: Any = "auto"
    max_retries_for_selecting_speaker: int = 2
    allow_repeat_speaker: bool | list[Any] | None = None
    allowed_or_disallowed_speaker_transitions: dict[Any, list[Any]] | None = None
    speaker_transitions_type: Literal["allowed", "disallowed", None] = None
    enable_clear_history: bool = False
    send_introductions: bool = False
    select_speaker_message_template: str = (
        "Several roles take part in a conversation:\n{roles}\n\nRead it, then say which role of "
        "{agentlist} speaks next. Answer with the name of that role alone."
    )
    select_speaker_prompt_template: str | None = SELECT_SPEAKER_PROMPT_TEMPLATE
    select_speaker_auto_multiple_template: str = (
        "Your answer names more than one role. Choose exactly one of {agentlist}: the one that the "
        "conversation needs now. Write that name once and nothing else; names differ by upper and "
        "lower case."
    )
    select_speaker_auto_none_template: str = (
        "Your answer names none of the roles. Choose exactly one of {agentlist}. Write that name "
        "and nothing else; names differ by upper and lower case."
    )
    select_speaker_transform_messages: Any = None
    select_speaker_auto_verbose: bool = False
    select_speaker_auto_model_client_cls: Any = None
    select_speaker_auto_llm_config: dict[str, Any] | Literal[False] | None = None
    role_for_select_speaker_messages: str | None = "system"

    DEFAULT_INTRO_MSG: ClassVar[str] = (
        "Hello everyone. In this chat these members work together on a task for the user:"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        self._transitions: dict[Any, list[Any]] | None = None
        self._client: Any = None

    @property
    def allowed_speaker_transitions_dict(self) -> dict[Any, list[Any]]:
        """Agent to the agents that may follow it."""
        if self._transitions is None:
            self._transitions = transitions_of(self)
        return self._transitions

    @allowed_speaker_transitions_dict.setter
    def allowed_speaker_transitions_dict(self, transitions: dict[Any, list[Any]]) -> None:
        self._transitions = self.allowed_or_disallowed_speaker_transitions = transitions
        self.speaker_transitions_type = "allowed"

    # ------------------------------------------------------------------------------------- members

    @property
    def _limits_rounds(self) -> bool:
        """Whether somebody chose `max_round`."""
        return type(self.max_round) is not _Unchosen

    @property
    def agent_names(self) -> list[str]:
        """The members' names, in order."""
        return [agent.name for agent in self.agents]

    def reset(self) -> None:
        """Forget what was said."""
        self.messages.clear()

    def append(self, message: dict[str, Any], speaker: Agent) -> None:
        """Keep `message`, which gets the speaker's name and its content as text."""
        if message.get("role") != "function":
            message["name"] = speaker.name
        message["content"] = content_str(message.get("content"))
        self.messages.append(message)

    def agent_by_name(
        self, name: str, recursive: bool = False, raise_on_name_conflict: bool = False
    ) -> Agent | None:
        """The member called `name`, or None.

        Args:
            name: The name.
            recursive: Look among the members of member groups too.
            raise_on_name_conflict: Raise instead of giving the first where several have the name.

        Raises:
            AgentNameConflict: Several have the name.
        """
        agents = self.nested_agents() if recursive else self.agents
        found = [agent for agent in agents if agent.name == name]
        if raise_on_name_conflict and len(found) > 1:
            raise AgentNameConflict()
        return found[0] if found else None

    def nested_agents(self) -> list[Any]:
        """The members, and those of member groups."""
        return list(self._nested())

    def _nested(self) -> Iterator[Any]:
        for agent in self.agents:
            yield agent
            if isinstance(agent, GroupChatManager):
                yield from agent.groupchat._nested()

    @plain_method
    def next_agent(self, agent: Agent, agents: list[Any] | None = None) -> Any:
        """The member after `agent` in the group's order that is among `agents`.

        Raises:
            UndefinedNextAgent: `agents` are none, or not all members.
        """
        return select.next_agent(self, agent, agents)

    # ----------------------------------------------------------------------------------- selection

    def _participant_roles(self, agents: Sequence[Any] | None = None) -> str:
        lines = []
        for agent in self.agents if agents is None else agents:
            description = agent.description
            if not (description or "").strip():
                group.logger.warning(
                    "The agent %r has no description and may be passed over when a model selects.",
                    agent.name,
                )
            lines.append(f"{agent.name}: {description}".strip())
        return "\n".join(lines)

    def _agentlist(self, agents: Sequence[Any] | None) -> list[str]:
        return [agent.name for agent in (self.agents if agents is None else agents)]

    def select_speaker_msg(self, agents: list[Any] | None = None) -> str:
        """The system message of the selecting model."""
        return select.filled(
            self,
            "select_speaker_message_template",
            roles=self._participant_roles(agents),
            agentlist=self._agentlist(agents),
        )

    def select_speaker_prompt(self, agents: list[Any] | None = None) -> str | None:
        """Its closing prompt; None for none."""
        name = "select_speaker_prompt_template"
        if not getattr(self, name):
            return None
        return select.filled(self, name, agentlist=self._agentlist(agents))

    def introductions_msg(self, agents: list[Any] | None = None) -> str:
        """What members are told first about each other."""
        return f"{self.DEFAULT_INTRO_MSG}\n\n{self._participant_roles(agents)}"

    def manual_select_speaker(self, agents: list[Any] | None = None) -> Any:
        """The member a person picks, or None."""
        return select.picked_by_hand(self, agents)

    @plain_method
    def random_select_speaker(self, agents: list[Any] | None = None) -> Any:
        """A member picked by chance."""
        choices = self.agents if agents is None else agents
        return choices[drive_sync(random_index(len(choices)))]

    async def _select_speaker(self, last_speaker: Agent, selector: ConversableAgent) -> Agent:
        """The next speaker.

        Args:
            last_speaker: Who spoke last; a member, or the agent that opened the chat.
            selector: The manager, whose model chooses where the method is "auto".

        Raises:
            NoEligibleSpeaker: The rules leave nobody; the chat ends quietly.
            UsageError: The group can't work.
        """
        chosen: Agent = await select.select_speaker(self, last_speaker, selector)
        return chosen

    _select_speaker, select_speaker, a_select_speaker = faces(_select_speaker)

    def _selecting_client(self, selector: Any) -> Any:
        """The model that selects; None where there is none."""
        own = self.select_speaker_auto_llm_config
        classes = self.select_speaker_auto_model_client_cls
        if own is None and classes is None:
            return getattr(selector, "client", None)
        if self._client is None:
            config = own if own is not None else selector.llm_config
            if not config:
                return None
            self._client = oai.OpenAIWrapper(**config)
            for cls in classes if isinstance(classes, list) else [classes] if classes else []:
                self._client.register_model_client(cls)
        return self._client

    def _prepare_and_select_agents(
        self, last_speaker: Agent
    ) -> tuple[Any, list[Any], list[dict[str, Any]]]:
        """Who speaks next, None where a model is to choose; the candidates; what it is shown.

        For groups of yours with a `select_speaker` of their own.
        """
        return drive_sync(select.chosen_by_rule(self, last_speaker))

    @plain_method
    def _auto_select_speaker(
        self,
        last_speaker: Agent,
        selector: ConversableAgent,
        messages: list[dict[str, Any]] | None,
        agents: list[Any] | None,
    ) -> Any:
        """The next speaker as the selector's model says; for subclasses that override it."""
        shown = self.messages if messages is None else messages
        candidates = self.agents if agents is None else agents
        return drive_sync(select.picked_by_model(self, last_speaker, selector, shown, candidates))

    def _finalize_speaker(
        self, last_speaker: Agent, final: bool, name: Any, agents: list[Any] | None
    ) -> Any:
        """Whom the answer `name` of a model names; if not exactly one, the next in order."""
        candidates = self.agents if agents is None else agents
        named = list(self._mentioned_agents(name, candidates)) if final and name else []
        chosen = self.agent_by_name(named[0]) if len(named) == 1 else None
        return chosen if chosen is not None else self.next_agent(last_speaker, candidates)

    def _mentioned_agents(
        self, message_content: Any, agents: Sequence[Any] | None
    ) -> dict[str, int]:
        return select.mentioned(message_content, self.agents if agents is None else agents)


class GroupChatManager(ConversableAgent):
    """The agent through which a group talks: whoever chats with it chats with the group.

    Args:
        groupchat: The group.
        name: Identity in chats.
        max_consecutive_auto_reply: As for every agent; without limit by default.
        human_input_mode: As for every agent.
        system_message: As for every agent.
        silent: Print nothing of the group's messages.
        **kwargs: The other arguments of `ConversableAgent`; `llm_config` is also the model that
        selects
            speakers.

    Raises:
        UsageError: `llm_config` has tools or functions, which a manager can't use.
    """

    def __init__(
        self,
        groupchat: GroupChat,
        name: str = "chat_manager",
        max_consecutive_auto_reply: int | None = sys.maxsize,
        human_input_mode: Literal["ALWAYS", "NEVER", "TERMINATE"] = "NEVER",
        system_message: str | list[Any] | None = "Group chat manager.",
        silent: bool | None = None,
        **kwargs: Any,
    ):
        given: Any = groupchat
        if not isinstance(given, GroupChat):
            raise UsageTypeError(f"groupchat is {groupchat!r}; a manager needs a GroupChat.")
        if _has_tools(kwargs.get("llm_config")):
            raise UsageError(
                "GroupChatManager is not allowed to make function/tool calls. Please remove the "
                "'functions' or 'tools' config in 'llm_config' you passed in."
            )
        super().__init__(
            name=name,
            max_consecutive_auto_reply=max_consecutive_auto_reply,
            human_input_mode=human_input_mode,
            system_message=system_message,
            silent=silent,
            **kwargs,
        )
        if kwargs.get("chat_messages") is None:
            self._oai_messages = ManagerHistories()
        self._groupchat = groupchat
        self._last_speaker: Any = None
        # Its own way to answer: the group talks. A subclass may override run_chat.
        self.register_reply(
            Agent,
            GroupChatManager.a_run_chat,
            config=groupchat,
            reset_config=GroupChat.reset,
            ignore_async_in_sync_chat=True,
        )
        self.register_reply(
            Agent, GroupChatManager.run_chat, config=groupchat, reset_config=GroupChat.reset
        )
        for row in self._reply_func_list[:2]:
            row["config"] = groupchat

    @property
    def groupchat(self) -> GroupChat:
        """The group."""
        return self._groupchat

    @property
    def last_speaker(self) -> Any:
        """The member whose message is being passed on; members see the manager as its sender."""
        return self._last_speaker

    @property
    def _members(self) -> list[Any]:
        return self._groupchat.agents

    def chat_messages_for_summary(self, agent: Agent) -> list[dict[str, Any]]:
        """What the group said."""
        return self._groupchat.messages

    @plain_method
    def _prepare_chat(
        self,
        recipient: Any,
        clear_history: bool,
        prepare_recipient: bool = True,
        reply_at_receive: bool = True,
    ) -> None:
        super()._prepare_chat(recipient, clear_history, prepare_recipient, reply_at_receive)
        if clear_history:
            self._groupchat.reset()
        for agent in self._groupchat.agents:
            if (recipient is not agent or prepare_recipient) and hasattr(agent, "_prepare_chat"):
                agent._prepare_chat(self, clear_history, False, reply_at_receive)
            if clear_history:
                self._oai_messages.pop(agent, None) if agent is not recipient else None

    async def _run_chat(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: GroupChat | None = None,
    ) -> tuple[bool, str | None]:
        """Let the group talk about the newest message; (True, None) when it has ended."""
        return await group.run_chat(
            self, messages, sender, config if config is not None else self._groupchat
        )

    _run_chat, run_chat, a_run_chat = faces(_run_chat)

    def clear_agents_history(self, reply: dict[str, Any], groupchat: GroupChat) -> str:
        """Do what "clear history [agent] [number]" in a reply says; the reply without it."""
        return group.clear_agents_history(reply, groupchat)

    def messages_from_string(self, message_string: str) -> list[dict[str, Any]]:
        """Messages from the text of `messages_to_string`.

        Raises:
            UsageError: It is not the JSON of a list.
        """
        return group.messages_from_string(message_string)

    def messages_to_string(self, messages: list[dict[str, Any]]) -> str:
        """Messages as JSON text."""
        return json.dumps(messages)

    def _prepare_resume(self) -> None:
        self._groupchat.reset()
        self.clear_history()
        for agent in self._groupchat.agents:
            if hasattr(agent, "_prepare_chat"):
                agent._prepare_chat(self, True, False, True)
                self.reply_at_receive[agent] = True

    async def _resume(
        self,
        messages: list[dict[str, Any]] | str,
        remove_termination_string: str | Callable[[str], str] | None = None,
        silent: bool | None = False,
    ) -> tuple[Any, dict[str, Any]]:
        """Bring the group back to where earlier messages left off.

        Go on with `last_agent.initiate_chat(manager, message=last_message, clear_history=False)`.

        Args:
            messages: `groupchat.messages` of an earlier chat, or their JSON text.
            remove_termination_string: Text, or a function, that takes the end word out of the last
                one.
            silent: Print nothing.

        Returns:
            (who spoke last, the last message).

        Raises:
            UsageError: There are no messages, or one names a speaker who is not in the group.
        """
        return await group.resume(
            self, messages, remove_termination_string=remove_termination_string, silent=silent
        )

    _resume, resume, a_resume = faces(_resume)


def _has_tools(llm_config: Any) -> bool:
    """Whether a configuration, or one of the entries in it, offers tools or functions."""
    if not isinstance(llm_config, dict):
        return False
    entries = llm_config.get("config_list")
    return any(
        isinstance(one, dict) and bool(one.get("functions") or one.get("tools"))
        for one in (llm_config, *(entries if isinstance(entries, list | tuple) else ()))
    )
