"""Sending and receiving: both keep a copy, whoever watches is told, a reply is asked for."""

from __future__ import annotations

from typing import Any

from .._kernel.faces import point
from .._kernel.ops import Call
from .._kernel.run import current_run
from ..errors import UsageError
from ..messages import filled, message_dict
from .alone import chat_alone
from .ends import goes_round
from .hooks import before_send
from .state import Chat, current_chat, is_silent
from .steps import asked
from .wiring import event, is_watched

__all__ = ["NESTED_MAX_MESSAGES", "converse", "deliver", "receive", "reply_of", "send"]

#: Where a chat that runs inside another ends, so that no reply takes forever.
NESTED_MAX_MESSAGES = 1000


async def send(
    agent: Any, message: Any, recipient: Any, request_reply: bool | None, silent: bool | None
) -> None:
    """Record `message` as said by `agent` and hand it to `recipient`."""
    chat = current_chat()
    if chat is None or chat.expecting != (agent, recipient):
        # Somebody's own code sends: what follows is a conversation of its own, finished before it
        # returns.

        async def say(own: Chat) -> None:
            # A first message is a task; the answer to an earlier one may be the end.
            own.n_messages = len(agent.chat_messages.get(recipient, ())[-1:])
            await deliver(own, agent, message, recipient, request_reply, silent)
            await converse(own, silent)

        await chat_alone(
            agent,
            recipient,
            message,
            say,
            silent=bool(silent),
            history=lambda: agent.chat_messages[recipient],
        )
        return
    process = agent._process_message_before_send
    if not getattr(process, "__plain__", False):
        args = (message_or_text(message), recipient, is_silent(agent, silent))
        message = await Call(process, None, args, place="inline")
    elif agent._has_hooks:
        message = await before_send(agent, message_or_text(message), recipient, bool(silent))
    if not agent._append_oai_message(message, "assistant", recipient, is_sending=True):
        raise _unsendable(message)
    await point(recipient, "receive")(message, agent, request_reply, silent)


def message_or_text(message: Any) -> Any:
    """`message`, converted to a dict unless it is text."""
    return message if isinstance(message, str) else message_dict(message)


def _unsendable(message: Any) -> UsageError:
    text = repr(message)
    return UsageError(
        f"the message {text[:200]} can't be stored; send text, or a dict with 'content' or a "
        "tool call."
    )


async def receive(
    agent: Any, message: Any, sender: Any, request_reply: bool | None, silent: bool | None
) -> None:
    """Record `message` as heard by `agent`; a wanted reply goes into the mailbox of the chat."""
    silent = is_silent(sender, silent)
    chat = current_chat()
    if chat is not None and chat.expecting == (sender, agent):
        await _hear(agent, message, sender, silent)
        if _is_answer_due(agent, sender, request_reply):
            chat.mailbox.append((agent, sender))
        return

    async def hear(own: Chat) -> None:
        await _hear(agent, message, sender, silent)
        if _is_answer_due(agent, sender, request_reply):
            # As in `send`: with one before it, what was just heard is no first message.
            own.n_messages = len(agent.chat_messages[sender][-2:])
            own.mailbox.append((agent, sender))
            await converse(own, silent)

    await chat_alone(
        sender,
        agent,
        message,
        hear,
        silent=bool(silent),
        history=lambda: agent.chat_messages[sender],
    )


def _is_answer_due(agent: Any, sender: Any, request_reply: bool | None) -> bool:
    return bool(agent.reply_at_receive[sender] if request_reply is None else request_reply)


async def _hear(agent: Any, message: Any, sender: Any, silent: bool | None) -> None:
    """Record a message as heard and show it, in the agent's own way if it has one."""
    process = agent._process_received_message
    if getattr(process, "__plain__", False):
        await take(agent, message, sender, silent)
        return
    await Call(process, None, (message, sender, silent), place="inline")
    if is_watched() and agent.chat_messages[sender]:
        await _tell(agent, sender, silent, is_printed=True)


async def take(agent: Any, message: Any, sender: Any, silent: bool | None) -> None:
    """Record a message as heard, and show it."""
    if not agent._append_oai_message(message, "user", sender, is_sending=False):
        raise _unsendable(message)
    if silent and not is_watched():
        return
    is_printed = not silent and not getattr(agent._print_received_message, "__plain__", False)
    if is_printed:
        await Call(agent._print_received_message, None, (message, sender), place="inline")
    await _tell(agent, sender, silent, is_printed=is_printed)


async def _tell(agent: Any, sender: Any, silent: bool | None, *, is_printed: bool) -> None:
    """Tell whoever watches of the message that `agent` heard last; `is_printed` if it was shown."""
    await event(
        "message.sent",
        {
            "sender": sender.name,
            "recipient": agent.name,
            "message": dict(filled(agent.chat_messages[sender][-1], agent.llm_config)),
            "is_printed": is_printed,
        },
        agent=sender.name,
        silent=bool(silent),
    )


async def deliver(
    chat: Chat,
    sender: Any,
    message: Any,
    recipient: Any,
    request_reply: bool | None,
    silent: bool | None,
) -> None:
    """Send one message inside `chat`, through whatever `send` and `receive` the agents have."""
    chat.expecting = (sender, recipient)
    try:
        if request_reply is None:
            await point(sender, "send")(message, recipient, silent=silent)
        else:
            await point(sender, "send")(
                message, recipient, request_reply=request_reply, silent=silent
            )
    finally:
        chat.expecting = None
    chat.n_messages += 1


async def converse(chat: Chat, silent: bool | None) -> None:
    """Answer what lies in the mailbox until nobody has to reply any more.

    One loop, however long the conversation: an agent that replies puts the other one's turn into
    the mailbox instead of calling it.
    """
    run = current_run()
    was_empty = False
    while chat.mailbox:
        # Replies that need nothing of the driver would never meet its look at the token.
        if run is not None and run.cancel.reason is not None:
            raise run.cancel.error()
        if chat.parent is not None and chat.n_messages >= NESTED_MAX_MESSAGES:
            chat.mailbox.clear()
            chat.stop_reason = "max_turns"
            return
        agent, other = chat.mailbox.popleft()
        reply = await reply_of(chat, agent, other)
        if reply is None:
            return
        await deliver(chat, agent, reply, other, None, silent)
        is_empty = _is_empty(reply)
        if is_empty and was_empty:
            chat.mailbox.clear()
            chat.stop_reason = "no_reply"
        was_empty = is_empty


async def reply_of(chat: Chat, agent: Any, other: Any) -> Any:
    """What `agent` replies to `other`; None also sets why the chat stops."""
    chat.note = None
    messages = agent.chat_messages[other]
    if chat.brakes.watch is not None and messages and await goes_round(chat, messages[-1]):
        chat.stop_reason = "loop"
        return None
    reply = await asked("reply", agent, "generate_reply")(messages=messages, sender=other)
    if reply is None:
        note: str | None = chat.note
        chat.stop_reason = "no_reply" if note is None else note
    return reply


def _is_empty(reply: Any) -> bool:
    if isinstance(reply, str):
        return not reply.strip()
    if not isinstance(reply, dict):
        return False
    content = reply.get("content")
    return (content is None or content == "" or content == []) and not any(
        reply.get(key) for key in ("tool_calls", "function_call", "tool_responses")
    )
