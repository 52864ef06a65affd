"""How a chat ends that is stopped: who asks the brakes, and what whoever watches is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BudgetExceeded
from ..limits.spending import budgets_here
from .state import Chat
from .wiring import event, is_watched

__all__ = ["goes_round", "tell_of_budget"]


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
