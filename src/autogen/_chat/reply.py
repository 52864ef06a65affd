"""The reply chain: which functions are asked for a reply, in which order, and when they match."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._kernel.faces import is_face
from .._kernel.ops import Call
from .._kernel.record import recorded
from .._kernel.run import current_run
from ..errors import SenderRequired, UsageError, UsageTypeError
from ..messages import History, filled
from .alone import chat_alone
from .ends import began_by
from .hooks import before_reply, reshapes
from .state import Chat, current_chat
from .steps import TUPLE, asked
from .wiring import event

__all__ = [
    "async_only_names",
    "entry",
    "generate_reply",
    "insert",
    "matches",
    "refuse_async_replies",
    "replace",
    "reset_configs",
]

#: The built-ins, first asked first. Code execution takes part only where it is enabled.
BUILT_IN = (
    "check_termination_and_human_reply",
    "generate_function_call_reply",
    "generate_tool_calls_reply",
    "generate_code_execution_reply",
    "generate_oai_reply",
)

_ASYNC_TEXT = (
    "Async reply functions can only be used with ConversableAgent.a_initiate_chat(). "
    "The following async reply functions are found: "
)

#: Built-ins that a subclass may override; both of their faces stand in the list.
_POINTS = (*BUILT_IN, "run_chat")


def entry(
    trigger: Any,
    reply_func: Callable[..., Any],
    *,
    config: Any = None,
    reset_config: Callable[..., Any] | None = None,
    ignore_async_in_sync_chat: bool = False,
) -> dict[str, Any]:
    """One row of an agent's list of reply functions, with the keys AutoGen 0.2 gave it."""
    return {
        "trigger": trigger,
        "reply_func": reply_func,
        "config": copy.copy(config),
        "init_config": config,
        "reset_config": reset_config,
        "ignore_async_in_sync_chat": ignore_async_in_sync_chat and _is_async(reply_func),
    }


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


def built_in_entries(cls: Any, *, with_code: bool) -> list[dict[str, Any]]:
    """The rows of the built-ins: of each the async face right before the sync one, as in 0.2."""
    rows = []
    for name in BUILT_IN:
        if name == "generate_code_execution_reply" and not with_code:
            continue
        for face in (getattr(cls, f"a_{name}"), getattr(cls, name)):
            rows.append(entry(None, face, ignore_async_in_sync_chat=True))
    return rows


def check_trigger(trigger: Any) -> None:
    """Raise if `trigger` is of no kind that can match."""
    if (
        not isinstance(trigger, type | str | list)
        and not callable(trigger)
        and not _is_agent(trigger)
    ):
        raise UsageError(
            f"the trigger {trigger!r} can't match a sender; use an agent class, an agent, an "
            "agent's name, a function of the sender, or a list of these."
        )


def _is_agent(value: Any) -> bool:
    return hasattr(value, "generate_reply") and hasattr(value, "name")


def matches(trigger: Any, sender: Any) -> bool:
    """Whether a trigger fits `sender`.

    Raises:
        SenderRequired: The trigger is a name and there is no sender.
        AssertionError: A trigger function gave something else than a bool.
        UsageError: The trigger is of no kind that can match.
    """
    if trigger is None:
        return sender is None
    if isinstance(trigger, str):
        if sender is None:
            raise SenderRequired()
        return bool(trigger == sender.name)
    if isinstance(trigger, type):
        return isinstance(sender, trigger)
    if isinstance(trigger, list):
        return any(matches(one, sender) for one in trigger)
    if _is_agent(trigger):
        return bool(trigger == sender)
    if callable(trigger):
        verdict = trigger(sender)
        if verdict not in (True, False):
            raise AssertionError(
                f"the trigger {trigger!r} gave {verdict!r}; a trigger function must return a bool."
            )
        return bool(verdict)
    check_trigger(trigger)
    return False


def insert(rows: list[dict[str, Any]], row: dict[str, Any], position: int, *, alone: bool) -> None:
    """Put `row` at `position`; `alone` empties the list first."""
    if alone:
        rows.clear()
    rows.insert(position, row)


def replace(rows: list[dict[str, Any]], old: Callable[..., Any], new: Callable[..., Any]) -> None:
    """Put `new` where `old` stands.

    What replaces the sync face of a built-in serves async chats too: the async face, listed before
    it, is passed over from then on.
    """
    core = getattr(old, "__core__", None)
    for row in rows:
        function = row["reply_func"]
        if function == old:
            row["reply_func"] = new
            row.pop("is_passed_over", None)
        elif (
            core is not None and not _is_async(old) and getattr(function, "__core__", None) is core
        ):
            row["is_passed_over"] = True


def reset_configs(rows: Sequence[dict[str, Any]]) -> None:
    """Bring each row's config back to how it was registered."""
    for row in rows:
        if row["reset_config"] is not None:
            row["reset_config"](row["config"])
        else:
            row["config"] = copy.copy(row["init_config"])


def async_only_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Names of coroutine functions that nobody said to leave out of sync chats."""
    return [
        getattr(row["reply_func"], "__name__", repr(row["reply_func"]))
        for row in rows
        if _is_async(row["reply_func"])
        and not is_face(row["reply_func"])
        and not row["ignore_async_in_sync_chat"]
    ]


def refuse_async_replies(*agents: Any) -> None:
    """Raise RuntimeError if a sync chat can't ask what is registered with one of `agents`."""
    names = [name for a in agents for name in async_only_names(getattr(a, "_rows", None) or ())]
    if names:
        raise RuntimeError(_ASYNC_TEXT + ", ".join(sorted(set(names))))


