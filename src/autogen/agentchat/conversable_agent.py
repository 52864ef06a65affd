"""`ConversableAgent`: signatures, docs and delegation. What a conversation is lives in `_chat`."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar

from .. import coding, oai, runtime_logging
from .._chat import code as code_steps
from .._chat import human, model, nested, opening, reply, send, sequence, tools
from .._chat.hooks import HOOK_NAMES, is_misplaced
from .._chat.loop import initiate_chat
from .._chat.state import ChatResult, Histories, Shape
from .._chat.summary import DEFAULT_PROMPT
from .._chat.termination import LAST_LINE, DefaultTermination
from .._chat.wiring import RunOptions
from .._kernel import late
from .._kernel.drive import drive_sync
from .._kernel.faces import faces
from ..coding.config import check_config
from ..config.llm import parse_llm_config
from ..errors import UsageError, UsageTypeError
from ..human.stream import IOStream
from ..human.terminal import show_message
from ..limits.budget import Budget
from ..messages import Message, filled, introduce_to_yaml, message_dict, stored
from ..tools import registry
from ..tools.registry import register_function
from .agent import Agent
from .copying import copied_agent
from .subclassing import SubclassNames, plain_method

__all__ = ["ConversableAgent", "plain_method", "register_function"]

F = TypeVar("F", bound=Callable[..., Any])

_MODES = ("ALWAYS", "TERMINATE", "NEVER")


class _Unchosen(str):
    """A default that can be told from the same text chosen by somebody."""

    __slots__ = ()


_METHOD_OF_CLASS = _Unchosen("last_msg")
_UNSET: Any = object()


def _is_wrapped_again(known: Any, function: Any) -> bool:
    """Whether both are wrappers of one function, as when a second caller is told of it."""
    origin = getattr(function, "_origin", None)
    return origin is not None and getattr(known, "_origin", None) is origin


class ConversableAgent(SubclassNames):
    """An agent that talks with others through a model, a person, code, tools or functions of yours.

    Args:
        name: Identity in chats.
        system_message: What its model is told first; text, or content parts.
        is_termination_msg: Given a received message, says whether the chat ends there. By default a
            message does whose last line is TERMINATE.
        max_consecutive_auto_reply: How many replies in a row it gives one partner without a
            person's word; None for the class's `MAX_CONSECUTIVE_AUTO_REPLY`, 0 for none.
        human_input_mode: "ALWAYS" asks a person at every message; "TERMINATE" when a message ends
            the chat or the number of replies is reached; "NEVER" never does.
        function_map: Functions it can call for others, by name.
        code_execution_config: False, or a dict: `work_dir`, `use_docker`, `timeout`,
            `last_n_messages`, or
            `executor`.
        llm_config: The model: a dict with `config_list` or `model`, False for none, None for the
            class's
            `DEFAULT_CONFIG`. Copied one level deep, so clients inside are shared.
        default_auto_reply: What it says where nothing else answered; None stays silent.
        description: What others read to decide whether to turn to it; by default the system
            message.
        chat_messages: Histories to start from, by partner; used as they are.
        silent: True or False overrides the `silent` of every call; None leaves it to the call.

    Raises:
        UsageError: A value that can't work; the message says what can.
    """

    DEFAULT_CONFIG: ClassVar[Any] = False
    MAX_CONSECUTIVE_AUTO_REPLY: ClassVar[int] = 100
    DEFAULT_SUMMARY_PROMPT: ClassVar[str] = DEFAULT_PROMPT
    DEFAULT_SUMMARY_METHOD: ClassVar[str] = "last_msg"

    llm_config: dict[str, Any] | Literal[False]

    #: A `Budget` for everything this agent does: model calls, tool calls, code. None for no limit.
    budget: Budget | None = None

    #: The reply functions once somebody looked at or changed them; None while they are the
    #: built-ins.
    _rows: list[dict[str, Any]] | None = None
    _hooks: dict[str, list[Callable[..., Any]]] | None = None
    _legacy_executor: Any = None
    _client: Any = _UNSET
    _finished_chats: Any = None
    _default_termination: ClassVar[DefaultTermination] = LAST_LINE

    def __init__(
        self,
        name: str,
        system_message: str | list[Any] | None = "You are a helpful AI Assistant.",
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: Literal["ALWAYS", "NEVER", "TERMINATE"] = "TERMINATE",
        function_map: dict[str, Callable[..., Any]] | None = None,
        code_execution_config: dict[str, Any] | Literal[False] | None = False,
        llm_config: dict[str, Any] | Literal[False] | None = None,
        default_auto_reply: str | dict[str, Any] | None = "",
        description: str | None = None,
        chat_messages: dict[Agent, list[dict[str, Any]]] | None = None,
        silent: bool | None = None,
    ):
        if not isinstance(name, str):
            raise UsageTypeError(f"the name is {name!r}; it must be text.")
        if human_input_mode not in _MODES:
            raise UsageError(
                f"human_input_mode {human_input_mode!r} is not known; use 'ALWAYS', 'TERMINATE' "
                "or 'NEVER'."
            )
        if is_termination_msg is not None and not callable(is_termination_msg):
            raise UsageError(
                f"is_termination_msg is {is_termination_msg!r}; it must be a function of a message."
            )
        if not isinstance(max_consecutive_auto_reply, int | float | None):
            raise UsageTypeError(
                f"max_consecutive_auto_reply is {max_consecutive_auto_reply!r}; it must be a "
                "number, or None."
            )
        if not isinstance(function_map, Mapping | None):
            raise UsageTypeError(
                f"function_map is {function_map!r}; it must be a dict of functions by name."
            )
        self._name = name
        self._oai_messages: dict[Any, list[dict[str, Any]]] = Histories.over(chat_messages)
        self._oai_system_message: list[dict[str, Any]] = [
            Message(content=system_message, role="system")
        ]
        self._description = description if description is not None else system_message
        self._is_termination_msg = (
            self._default_termination if is_termination_msg is None else is_termination_msg
        )
        self.silent = silent
        self.human_input_mode = human_input_mode
        self._max_consecutive_auto_reply = (
            self.MAX_CONSECUTIVE_AUTO_REPLY
            if max_consecutive_auto_reply is None
            else max_consecutive_auto_reply
        )
        #: Whether somebody chose that number. The one of a group manager is no limit at all.
        self._limits_replies = (
            max_consecutive_auto_reply not in (None, sys.maxsize)
            or self.MAX_CONSECUTIVE_AUTO_REPLY != ConversableAgent.MAX_CONSECUTIVE_AUTO_REPLY
        )
        self._max_consecutive_auto_reply_dict: dict[Any, int] = defaultdict(self._reply_limit)
        self._consecutive_auto_reply_counter: dict[Any, int] = defaultdict(int)
        self.reply_at_receive: dict[Any, bool] = defaultdict(bool)
        self._human_input: list[str] = []
        self._default_auto_reply = default_auto_reply
        self.client_cache: Any = None
        self.llm_config = parse_llm_config(
            self.DEFAULT_CONFIG if llm_config is None else llm_config
        )
        self._function_map: dict[str, Callable[..., Any]] = {}
        for function_name, function in (function_map or {}).items():
            self._function_map[registry.valid_function_name(function_name)] = function
        self._code_executor: Any = None
        self._code_execution_config: dict[str, Any] | Literal[False] = False
        if code_execution_config is not False:
            self._set_code_execution(code_execution_config)
        if runtime_logging.logging_enabled():
            runtime_logging.log_new_agent(self, locals())

    def _set_code_execution(self, config: Any) -> None:
        if config is None:
            warnings.warn(
                "code_execution_config=None is deprecated; use {} for the defaults or False for "
                "none.",
                DeprecationWarning,
                stacklevel=4,
            )
            config = {}
        if not isinstance(config, dict):
            raise UsageError(
                f"code_execution_config is {config!r}; it must be a dict, or False to run no code."
            )
        config = dict(config)
        self._code_execution_config = config
        check_config(config)
        if config.get("executor") is not None:
            self._code_executor = coding.CodeExecutorFactory.create(config)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return copied_agent(self, memo)

    # ------------------------------------------------------------------------------- simple
    # attributes

    @property
    def name(self) -> str:
        """Identity in chats."""
        return self._name

    @property
    def description(self) -> str:
        """What others read to decide whether to turn to it."""
        return self._description  # type: ignore[return-value]

    @description.setter
    def description(self, description: str) -> None:
        self._description = description

    @property
    def system_message(self) -> str:
        """What its model is told first."""
        content: str = self._oai_system_message[0]["content"]
        return content

    def update_system_message(self, system_message: str) -> None:
        """Tell the model something else first. The description stays as it is."""
        self._oai_system_message[0]["content"] = system_message

    @property
    def client(self) -> oai.OpenAIWrapper | None:
        """The model client, made when first asked for; None without a model."""
        if self._client is _UNSET:
            self._client = oai.OpenAIWrapper(**self.llm_config) if self.llm_config else None
        client: oai.OpenAIWrapper | None = self._client
        return client

    @client.setter
    def client(self, client: Any) -> None:
        self._client = client

    @property
    def chat_messages(self) -> dict[Agent, list[dict[str, Any]]]:
        """Its messages with each partner, oldest first; live.

        The lists of a group's members may share a message that they all heard. To change what one
        of them heard, put another message in its place: `messages[i] = {**messages[i], ...}`.
        """
        introduce_to_yaml()
        return self._oai_messages

    def chat_messages_for_summary(self, agent: Agent) -> list[dict[str, Any]]:
        """The messages that a reflection on the chat with `agent` reads."""
        return self._oai_messages[agent]

    def last_message(self, agent: Agent | None = None) -> dict[str, Any] | None:
        """The newest message with `agent`; without one, that of the only conversation there is.

        Raises:
            UsageError: No agent was given and there are several conversations.
            KeyError: There is no conversation with `agent`.
        """
        if agent is None:
            if not self._oai_messages:
                return None
            if len(self._oai_messages) > 1:
                raise UsageError(
                    f"{self._name!r} has {len(self._oai_messages)} conversations; say whose last "
                    "message you want: last_message(agent)."
                )
            agent = next(iter(self._oai_messages))
        if agent not in self._oai_messages:
            raise KeyError(f"{self._name!r} has no conversation with {agent.name!r}.")
        messages = self._oai_messages[agent]
        return messages[-1] if messages else None

    @property
    def use_docker(self) -> bool | str | list[str] | None:
        """The `use_docker` of the code execution config; None where no code is run."""
        if self._code_execution_config is False:
            return None
        return self._code_execution_config.get("use_docker")

    @property
    def code_executor(self) -> Any:
        """The executor given in `code_execution_config["executor"]`, or None."""
        return self._code_executor

    @property
    def _executor(self) -> Any:
        """What runs this agent's code, whichever way it was configured."""
        if self._code_executor is not None:
            return self._code_executor
        if self._legacy_executor is None:
            self._legacy_executor = coding.legacy_executor(self._code_execution_config or {})
        return self._legacy_executor

    # ----------------------------------------------------------------------------------- reply
    # counters

    def _reply_limit(self) -> int:
        return self._max_consecutive_auto_reply

    def max_consecutive_auto_reply(self, sender: Agent | None = None) -> int:
        """How many replies in a row `sender` gets; without one, the number for everybody new."""
        if sender is None:
            return self._max_consecutive_auto_reply
        return self._max_consecutive_auto_reply_dict[sender]

    def update_max_consecutive_auto_reply(self, value: int, sender: Agent | None = None) -> None:
        """Change that number for `sender`, or for everybody, known partners included."""
        self._limits_replies = True
        if sender is None:
            self._max_consecutive_auto_reply = value
            for partner in self._max_consecutive_auto_reply_dict:
                self._max_consecutive_auto_reply_dict[partner] = value
        else:
            self._max_consecutive_auto_reply_dict[sender] = value

    def reset_consecutive_auto_reply_counter(self, sender: Agent | None = None) -> None:
        """Count replies to `sender`, or to everybody, from 0 again."""
        if sender is None:
            self._consecutive_auto_reply_counter.clear()
        else:
            self._consecutive_auto_reply_counter[sender] = 0

    def stop_reply_at_receive(self, sender: Agent | None = None) -> None:
        """No longer answer `sender`, or anybody, unless asked to."""
        if sender is None:
            self.reply_at_receive.clear()
        else:
            self.reply_at_receive[sender] = False

    def clear_history(
        self, recipient: Agent | None = None, nr_messages_to_preserve: int | None = None
    ) -> None:
        """Forget the conversation with `recipient`, or with everybody.

        Args:
            recipient: Whose conversation to forget; all of them without one.
            nr_messages_to_preserve: How many of the newest to keep of each; only without
                `recipient`. One more is kept where the oldest kept would be the result of a call
                without the call.
        """
        if recipient is not None:
            self._oai_messages[recipient].clear()
            if nr_messages_to_preserve:
                IOStream.get_default().print(
                    "nr_messages_to_preserve counts only when every conversation is cleared; it "
                    "was ignored."
                )
        elif not nr_messages_to_preserve:
            self._oai_messages.clear()
        else:
            for messages in self._oai_messages.values():
                n_kept = nr_messages_to_preserve
                if len(messages) > n_kept and "tool_responses" in messages[-n_kept]:
                    n_kept += 1
                del messages[:-n_kept]

    def reset(self) -> None:
        """Forget conversations, counters, flags and usage; bring reply configs to their start."""
        self.clear_history()
        self.reset_consecutive_auto_reply_counter()
        self.stop_reply_at_receive()
        if self._client is not _UNSET and self._client is not None:
            self._client.clear_usage_summary()
        reply.reset_configs(self._rows or ())

    # ------------------------------------------------------------------------------ sending,
    # receiving

    @staticmethod
    def _message_to_dict(message: Any) -> dict[str, Any]:
        return message_dict(message)

    @plain_method
    def _append_oai_message(
        self, message: Any, role: str, conversation_id: Any, is_sending: bool
    ) -> bool:
        """Keep a message of the conversation with `conversation_id`; whether it could be kept."""
        speaker = self.name if is_sending else conversation_id.name
        try:
            kept = stored(
                message if isinstance(message, str) else message_dict(message),
                role=role,
                speaker=speaker,
            )
        except UsageTypeError:
            raise
        except UsageError:
            return False
        histories = self._oai_messages
        if isinstance(histories, Histories):
            histories.keep(conversation_id, kept)
        else:
            histories[conversation_id].append(kept)
        return True

    @plain_method
    def _process_received_message(self, message: Any, sender: Any, silent: bool | None) -> None:
        """Keep and show a received message; for subclasses that override it and call `super()`."""
        if not self._append_oai_message(message, "user", sender, is_sending=False):
            raise UsageError(f"the message {message!r} has neither 'content' nor a tool call.")
        if not silent:
            self._print_received_message(message, sender)

    @plain_method
    def _print_received_message(self, message: Any, sender: Any) -> None:
        """Print a received message; for subclasses that override it and call `super()`."""
        stream = IOStream.get_default()
        stream.print(f"{sender.name} (to {self._name}):\n", flush=True)
        show_message(filled(message_dict(message), self.llm_config), sender.name)
        stream.print("\n" + "-" * 80, flush=True)

    async def _send(
        self,
        message: dict[str, Any] | str,
        recipient: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """Say something to `recipient`, who answers unless told not to.

        Called by a program, it returns when the exchange that follows has ended.

        Args:
            message: Text, or a message dict.
            recipient: Who hears it.
            request_reply: True or False; None leaves it to the recipient's `reply_at_receive`.
            silent: Print nothing.

        Raises:
            UsageError: The message has neither content nor a call.
        """
        await send.send(self, message, recipient, request_reply, silent)

    _send, send, a_send = faces(_send)

    async def _receive(
        self,
        message: dict[str, Any] | str,
        sender: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """Hear something from `sender`, and answer unless told not to.

        Args:
            message: Text, or a message dict.
            sender: Who said it.
            request_reply: True or False; None leaves it to `reply_at_receive[sender]`.
            silent: Print nothing.

        Raises:
            UsageError: The message has neither content nor a call.
        """
        await send.receive(self, message, sender, request_reply, silent)

    _receive, receive, a_receive = faces(_receive)

    # ------------------------------------------------------------------------------------ reply
    # chain

    async def _generate_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        **kwargs: Any,
    ) -> str | dict[str, Any] | None:
        """What the agent answers to `messages`, or to its conversation with `sender`.

        The functions of the reply chain are asked in order; the first final answer counts.

        Args:
            messages: The conversation; by default the one with `sender`.
            sender: Who is answered.
            **kwargs: `exclude`, a list of reply functions to leave out.

        Returns:
            Text, a message dict, or None to stay silent.

        Raises:
            AssertionError: Neither `messages` nor `sender` was given.
        """
        made: str | dict[str, Any] | None = await reply.generate_reply(
            self, messages, sender, kwargs.get("exclude") or ()
        )
        return made

    _generate_reply, generate_reply, a_generate_reply = faces(_generate_reply)

    async def _check_termination_and_human_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """(True, None) ends the chat, (True, reply) is a person's answer, (False, None) goes on."""
        return await human.check_termination_and_human_reply(self, messages, sender, config)

    (
        _check_termination_and_human_reply,
        check_termination_and_human_reply,
        a_check_termination_and_human_reply,
    ) = faces(_check_termination_and_human_reply)

    async def _generate_function_call_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """Carry out the function call of the last message, if it holds one."""
        return await tools.generate_function_call_reply(self, messages, sender, config)

    (
        _generate_function_call_reply,
        generate_function_call_reply,
        a_generate_function_call_reply,
    ) = faces(_generate_function_call_reply)

    async def _generate_tool_calls_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """Carry out the tool calls of the last message, if it holds any."""
        return await tools.generate_tool_calls_reply(self, messages, sender, config)

    _generate_tool_calls_reply, generate_tool_calls_reply, a_generate_tool_calls_reply = faces(
        _generate_tool_calls_reply
    )

    async def _generate_code_execution_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """Run the newest code block not answered yet, if there is one."""
        return await code_steps.generate_code_execution_reply(self, messages, sender, config)

    (
        _generate_code_execution_reply,
        generate_code_execution_reply,
        a_generate_code_execution_reply,
    ) = faces(_generate_code_execution_reply)

    async def _generate_oai_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """Ask the model, if there is one."""
        return await model.generate_oai_reply(self, messages, sender, config)

    _generate_oai_reply, generate_oai_reply, a_generate_oai_reply = faces(_generate_oai_reply)

    @property
    def _reply_func_list(self) -> list[dict[str, Any]]:
        if self._rows is None:
            with_code = self._code_execution_config is not False
            Shape.changes()
            self._rows = reply.built_in_entries(ConversableAgent, with_code=with_code)
        return self._rows

    @_reply_func_list.setter
    def _reply_func_list(self, rows: list[dict[str, Any]]) -> None:
        Shape.changes()
        self._rows = rows

    def _match_trigger(self, trigger: Any, sender: Agent | None) -> bool:
        return reply.matches(trigger, sender)

    def register_reply(
        self,
        trigger: Any,
        reply_func: Callable[..., Any],
        position: int = 0,
        config: Any = None,
        reset_config: Callable[..., Any] | None = None,
        *,
        ignore_async_in_sync_chat: bool = False,
        remove_other_reply_funcs: bool = False,
    ) -> None:
        """Have `reply_func` asked for replies to senders that `trigger` matches.

        Args:
            trigger: An agent class, an agent, a name, a function of the sender, a list of these
                (None in it matches a call without sender).
            reply_func: `f(recipient, messages, sender, config) -> (is_final, reply)`, plain or
                async.
            position: Where in the chain; 0 is asked first, 2 right after the human check.
            config: Handed to it; a copy is kept for `reset`.
            reset_config: Called with the config by `reset`, instead of copying the first one again.
            ignore_async_in_sync_chat: Leave a coroutine function out of sync chats instead of
                refusing them.
            remove_other_reply_funcs: Empty the chain first.

        Raises:
            UsageError: The trigger is of no kind that can match.
        """
        reply.check_trigger(trigger)
        row = reply.entry(
            trigger,
            reply_func,
            config=config,
            reset_config=reset_config,
            ignore_async_in_sync_chat=ignore_async_in_sync_chat,
        )
        reply.insert(self._reply_func_list, row, position, alone=remove_other_reply_funcs)

    def replace_reply_func(
        self, old_reply_func: Callable[..., Any], new_reply_func: Callable[..., Any]
    ) -> None:
        """Put `new_reply_func` where `old_reply_func` stands in the chain."""
        reply.replace(self._reply_func_list, old_reply_func, new_reply_func)

    # -------------------------------------------------------------------------------------------
    # hooks

    @property
    def hook_lists(self) -> dict[str, list[Callable[..., Any]]]:
        """The registered hooks by point; live."""
        if self._hooks is None:
            Shape.changes()
            self._hooks = {name: [] for name in HOOK_NAMES}
        return self._hooks

    @hook_lists.setter
    def hook_lists(self, hook_lists: dict[str, list[Callable[..., Any]]]) -> None:
        Shape.changes()
        self._hooks = hook_lists

    @property
    def _has_hooks(self) -> bool:
        return self._hooks is not None and any(self._hooks.values())

    def register_hook(self, hookable_method: str, hook: Callable[..., Any]) -> None:
        """Have `hook` see, and change, messages at the point `hookable_method`.

        Args:
            hookable_method: "process_last_received_message" (content -> content),
                "process_all_messages_before_reply" (messages -> messages),
                "process_message_before_send" (sender, message, recipient, silent -> message), or
                one of these with `a_` in front for a coroutine function.
            hook: The function.

        Raises:
            AssertionError: There is no such point, or the hook is there already.
        """
        if hookable_method not in self.hook_lists:
            raise AssertionError(
                f"{hookable_method} is not a hookable method; use one of {', '.join(HOOK_NAMES)}."
            )
        hooks = self.hook_lists[hookable_method]
        if hook in hooks:
            raise AssertionError(f"{hook} is already registered as a hook.")
        if is_misplaced(hookable_method, hook):
            kind = (
                "a coroutine function" if hookable_method.startswith("a_") else "a plain function"
            )
            warnings.warn(
                f"the hook {hook!r} is left out: {hookable_method} takes {kind}.", stacklevel=2
            )
        hooks.append(hook)

    # ------------------------------------------------------------------------------------------
    # people

    async def _get_human_input(self, prompt: str) -> str:
        """What a person answers to `prompt`, at the current `IOStream`."""
        return await human.get_human_input(self, prompt)

    _get_human_input, get_human_input, a_get_human_input = faces(_get_human_input)

    # ------------------------------------------------------------------------------- functions and
    # code

    @property
    def function_map(self) -> dict[str, Callable[..., Any]]:
        """The functions it can call, by name; live."""
        return self._function_map

    def can_execute_function(self, name: list[str] | str) -> bool:
        """Whether it can call the function, or all of the functions, named."""
        names = [name] if isinstance(name, str) else name
        return all(one in self._function_map for one in names)

    def register_function(self, function_map: Mapping[str, Callable[..., Any] | None]) -> None:
        """Add functions it can call; None as the function removes one.

        Raises:
            UsageError: A name that a model could not call.
        """
        for name, function in function_map.items():
            registry.valid_function_name(name)
            if function is None:
                if self._function_map.pop(name, None) is None:
                    warnings.warn(f"there is no function {name!r} to remove.", stacklevel=2)
                continue
            known = self._function_map.get(name)
            if known is not None and not _is_wrapped_again(known, function):
                warnings.warn(f"Function '{name}' is being overridden.", UserWarning, stacklevel=2)
            self._function_map[name] = function

    @plain_method
    def _wrap_function(self, func: F) -> F:
        """`func` as models call it: dicts become pydantic models, the result becomes text."""
        return registry.wrapped(func)

    def register_for_llm(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        api_style: Literal["function", "tool"] = "tool",
    ) -> Callable[[F], F]:
        """A decorator that tells this agent's model of a function. The function stays as it is.

        Decorators of several agents may be stacked: what the inner one says of name and description
        holds for the outer ones that say nothing.

        Args:
            name: What the model calls it; by default the function's own name.
            description: What it does; needed once per function.
            api_style: "tool", or "function" for services that know only the older form.

        Raises:
            UsageError: Another style; or, when the function comes, no description.
            AssertionError: The agent has no model.
        """
        return registry.register_for_llm(
            self, name=name, description=description, api_style=api_style
        )

    def register_for_execution(
        self, name: str | None = None, *, parallel: bool = False
    ) -> Callable[[F], F]:
        """A decorator that lets this agent call a function for others. It stays as it is.

        Args:
            name: Its name in the function map; by default what an inner decorator called it, else
                its own name.
            parallel: It may run in a worker thread, beside other tools that the same message asks
                for. Without it, plain functions of a sync chat run one after the other in the
                caller's thread. Coroutine functions run beside each other anyway.
        """
        return registry.register_for_execution(self, name, parallel=parallel)

    def update_tool_signature(self, tool_sig: str | dict[str, Any], is_remove: bool | None) -> None:
        """Add the schema of a tool to what the model is told; or, given its name, remove it.

        Raises:
            AssertionError: The agent has no model, or there is nothing to remove.
            UsageError: The schema is none, or a model could not call that name.
        """
        registry.update_tool_signature(self, tool_sig, is_remove)

    def update_function_signature(
        self, func_sig: str | dict[str, Any], is_remove: bool | None = None
    ) -> None:
        """`update_tool_signature` for the older form, `llm_config["functions"]`."""
        registry.update_function_signature(self, func_sig, is_remove)

    async def _execute_function(
        self, func_call: dict[str, Any], verbose: bool = False
    ) -> tuple[bool, dict[str, Any]]:
        """Call the function that `func_call` names with the arguments it holds.

        Args:
            func_call: `{"name": ..., "arguments": JSON text}`.
            verbose: Kept for 0.2; events tell whoever watches anyway.

        Returns:
            Whether it worked, and `{"name", "role": "function", "content"}`; a failure is told in
            the content and never raised.
        """
        return await tools.execute_function(self, func_call, verbose)

    _execute_function, execute_function, a_execute_function = faces(_execute_function)

    async def _execute_code_blocks(self, code_blocks: list[tuple[str, str]]) -> tuple[int, str]:
        """Run (language, code) pairs until one fails; the exit code and all output."""
        return await code_steps.execute_code_blocks(self, code_blocks)

    _execute_code_blocks, execute_code_blocks, a_execute_code_blocks = faces(_execute_code_blocks)

    async def _run_code(
        self, code: str, lang: str = "python", filename: str | None = None, **kwargs: Any
    ) -> tuple[int, str, str | None]:
        """Run one piece of code where this agent's code runs.

        Args:
            code: The code.
            lang: Its language.
            filename: The name to save it under in the work_dir.
            **kwargs: `work_dir`, `timeout`, `use_docker` and so on, in place of what the agent's
                `code_execution_config` says.

        Returns:
            Exit code, output, and the image used or None.
        """
        return await code_steps.run_code(self, code, lang, filename, kwargs)

    _run_code, run_code, a_run_code = faces(_run_code)

    # -------------------------------------------------------------------------------------------
    # chats

    @plain_method
    def _prepare_chat(
        self,
        recipient: Any,
        clear_history: bool,
        prepare_recipient: bool = True,
        reply_at_receive: bool = True,
    ) -> None:
        """Make both sides ready: counters, flags, histories, the record of human input."""
        self.reset_consecutive_auto_reply_counter(recipient)
        self.reply_at_receive[recipient] = reply_at_receive
        if clear_history:
            self.clear_history(recipient)
            self._human_input = []
        if prepare_recipient and hasattr(recipient, "_prepare_chat"):
            recipient._prepare_chat(self, clear_history, False, reply_at_receive)

    async def _generate_init_message(
        self, message: dict[str, Any] | str | None, **kwargs: Any
    ) -> str | dict[str, Any]:
        """The first message of a chat: `message` with its `carryover`; None asks a person."""
        made: str | dict[str, Any] = await opening.generate_init_message(self, message, kwargs)
        return made

    _generate_init_message, generate_init_message, a_generate_init_message = faces(
        _generate_init_message
    )

    async def _initiate_chat(
        self,
        recipient: ConversableAgent,
        clear_history: bool = True,
        silent: bool | None = False,
        cache: Any = None,
        max_turns: int | None = None,
        summary_method: str | Callable[..., Any] | None = _METHOD_OF_CLASS,
        summary_args: dict[str, Any] | None = None,
        message: dict[str, Any] | str | Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """Talk with `recipient` until one of the two stops.

        Args:
            recipient: The other side.
            clear_history: Forget what the two said before.
            silent: Print nothing.
            cache: Answers of models are taken from and kept in it during this chat.
            max_turns: At most so many messages of this agent, each with its answer; None for no
                limit.
            summary_method: "last_msg", "reflection_with_llm", a function of (sender, recipient,
                summary_args), or None; by default what the class has as `DEFAULT_SUMMARY_METHOD`.
            summary_args: For the summary: `summary_prompt`, `summary_role`, `cache`, or what your
                function takes.
            message: What to say first: text, a message dict, a function of (sender, recipient,
                context) that makes one, or None to ask a person.
            **kwargs: `run=RunOptions(...)`; `carryover`, text or a list added to the first message;
                all else is the context for a function as `message`.

        Returns:
            Transcript, summary, cost, human input, artifacts, and why it ended.

        Raises:
            UsageError: Something about the arguments can't work.
            ProviderError: No model of the config list answered. As every exception that leaves the
                chat, it carries the chat so far as `.chat_result`.
        """
        run = kwargs.get("run")
        if isinstance(run, RunOptions):
            del kwargs["run"]
        else:
            run = None
        if summary_method is _METHOD_OF_CLASS:
            summary_method = self.DEFAULT_SUMMARY_METHOD
        return await initiate_chat(
            self,
            recipient,
            clear_history=clear_history,
            silent=silent,
            cache=cache,
            max_turns=max_turns,
            summary_method=summary_method,
            summary_args=summary_args,
            message=message,
            run=run,
            context=kwargs,
        )

    _initiate_chat, initiate_chat, a_initiate_chat = faces(_initiate_chat)

    def initiate_chats(self, chat_queue: list[dict[str, Any]]) -> list[ChatResult]:
        """Chats of this agent one after the other, each hearing what the earlier ones came to.

        Args:
            chat_queue: The arguments of `initiate_chat` each, with `recipient`; `sender` is this
                agent unless given. `finished_chat_indexes_to_exclude_from_carryover` leaves results
                out.

        Returns:
            The results in order. Also kept for `get_chat_results`.

        Raises:
            AssertionError: An entry has no recipient.
        """
        queue = sequence.sent_by(self, chat_queue)
        results = drive_sync(sequence.initiate_chats(queue))
        self._finished_chats = results
        return results

    async def a_initiate_chats(self, chat_queue: list[dict[str, Any]]) -> dict[int, ChatResult]:
        """Chats side by side, each as soon as its prerequisites have ended; results by `chat_id`.

        Args:
            chat_queue: As for `initiate_chats`, with a `chat_id` each and `prerequisites`, a list
                of the ids to wait for, whose summaries alone a chat hears.

        Returns:
            The results by id. Also kept for `get_chat_results`.

        Raises:
            UsageError: An id or a prerequisite can't work.
        """
        queue = sequence.sent_by(self, chat_queue)
        results = await late.drive_async(sequence.initiate_chats_by_id(queue))
        self._finished_chats = results
        return results

    def get_chat_results(self, chat_index: int | None = None) -> Any:
        """The results of the last `initiate_chats`, or one of them."""
        results: Any = [] if self._finished_chats is None else self._finished_chats
        return results if chat_index is None else results[chat_index]

    def register_nested_chats(
        self,
        chat_queue: list[dict[str, Any]],
        trigger: Any,
        reply_func_from_nested_chats: str | Callable[..., Any] = "summary_from_nested_chats",
        position: int = 2,
        use_async: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Answer senders that `trigger` matches by talking with others first.

        Args:
            chat_queue: As for `initiate_chats`. The first entry without a `message` passes on the
                message to answer; a function as `message` is called with (recipient, messages,
                sender, config). `carry_history`, "all" or a number, puts the conversation so far
                before the message.
            trigger: As for `register_reply`.
            reply_func_from_nested_chats: "summary_from_nested_chats", or a function of (chat_queue,
                recipient, messages, sender, config) that gives (is_final, reply).
            position: Where in the chain.
            use_async: True runs the chats side by side, in async chats only; otherwise they run one
                after the other, in async chats too.
            **kwargs: `config`, `reset_config`, `ignore_async_in_sync_chat` of `register_reply`.

        Raises:
            UsageError: The function can't be called or is of the wrong kind, or an entry has no
                chat_id although `use_async` asks for one.
        """
        own: Callable[..., Any] | None = None
        if reply_func_from_nested_chats != "summary_from_nested_chats":
            if not callable(reply_func_from_nested_chats):
                raise UsageError(
                    f"reply_func_from_nested_chats is {reply_func_from_nested_chats!r}; it must be "
                    "'summary_from_nested_chats' or a function."
                )
            own = reply_func_from_nested_chats
            if use_async and not inspect.iscoroutinefunction(own):
                raise UsageError(
                    "with use_async=True reply_func_from_nested_chats must be a coroutine function."
                )
        nested.check_queue(chat_queue, use_async=use_async)
        is_async = bool(use_async) or inspect.iscoroutinefunction(own)
        core = nested.nested_reply(chat_queue, own, use_async=is_async)
        _, sync, async_ = faces(core)
        self.register_reply(
            trigger,
            async_ if is_async else sync,
            position,
            kwargs.get("config"),
            kwargs.get("reset_config"),
            ignore_async_in_sync_chat=is_async or kwargs.get("ignore_async_in_sync_chat", False),
        )

    # -------------------------------------------------------------------------------------------
    # usage

    def register_model_client(self, model_client_cls: Any, **kwargs: Any) -> None:
        """Hand in the class that a config entry names in `model_client_cls`."""
        if self.client is None:
            raise UsageError(
                f"{self._name!r} has no llm_config, so there is no entry to register a client for."
            )
        self.client.register_model_client(model_client_cls, **kwargs)

    def get_actual_usage(self) -> dict[str, Any] | None:
        """What its model calls used, cached answers left out; None without a model or a call."""
        return None if self.client is None else self.client.actual_usage_summary

    def get_total_usage(self) -> dict[str, Any] | None:
        """What its model calls used, cached answers counted; None without a model or a call."""
        return None if self.client is None else self.client.total_usage_summary

    def print_usage_summary(self, mode: str | Sequence[str] = ("actual", "total")) -> None:
        """Print what its model calls used."""
        stream = IOStream.get_default()
        if self.client is None:
            stream.print(f"No cost incurred from agent '{self._name}'.")
        else:
            stream.print(f"Agent '{self._name}':")
            self.client.print_usage_summary(mode)
