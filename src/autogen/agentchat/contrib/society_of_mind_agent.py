"""`SocietyOfMindAgent`: one agent to others, a whole group to itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ..._chat.model import completed_text
from ..._chat.reply import reset_configs
from ..._chat.state import current_chat
from ..._kernel.faces import faces, point
from ..._kernel.ops import Call
from ...errors import UsageError
from ...messages import content_str, expand_tool_responses, filled
from ..agent import Agent
from ..conversable_agent import ConversableAgent

__all__ = ["SocietyOfMindAgent"]

_BEFORE = (
    "Some time ago you were given a request, and you worked on it together with your team. What "
    "you and your team said to each other follows:"
)


class SocietyOfMindAgent(ConversableAgent):
    """An agent that thinks by letting a group chat talk, and says what came of it.

    For each reply the group forgets its earlier talk, hears the outer conversation so far, and
    talks about the newest message. What its models cost counts in the outer chat.

    Args:
        name: Identity in chats.
        chat_manager: The manager of the inner group; None for an agent without inner life.
        response_preparer: Makes the reply of what the group said. Text is a prompt to this agent's
            model; a function, plain or async, is called with (agent, messages). By default the
            model is asked for an answer that stands alone; without a model the group's last message
            is the answer.
        is_termination_msg: As for every agent.
        max_consecutive_auto_reply: As for every agent.
        human_input_mode: As for every agent.
        function_map: As for every agent.
        code_execution_config: As for every agent.
        llm_config: The model that prepares the response.
        default_auto_reply: As for every agent.
        **kwargs: The other arguments of `ConversableAgent`.
    """

    DEFAULT_RESPONSE_PROMPT = (
        "Answer the request now. Write the answer so that it stands on its own, for somebody who "
        "knows nothing of the discussion, and do not mention the discussion."
    )

    def __init__(
        self,
        name: str,
        chat_manager: Any,
        response_preparer: str | Callable[..., Any] | None = None,
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: Literal["ALWAYS", "NEVER", "TERMINATE"] = "TERMINATE",
        function_map: dict[str, Callable[..., Any]] | None = None,
        code_execution_config: dict[str, Any] | Literal[False] = False,
        llm_config: dict[str, Any] | Literal[False] | None = False,
        default_auto_reply: str | dict[str, Any] | None = "",
        **kwargs: Any,
    ):
        super().__init__(
            name=name,
            system_message=kwargs.pop("system_message", ""),
            is_termination_msg=is_termination_msg,
            max_consecutive_auto_reply=max_consecutive_auto_reply,
            human_input_mode=human_input_mode,
            function_map=function_map,
            code_execution_config=code_execution_config,
            llm_config=llm_config,
            default_auto_reply=default_auto_reply,
            **kwargs,
        )
        self.update_chat_manager(chat_manager)
        if response_preparer is None:
            response_preparer = self.DEFAULT_RESPONSE_PROMPT if self.llm_config else _last_text
        if isinstance(response_preparer, str) and not self.llm_config:
            raise UsageError(
                "response_preparer is a prompt, which needs a model: give llm_config too, or a "
                "function of (agent, messages)."
            )
        self.response_preparer: str | Callable[..., Any] = response_preparer
        # The group stands where other agents ask their model.
        self._reply_func_list = [
            row
            for row in self._reply_func_list
            if getattr(row["reply_func"], "__core__", None)
            is not ConversableAgent._generate_oai_reply
        ]
        self.register_reply(
            [Agent, None],
            SocietyOfMindAgent.generate_inner_monologue_reply,
            position=len(self._reply_func_list),
        )

    @property
    def chat_manager(self) -> Any:
        """The manager of the inner group."""
        return self._chat_manager

    def update_chat_manager(self, chat_manager: Any) -> None:
        """Think with the group of another manager; None for none.

        Raises:
            UsageError: It manages no group.
        """
        if chat_manager is not None and not hasattr(chat_manager, "groupchat"):
            raise UsageError(
                f"chat_manager is {chat_manager!r}; it must be a GroupChatManager, or None."
            )
        self._chat_manager = chat_manager

    @property
    def _group_chat(self) -> Any:
        return None if self._chat_manager is None else self._chat_manager.groupchat

    @property
    def _members(self) -> list[Any]:
        """Who else replies inside a chat with this agent."""
        manager = self._chat_manager
        return [] if manager is None else [manager, *manager.groupchat.agents]

    async def _generate_inner_monologue_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """Let the group talk about the newest message; (True, what is made of it)."""
        if self._chat_manager is None:
            return False, None
        if messages is None:
            messages = self._oai_messages[sender]
        if not messages:
            return False, None
        self._forget_monologue()
        await self._tell_group(messages[:-1], sender)
        outer = current_chat()
        await point(self, "initiate_chat")(
            self._chat_manager,
            clear_history=False,
            silent=outer is not None and outer.silent,
            cache=self.client_cache,
            summary_method=None,
            message=_without_speaker(messages[-1]),
        )
        return True, await self._prepared(self._chat_manager.groupchat.messages)

    (
        _generate_inner_monologue_reply,
        generate_inner_monologue_reply,
        a_generate_inner_monologue_reply,
    ) = faces(_generate_inner_monologue_reply)

    def _forget_monologue(self) -> None:
        """Empty the minds of the group. What its models used stays counted."""
        manager = self._chat_manager
        manager.groupchat.reset()
        self.clear_history(manager)
        for agent in (manager, *manager.groupchat.agents):
            if not isinstance(agent, ConversableAgent):
                continue
            agent.clear_history()
            agent.reset_consecutive_auto_reply_counter()
            agent.stop_reply_at_receive()
            reset_configs(agent._rows or ())

    async def _tell_group(self, messages: Sequence[Mapping[str, Any]], sender: Any) -> None:
        """Let every member know the outer conversation so far."""
        other = "user" if sender is None else sender.name
        heard = []
        for message in expand_tool_responses(messages):
            own = self.name if message.get("role") == "assistant" else other
            heard.append({"name": message.get("name") or own, "content": _told(message)})
        manager = self._chat_manager
        for agent in manager.groupchat.agents:
            for one in heard:
                await point(manager, "send")(one, agent, request_reply=False, silent=True)

    async def _prepared(self, messages: list[dict[str, Any]]) -> Any:
        preparer = self.response_preparer
        if isinstance(preparer, str):
            return await self._prepared_by_model(preparer, messages)
        if inspect.iscoroutinefunction(preparer):
            return await Call(None, preparer, (self, messages))
        return await Call(preparer, None, (self, messages))

    async def _prepared_by_model(self, prompt: str, messages: Sequence[Mapping[str, Any]]) -> str:
        # Calls and results become text: the model that answers has none of the members' tools.
        talk = [
            {"role": "user", "name": message.get("name") or "team", "content": _told(message)}
            for message in expand_tool_responses(messages)
        ]
        asked = [
            {"role": "system", "content": _BEFORE},
            *talk,
            {"role": "system", "content": prompt},
        ]
        answer = await completed_text(
            self.client, messages=asked, agent=self, cache=self.client_cache
        )
        return answer if isinstance(answer, str) else content_str((answer or {}).get("content"))


def _last_text(agent: Any, messages: Sequence[Mapping[str, Any]]) -> str:
    """The last message of the group, every TERMINATE taken out."""
    content = filled(messages[-1]).get("content") if messages else None
    return content_str(content).replace("TERMINATE", "").strip()


def _without_speaker(message: Mapping[str, Any]) -> dict[str, Any]:
    """`message` as this agent can say it itself."""
    own = {k: v for k, v in message.items() if k not in ("name", "role")}
    if "tool_responses" not in own:
        return own
    return {"content": content_str(own.get("content"))}


def _told(message: Mapping[str, Any]) -> str:
    """A message in words, its calls and results included."""
    said = content_str(filled(message).get("content"))
    calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    lines = [f"Calls {call.get('name')}({call.get('arguments') or ''})" for call in calls]
    if message.get("role") in ("tool", "function"):
        said = f"Result of a call: {said}"
    return "\n".join([said, *lines] if said else lines)
