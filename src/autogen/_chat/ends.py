"""How a chat begins and ends for whoever watches, and who asks the brakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._kernel.run import current_run
from ..errors import BudgetExceeded
from ..limits.spending import budgets_here
from ..messages import plain
from .state import Chat, ChatResult
from .wiring import event, is_watched

__all__ = [
    "began_by",
    "goes_round",
    "result_of",
    "tell_of_budget",
    "tell_of_end",
    "tell_of_error",
    "tell_of_start",
]


async def goes_round(chat: Chat, message: Mapping[str, Any]) -> bool:
    """Whether the chat goes round in a circle with its next message; whoever watches is told."""
    watch = chat.brakes.watch
    if watch is None:
        return False
    loop = watch.see(message)
    if loop is None:
        return False
    if is_watched():
        data = {
            "kind": loop.kind,
            "repeats": loop.repeats,
            "messages": loop.messages,
            "text": f"{loop}. The chat ends; RunOptions(loop_guard=False) lets it go on.",
        }
        await event("guard.tripped", data)
    return True


async def tell_of_budget(error: BudgetExceeded | None) -> None:
    """Tell whoever watches that a budget is used up; None where the time of one is."""
    if not is_watched():
        return
    if error is not None:
        data: dict[str, Any] = {
            "limit": error.limit,
            "most": error.most,
            "needed": error.needed,
            "left": error.left,
            "text": f"The chat ends: {error}",
        }
    else:
        is_out = any(budget.is_out_of_time() for budget in budgets_here())
        data = {
            "limit": "seconds" if is_out else "code_seconds",
            "text": "The chat ends: the time that a budget allows "
            + ("is up." if is_out else "for code is up."),
        }
    await event("budget.spent", data)


def began_by(chat: Chat) -> str:
    """The name of who began a chat; "user" where a program asked in nobody's name."""
    return "user" if chat.initiator is None else str(chat.initiator.name)


def result_of(chat: Chat, history: Iterable[Mapping[str, Any]], summary: Any) -> ChatResult:
    """What has come so far of a chat in which `history` was said."""
    run = current_run()
    return ChatResult(
        chat_history=plain(history),
        summary=summary,
        cost=chat.ledger.cost(),
        human_input=list(chat.human_input),
        stop_reason=chat.stop_reason,
        artifacts=list(chat.artifacts.values()),
        run_id=run.id if run is not None else "",
    )


async def tell_of_start(chat: Chat) -> None:
    """Tell whoever watches that a chat begins."""
    if is_watched():
        data = {"initiator": began_by(chat), "recipient": chat.recipient.name}
        await event("chat.started", data, agent=began_by(chat))


async def tell_of_end(chat: Chat, result: ChatResult) -> None:
    """Tell whoever watches what came of a chat."""
    if not is_watched():
        return
    facts: dict[str, Any] = {
        "stop_reason": result.stop_reason,
        "summary": result.summary if isinstance(result.summary, str) else repr(result.summary),
        "cost": dict(result.cost),
        "n_messages": len(result.chat_history),
        "artifacts": [artifact.to_dict() for artifact in result.artifacts],
    }
    await event("chat.finished", facts, agent=began_by(chat))


async def tell_of_error(chat: Chat, partial: ChatResult, error: BaseException) -> None:
    """Tell whoever watches that a chat ended in an error, and what had come of it."""
    if not is_watched():
        return
    data = {"type": type(error).__name__, "text": str(error)}
    try:
        if chat.stop_reason != "budget":
            await event("error", data, agent=began_by(chat))
        await tell_of_end(chat, partial)
    except Exception as another:  # noqa: BLE001 the first error is the one to raise
        if another is not error:
            error.add_note(f"Telling whoever watches failed too: {another!r}")