async def generate_reply(
    agent: Any, messages: list[dict[str, Any]] | None, sender: Any, exclude: Sequence[Any]
) -> Any:
    """The first final answer of the chain, else the agent's default reply."""
    if messages is None:
        if sender is None:
            raise AssertionError("Either messages=... or sender=... must be provided.")
        messages = agent.chat_messages[sender]
    elif type(messages) is not History and isinstance(messages, str | Mapping):
        raise UsageTypeError(
            f"messages is {messages!r}; give a list of messages such as "
            "[{'role': 'user', 'content': '...'}]."
        )
    if current_chat() is None:
        return await _replied_alone(agent, messages, sender, exclude)
    return await _walk(agent, messages, sender, exclude)


async def _replied_alone(
    agent: Any, messages: list[dict[str, Any]], sender: Any, exclude: Sequence[Any]
) -> Any:
    """The reply in a chat of its own: a program asks for it."""
    said = [_message(message) for message in messages[-1:]]
    further = {"n_before": len(messages) - len(said)}

    async def answer(chat: Chat) -> Any:
        # One message is a task to begin with; the newest of several may be its end.
        chat.n_messages = len(messages[-2:])
        other = began_by(chat)
        for message in said:
            await _note(message, other, agent.name)
        reply = await _walk(agent, messages, sender, exclude)
        if reply is not None:
            chat.stop_reason = "max_turns"
            said.append(_message(reply))
            await _note(said[-1], agent.name, other)
        return reply

    first = said[0] if said else None
    return await chat_alone(
        sender,
        agent,
        first,
        answer,
        silent=bool(agent.silent),
        history=lambda: said,
        further=further,
    )


def _message(value: Any) -> dict[str, Any]:
    return dict(filled(value)) if isinstance(value, Mapping) else {"content": str(value)}


async def _note(message: dict[str, Any], sender: str, recipient: str) -> None:
    """Have the record, if there is one, show what was asked and answered; none of it was sent."""
    run = current_run()
    if run is None or run.recorder is None:
        return
    data = {"sender": sender, "recipient": recipient, "message": message, "is_printed": False}
    await event("message.sent", data, agent=sender, silent=True)


async def _walk(
    agent: Any, messages: list[dict[str, Any]], sender: Any, exclude: Sequence[Any]
) -> Any:
    if agent._has_hooks or reshapes(agent):
        messages = await before_reply(agent, messages)
    if agent._rows is None and not exclude:
        with_code = agent._code_execution_config is not False
        for name in BUILT_IN:
            if with_code or name != "generate_code_execution_reply":
                ask = asked("reply", agent, name, codec=TUPLE)
                final, reply = await ask(messages=messages, sender=sender, config=None)
                if final:
                    return reply
    else:
        done: set[Any] = set()
        left_out = [getattr(f, "__core__", f) for f in exclude]
        # A reply function may register others while the chain runs.
        for row in list(agent._reply_func_list):
            if _core_of(row) in left_out or not _fits(agent, row, sender):
                continue
            final, reply = await _asked(agent, row, messages, sender, done)
            if final:
                return reply
    return agent._default_auto_reply


def _core_of(row: dict[str, Any]) -> Any:
    return getattr(row["reply_func"], "__core__", row["reply_func"])


def _fits(agent: Any, row: dict[str, Any], sender: Any) -> bool:
    if row.get("is_passed_over"):
        return False
    # None alone is the trigger of the built-ins, which answer everybody.
    return row["trigger"] is None or agent._match_trigger(row["trigger"], sender)


async def _asked(
    agent: Any, row: dict[str, Any], messages: list[dict[str, Any]], sender: Any, done: set[Any]
) -> tuple[bool, Any]:
    function, config = row["reply_func"], row["config"]
    core = getattr(function, "__core__", None)
    chat = current_chat()
    is_sync = chat is not None and chat.is_sync
    if core is not None and core in done:
        return False, None
    if core is not None:
        done.add(core)
        name = function.__name__.removeprefix("a_")
        if row["ignore_async_in_sync_chat"] and name not in _POINTS and is_sync:
            return False, None
        if getattr(type(agent), name, None) is not None:
            ask = asked("reply", agent, name, codec=TUPLE)
            final, reply = await ask(messages=messages, sender=sender, config=config)
        else:
            final, reply = await core(agent, messages=messages, sender=sender, config=config)
        return final, reply
    kwargs = {"messages": messages, "sender": sender, "config": config}
    if _is_async(function):
        # Chats refuse, as they begin, those that nobody said to leave out.
        if is_sync:
            return False, None
        call = Call(None, function, (agent,), kwargs)
    else:
        call = Call(function, None, (agent,), kwargs)
    return await recorded("reply", lambda: _pair(function, call), codec=TUPLE)


async def _pair(function: Any, call: Call[Any]) -> tuple[bool, Any]:
    answer = await call
    try:
        final, reply = answer
    except (TypeError, ValueError):
        name = getattr(function, "__name__", repr(function))
        raise UsageTypeError(
            f"the reply function {name} gave {answer!r}; it must return (is_final, reply)."
        ) from None
    return final, reply
