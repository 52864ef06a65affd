"""Chats that a program opens by `send`, `receive` or `generate_reply` of its own.

Nobody asked for what comes of them. They are recorded where chats are, so that what a program asks
its agents besides is not paid again either.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .._kernel.ops import Flavour
from .._kernel.run import current_run
from ..errors import BudgetExceeded, RunCancelled
from .durable import began, begun, failed, finished
from .ends import result_of, tell_of_budget, tell_of_end, tell_of_error, tell_of_start
from .state import Chat
from .wiring import chat_opened

if TYPE_CHECKING:
    from .._durable.execution import Execution

__all__ = ["History", "chat_alone"]

T = TypeVar("T")

History = Callable[[], Iterable[Mapping[str, Any]]]


async def chat_alone(
    initiator: Any,
    recipient: Any,
    message: Any,
    talk: Callable[[Chat], Coroutine[Any, Any, T]],
    *,
    silent: bool,
    history: History,
    further: Mapping[str, Any] | None = None,
) -> T:
    """What `talk` gives, in a chat of its own.

    Args:
        initiator: Who says something; None where nobody did.
        recipient: Who is to answer.
        message: What is said first.
        talk: Gets the chat.
        silent: Nothing of it is printed.
        history: Gives what has been said, once the chat is over.
        further: What else it is asked for, as JSON.
    """
    execution = await begun(None, initiator, recipient, message, further or {})
    with chat_opened(initiator, recipient, silent=silent, execution=execution) as (chat, _):
        chat.is_sync = await Flavour() == "sync"
        if execution is None:
            return await talk(chat)
        try:
            await began(execution)
            await tell_of_start(chat)
            value = await talk(chat)
            chat.stop_reason = chat.stop_reason or chat.note or "no_reply"
        except GeneratorExit:
            # Whoever iterated over the chat left; nothing may be awaited any more.
            raise
        except (BudgetExceeded, RunCancelled) as stop:
            chat.stop_reason = _reason_of(stop)
            if chat.stop_reason == "budget":
                await tell_of_budget(None if isinstance(stop, RunCancelled) else stop)
            await _end(chat, execution, history)
            raise
        except BaseException as error:
            chat.stop_reason = "error" if isinstance(error, Exception) else "cancelled"
            await tell_of_error(chat, result_of(chat, history(), ""), error)
            await failed(execution, error)
            raise
        await _end(chat, execution, history)
        return value


async def _end(chat: Chat, execution: Execution, history: History) -> None:
    result = result_of(chat, history(), "")
    await tell_of_end(chat, result)
    await finished(execution, result)


def _reason_of(stop: BudgetExceeded | RunCancelled) -> str:
    if not isinstance(stop, RunCancelled):
        return "budget"
    run = current_run()
    # A leaf that was told to stop raises without knowing why.
    return (None if run is None else run.cancel.reason) or stop.reason
