"""`Brakes`: what stops a chat that nobody stops: circles, and no limit at all.

A limit that the caller set is the caller's word: where there is one, nothing here interferes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import BudgetExceeded
from ..limits.loops import LoopGuard, Watch

__all__ = ["Brakes", "has_reply_limit"]

#: Where a chat ends that has no limit at all.
MOST_CALLS = 1000


class Brakes:
    """The brakes of one chat.

    Attributes:
        guard: Looks for circles in chats inside this one too; None for nobody.
        watch: What it knows of this chat; None where it stays out of it.
        n_calls: Model calls made inside, where they are counted.
        most_calls: When that many were made, the chat ends; None for no limit.
        counting: Those of this chat and of the chats around it that count model calls.
        n_budgets: How many budgets hold in this chat.
        n_around: How many of them hold in the chat around it.
    """

    __slots__ = (
        "counting",
        "guard",
        "most_calls",
        "n_around",
        "n_budgets",
        "n_calls",
        "watch",
    )

    def __init__(
        self,
        guard: LoopGuard | None = None,
        *,
        is_limited: bool = True,
        is_paid: bool = True,
        n_budgets: int = 0,
        around: Brakes | None = None,
    ):
        """Brakes for a new chat.

        Args:
            guard: Looks for circles; None for nobody.
            is_limited: The caller limited the length of this chat.
            is_paid: A budget or a time limit holds.
            n_budgets: How many budgets hold.
            around: Those of the chat around this one.
        """
        self.guard = guard
        self.watch: Watch | None = None if guard is None or is_limited else guard.watch()
        self.n_budgets = n_budgets
        self.n_around = 0 if around is None else around.n_budgets
        self.n_calls = 0
        is_inside_limited = around is not None and around.most_calls is None
        is_endless = not (is_limited or is_paid or is_inside_limited)
        self.most_calls: int | None = MOST_CALLS if is_endless else None
        self.counting: tuple[Brakes, ...] = () if around is None else around.counting
        if is_endless:
            self.counting = (*self.counting, self)

    def count_call(self) -> None:
        """Count a model call that is about to be made.

        Raises:
            BudgetExceeded: A chat without any limit has made as many as such a chat may.
        """
        if self.most_calls is None:
            return
        if self.n_calls >= self.most_calls:
            error = BudgetExceeded(
                f"the chat made {self.most_calls:,} model calls and has no limit of its own. Set "
                "one for it, such as max_turns, or run=RunOptions(budget=Budget(usd=...)).",
                limit="steps",
                most=self.most_calls,
                needed=1,
                left=0,
            )
            error.counted_by = self
            raise error
        self.n_calls += 1

    def is_of_a_chat_around(self, error: BudgetExceeded) -> bool:
        """Whether what is used up is a limit of a chat around this one, which then ends."""
        if error.counted_by is not None:
            return error.counted_by is not self
        return 0 <= error.place < self.n_around


def has_reply_limit(agents: Iterable[Any]) -> bool:
    """Whether somebody said how often one of `agents` may reply, or how long a group may talk."""
    return any(
        getattr(agent, "_limits_replies", False)
        or getattr(getattr(agent, "groupchat", None), "_limits_rounds", False)
        for agent in agents
    )
