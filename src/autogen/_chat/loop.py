"""A chat from its first message to its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .._kernel.ops import Flavour
from .._kernel.run import current_run
from ..errors import BudgetExceeded, RunCancelled, UsageError, UsageTypeError
from ..limits.spending import keeping_back
from .code import check_work_dirs
from .durable import began, begun, failed, finished
from .ends import result_of, tell_of_budget, tell_of_end, tell_of_error, tell_of_start
from .opening import opening_message
from .reply import refuse_async_replies
from .send import converse, deliver, reply_of
from .state import Chat, ChatResult, is_silent
from .summary import check_summary, last_message_text, summarize
from .wiring import RunOptions, chat_opened

__all__ = ["initiate_chat"]

#: The share of every budget that the talk leaves for the summary, where a model makes that.
_FOR_SUMMARY = 0.1
_ASKS_MODEL = "reflection_with_llm"


async def initiate_chat(
    initiator: Any,
    recipient: Any,
    *,
    clear_history: bool,
    silent: bool | None,
    cache: Any,
    max_turns: int | None,
    summary_method: str | Callable[..., Any] | None,
    summary_args: Mapping[str, Any] | None,
    message: Any,
    run: RunOptions | None,
    context: dict[str, Any],
) -> ChatResult:
    """Let `initiator` talk with `recipient` until one of them stops, and say what came of it."""
    turns: Any = max_turns
    if turns is not None and (not isinstance(turns, int) or turns < 1):
        raise UsageError(
            f"max_turns is {max_turns!r}; it must be None or a whole number of at least 1."
        )
    if not (hasattr(recipient, "receive") or hasattr(recipient, "a_receive")):
        raise UsageTypeError(f"the recipient is {recipient!r}; a chat needs an agent.")
    check_summary(summary_method, initiator, recipient)
    is_sync = await Flavour() == "sync"
    if is_sync:
        refuse_async_replies(*_everybody(initiator, recipient))
    check_work_dirs(initiator, recipient)
    # What the caller handed in is theirs: nothing is written into it.
    args = {**(summary_args if summary_args is not None else {})}
    execution = await begun(run, initiator, recipient, message, {"max_turns": max_turns})
    silent = is_silent(initiator, silent)
    with (
        chat_opened(
            initiator,
            recipient,
            silent=silent,
            run_options=run,
            is_limited=max_turns is not None,
            execution=execution,
        ) as (chat, is_outermost),
        _pair_taken(chat, initiator, recipient),
        _cache_lent(cache, initiator, recipient),
    ):
        chat.is_sync = is_sync
        try:
            await began(execution)
            await tell_of_start(chat)
            initiator._prepare_chat(recipient, clear_history, reply_at_receive=max_turns is None)
            try:
                with keeping_back(_FOR_SUMMARY if summary_method == _ASKS_MODEL else 0.0):
                    await _talk_paid(chat, message, max_turns, silent, context)
                if chat.stop_reason is None:
                    # Somebody's own `receive` decided it.
                    chat.stop_reason = chat.note or "no_reply"
                summary = await _summary_paid(chat, summary_method, args, cache)
            except RunCancelled as stop:
                # What was cancelled from outside ends the outermost chat; the ones inside just
                # unwind.
                if not is_outermost:
                    raise
                run_now = current_run()
                why = None if run_now is None else run_now.cancel.reason
                # A leaf that was told to stop raises without knowing why.
                chat.stop_reason = why or stop.reason
                if chat.stop_reason == "budget":
                    await tell_of_budget(None)
                has_summary = summary_method is not None and chat.n_messages
                summary = last_message_text(initiator, recipient) if has_summary else ""
            result = result_of(chat, initiator.chat_messages[recipient], summary)
            await tell_of_end(chat, result)
            await finished(execution, result)
        except GeneratorExit:
            # Whoever iterated over the chat left; nothing may be awaited any more.
            raise
        except BaseException as error:
            is_spent = isinstance(error, BudgetExceeded)
            failed_so = "error" if isinstance(error, Exception) else "cancelled"
            chat.stop_reason = "budget" if is_spent else failed_so
            partial = result_of(chat, initiator.chat_messages[recipient], "")
            setattr(error, "chat_result", partial)  # noqa: B010 any exception takes it along
            await tell_of_error(chat, partial, error)
            await failed(execution, error)
            raise
        return result


async def _talk_paid(chat: Chat, *talk: Any) -> None:
    """Talk until somebody stops, or a budget is used up."""
    try:
        await _talk(chat, *talk)
    except BudgetExceeded as spent:
        if isinstance(spent, RunCancelled) or chat.brakes.is_of_a_chat_around(spent):
            raise
        chat.stop_reason = "budget"
        await tell_of_budget(spent)


async def _summary_paid(chat: Chat, method: Any, args: Mapping[str, Any], cache: Any) -> Any:
    """The summary; the last message where there is no money left for another."""
    chat.brakes.most_calls = None
    initiator, recipient = chat.initiator, chat.recipient
    try:
        return await summarize(initiator, recipient, method=method, args=args, cache=cache)
    except BudgetExceeded as spent:
        if isinstance(spent, RunCancelled) or chat.brakes.is_of_a_chat_around(spent):
            raise
        await tell_of_budget(spent)
        return last_message_text(initiator, recipient) if chat.n_messages else ""


async def _talk(
    chat: Chat, message: Any, max_turns: int | None, silent: bool | None, context: dict[str, Any]
) -> None:
    initiator, recipient = chat.initiator, chat.recipient
    first = await opening_message(initiator, recipient, message, context)
    if max_turns is None:
        await deliver(chat, initiator, first, recipient, None, silent)
        await converse(chat, silent)
        return
    for turn in range(max_turns):
        said = first if turn == 0 else await reply_of(chat, initiator, recipient)
        if said is None:
            break
        await deliver(chat, initiator, said, recipient, True, silent)
        await converse(chat, silent)
        if chat.stop_reason is not None:
            break
    else:
        chat.stop_reason = "max_turns"


def _everybody(*agents: Any) -> Iterator[Any]:
    """Agents, and the members of the groups among them."""
    for agent in agents:
        yield agent
        yield from getattr(agent, "_members", ())


@contextmanager
def _pair_taken(chat: Chat, initiator: Any, recipient: Any) -> Iterator[None]:
    """Refuse a second chat of the same two agents beside this one; one inside it is fine."""
    taken = initiator.__dict__.setdefault("_chats_with", {})
    theirs = getattr(recipient, "__dict__", {}).setdefault("_chats_with", {})
    before = taken.get(id(recipient)) or theirs.get(id(initiator))
    if before is not None and not chat.is_within(before):
        raise UsageError(
            f"{initiator.name!r} and {recipient.name!r} are in a chat with each other already; "
            "wait for it to end, or make another pair of agents for the second chat."
        )
    taken[id(recipient)] = theirs[id(initiator)] = chat
    try:
        yield
    finally:
        for chats, other in ((taken, recipient), (theirs, initiator)):
            if before is None:
                chats.pop(id(other), None)
            else:
                chats[id(other)] = before


@contextmanager
def _cache_lent(cache: Any, *agents: Any) -> Iterator[None]:
    """Have both agents use `cache`, where one was given, until the chat ends however it ends."""
    before = [getattr(agent, "client_cache", None) for agent in agents]
    for agent in agents:
        agent.client_cache = cache
    try:
        yield
    finally:
        for agent, own in zip(agents, before, strict=True):
            agent.client_cache = own
