"""The parts of a `ConversableAgent` that AutoGen 0.2 programs know from subclassing it.

What is a point of the conversation here may be overridden in either flavour; the other names may
be called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .._chat import hooks, nested
from .._chat.model import completed_text, normal_name
from .._chat.opening import with_carryover
from .._chat.reply import refuse_async_replies
from .._chat.state import is_silent
from .._chat.summary import by_method, last_message_text, reflect
from .._kernel.drive import drive_sync
from .._kernel.faces import faces
from ..errors import UsageError
from ..messages import expand_tool_responses
from ..tools.arguments import escaped_json
from ..tools.registry import valid_function_name

__all__ = ["SubclassNames", "plain_method"]

F = TypeVar("F", bound=Callable[..., Any])


def plain_method(method: F) -> F:
    """Mark a method that 0.2 programs override; the core asks whether somebody did."""
    method.__plain__ = True  # type: ignore[attr-defined]
    return method


class SubclassNames:
    """What subclasses of AutoGen 0.2 agents call and override beside the public methods."""

    async def _process_last_received_message(
        self, messages: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """`messages` with the last one as the hooks want it; what is stored is not changed."""
        return await hooks.last_received(self, messages)

    (
        _process_last_received_message,
        process_last_received_message,
        a_process_last_received_message,
    ) = faces(_process_last_received_message)

    async def _process_all_messages_before_reply(
        self, messages: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """`messages` as the hooks want them answered; what is stored is not changed."""
        return await hooks.all_before_reply(self, messages)

    (
        _process_all_messages_before_reply,
        process_all_messages_before_reply,
        a_process_all_messages_before_reply,
    ) = faces(_process_all_messages_before_reply)

    @plain_method
    def _summarize_chat(
        self,
        summary_method: str | Callable[..., Any] | None,
        summary_args: Mapping[str, Any] | None,
        recipient: Any = None,
        cache: Any = None,
    ) -> Any:
        """The summary of the chat with `recipient`."""
        args = summary_args or {}
        return drive_sync(by_method(self, recipient, method=summary_method, args=args, cache=cache))

    @staticmethod
    def _last_msg_as_summary(
        sender: Any, recipient: Any, summary_args: Mapping[str, Any] | None
    ) -> str:
        """The summary "last_msg"."""
        return last_message_text(sender, recipient)

    @staticmethod
    def _reflection_with_llm_as_summary(
        sender: Any, recipient: Any, summary_args: Mapping[str, Any] | None
    ) -> str:
        """The summary "reflection_with_llm"."""
        return drive_sync(reflect(sender, recipient, summary_args or {}, None))

    def _process_carryover(self, content: str, kwargs: Mapping[str, Any]) -> str:
        """A first message with the `carryover` of `kwargs`."""
        made: str = with_carryover(content, kwargs.get("carryover"))
        return made

    @plain_method
    def _generate_oai_reply_from_client(
        self, llm_client: Any, messages: Sequence[Mapping[str, Any]], cache: Any
    ) -> str | dict[str, Any] | None:
        """What a model client says to `messages`, which have the system message already."""
        context = messages[-1].get("context") if messages else None
        ready = list(expand_tool_responses(messages))
        return drive_sync(
            completed_text(llm_client, messages=ready, agent=self, cache=cache, context=context)
        )

    @plain_method
    def _process_message_before_send(self, message: Any, recipient: Any, silent: bool) -> Any:
        """A message as the hooks want it sent; for subclasses that override it and call it."""
        return drive_sync(hooks.before_send(self, message, recipient, silent))

    @staticmethod
    def _get_chats_to_run(
        chat_queue: Sequence[dict[str, Any]],
        recipient: Any,
        messages: Sequence[dict[str, Any]] | None,
        sender: Any,
        config: Any,
    ) -> list[dict[str, Any]]:
        """The nested chats that have something to say, as `initiate_chats` takes them."""
        return drive_sync(nested.chats_to_run(chat_queue, recipient, messages, sender, config))

    @staticmethod
    def _summary_from_nested_chats(
        chat_queue: Sequence[dict[str, Any]],
        recipient: Any,
        messages: Sequence[dict[str, Any]] | None,
        sender: Any,
        config: Any,
    ) -> tuple[bool, Any]:
        """The reply "summary_from_nested_chats"."""
        return drive_sync(
            nested.summary_from_nested_chats(chat_queue, recipient, messages, sender, config)
        )

    @staticmethod
    def _format_json_str(jstr: str) -> str:
        """JSON text as models write it, with line breaks and tabs inside of texts escaped."""
        return escaped_json(jstr)

    @staticmethod
    def _normalize_name(name: str) -> str:
        """A function name as models take it."""
        return normal_name(name)

    @staticmethod
    def _assert_valid_name(name: str) -> str:
        """`name` itself; ValueError if models could not call a function of that name."""
        return valid_function_name(name)

    def _handle_carryover(self, message: Any, kwargs: Mapping[str, Any]) -> Any:
        """A first message of any form with the `carryover` of `kwargs`."""
        return with_carryover(message, kwargs.get("carryover"))

    def _str_for_tool_response(self, tool_response: Mapping[str, Any]) -> str:
        """The text of one tool response."""
        return str(tool_response.get("content", ""))

    def _reflection_with_llm(
        self,
        prompt: str,
        messages: Sequence[Mapping[str, Any]],
        llm_agent: Any = None,
        cache: Any = None,
        role: str | None = None,
    ) -> str | dict[str, Any] | None:
        """What the model of `llm_agent`, else of this agent, says to `prompt` after `messages`."""
        client = getattr(llm_agent, "client", None) or getattr(self, "client", None)
        if client is None:
            raise UsageError(
                f"neither {self!r} nor {llm_agent!r} has a model to reflect with; give llm_config."
            )
        asked = [*messages, {"role": role or "system", "content": prompt}]
        return self._generate_oai_reply_from_client(client, asked, cache)

    @staticmethod
    def _is_silent(agent: Any, silent: bool | None = False) -> bool:
        """Whether `agent` is silent where the call says `silent`."""
        return is_silent(agent, silent)

    def _raise_exception_on_async_reply_functions(self) -> None:
        """Raise RuntimeError if a coroutine function is registered that sync chats can't ask."""
        refuse_async_replies(self)
