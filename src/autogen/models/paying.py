"""One attempt at a model, paid for: what it may cost is set aside, what it cost is settled.

The router makes one `Payment` for each call that a budget counts; each attempt sets aside anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..config.entry import Entry
from ..config.providers import OPENAI
from ..errors import AuthenticationError, ProviderError, UsageError
from ..limits.base import NOTHING, Amounts, nano_usd
from ..limits.budget import Budget
from ..limits.spending import Charge, Fixed, ceilings
from .counting import used
from .records import Answered
from .worst_case import ModelClaim, Seen, claim_of, limited

__all__ = ["Payment"]

_STEP = Amounts(steps=1)


class Payment:
    """What one call of a model is paid from.

    Args:
        budgets: Those that hold here; at least one.
        entry: The entry that is asked.
        params: The request as the entry gets it.
        seen: Earlier requests by model; kept up to date.

    Attributes:
        answered: The last answer that was paid for.
    """

    __slots__ = ("_budgets", "_claim", "_entry", "_model", "_params", "_seen", "answered")

    def __init__(
        self,
        budgets: Sequence[Budget],
        entry: Entry,
        params: dict[str, Any],
        *,
        seen: dict[tuple[int, str], Seen],
    ):
        self.answered: Answered | None = None
        self._budgets = budgets
        self._entry = entry
        self._params = params
        self._seen = seen
        self._model: str = params.get("model") or entry.model
        self._claim: ModelClaim | Fixed | None = None

    async def _made_claim(self) -> ModelClaim | Fixed:
        limits = await ceilings(self._budgets)
        in_dollars = any(limit.nano_usd is not None for limit in limits)
        if not in_dollars and all(limit.tokens is None for limit in limits):
            return Fixed(_STEP, f"a call of {self._model!r}")
        entry = self._entry
        base_url = entry.client_options.get("base_url") or ""
        return claim_of(
            self._model,
            self._params,
            price=entry.price,
            base_url=base_url,
            is_openai=entry.client is None
            and (entry.endpoint(self._model).base_url == OPENAI.base_url),
            in_dollars=in_dollars,
            seen=self._seen.get((entry.index, self._model)),
        )

    async def attempt(self, send: Callable[[dict[str, Any]], Awaitable[Any]]) -> Any:
        """What `send` gives for the request, which gets a limit of the answer if it has none.

        Raises:
            BudgetExceeded: It might cost more than is left; nothing was sent.
        """
        if self._claim is None:
            self._claim = await self._made_claim()
        claim = self._claim
        charge = Charge(self._budgets, claim)
        async with charge as amounts:
            params = self._params
            if isinstance(claim, ModelClaim):
                params = limited(params, claim, amounts)
            try:
                # A copy each time: clients take their params apart.
                response = await send(dict(params))
            except Exception as error:
                if _is_free(error, self._entry):
                    charge.actual = NOTHING
                raise
            is_told = self._entry.client is not None or getattr(response, "usage", None) is not None
            usage, cost = used(self._entry, params, response)
            self.answered = Answered(response, usage, cost)
            # What was only counted here may be too little to book.
            booked = (usage, cost) if is_told else (None, None)
            charge.actual = self._actual(*booked, amounts)
        return response

    def _actual(self, usage: Any, cost: float | None, amounts: Amounts) -> Amounts:
        """What to book: what is known to have been used, else what was set aside."""
        tokens = amounts.tokens
        if usage is not None and (usage.prompt_tokens or usage.completion_tokens):
            tokens = usage.prompt_tokens + usage.completion_tokens
            if isinstance(self._claim, ModelClaim):
                told = self._claim.seen._replace(tokens=usage.prompt_tokens)
                self._seen[self._entry.index, self._model] = told
        booked = amounts.nano_usd if cost is None else nano_usd(cost)
        return Amounts(nano_usd=booked, tokens=tokens, steps=1)


def _is_free(error: Exception, entry: Entry) -> bool:
    """Whether a call that failed so surely was not billed."""
    if isinstance(error, ProviderError):
        return error.unbilled or (isinstance(error, AuthenticationError) and error.status is None)
    # Our own transport refuses what it cannot send; what a client of the user's does nobody knows.
    return entry.client is None and isinstance(error, UsageError)
