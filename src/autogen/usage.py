"""Tokens and money: one record per model call, ledgers that add them up, the 0.2 `cost` shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ChatCost", "Ledger", "Usage", "merge_summaries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one model call used.

    Attributes:
        model: Name as the provider reported it.
        prompt_tokens: Tokens sent.
        completion_tokens: Tokens received, reasoning included.
        cost_usd: US dollars; None where the price is not known.
        is_cached: The answer came from a cache, so nothing was paid.
    """

    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    is_cached: bool = False


class _Sums:
    """Sums per model."""

    __slots__ = ("by_model", "total_cost")

    def __init__(self) -> None:
        self.total_cost = 0.0
        self.by_model: dict[str, list[float]] = {}

    def add(self, usage: Usage) -> None:
        row = self.by_model.get(usage.model)
        if row is None:
            row = self.by_model[usage.model] = [0.0, 0, 0]
        cost = usage.cost_usd or 0.0
        self.total_cost += cost
        row[0] += cost
        row[1] += usage.prompt_tokens
        row[2] += usage.completion_tokens

    def summary(self) -> dict[str, Any] | None:
        if not self.by_model:
            return None
        out: dict[str, Any] = {"total_cost": self.total_cost}
        for model, (cost, prompt, completion) in self.by_model.items():
            out[model] = {
                "cost": cost,
                "prompt_tokens": int(prompt),
                "completion_tokens": int(completion),
                "total_tokens": int(prompt + completion),
            }
        return out


class Ledger:
    """A running account of model calls; cheap to add to, in the 0.2 shape when read."""

    __slots__ = ("_actual", "_total", "unpriced")

    def __init__(self) -> None:
        self._total = _Sums()
        self._actual = _Sums()
        #: Models without a known price, in the order first met.
        self.unpriced: list[str] = []

    def add(self, usage: Usage) -> None:
        """Count one call."""
        self._total.add(usage)
        if not usage.is_cached:
            self._actual.add(usage)
        if usage.cost_usd is None and usage.model not in self.unpriced:
            self.unpriced.append(usage.model)

    @property
    def total(self) -> dict[str, Any] | None:
        """Summary with answers from a cache counted at their price; None before the first call."""
        return self._total.summary()

    @property
    def actual(self) -> dict[str, Any] | None:
        """Summary of what was really called; None before the first such call."""
        return self._actual.summary()

    def clear(self) -> None:
        """Forget everything."""
        self.__init__()  # type: ignore[misc]

    def cost(self) -> ChatCost:
        """The account as `ChatResult.cost`."""
        return ChatCost(total=self.total, actual=self.actual, unpriced=self.unpriced)


class ChatCost(dict[Any, Any]):
    """The cost of a chat: the 0.2 dict, which also answers as a pair.

    `cost["usage_including_cached_inference"]`, `cost[0]` and `cost.total` are one thing;
    `cost["usage_excluding_cached_inference"]`, `cost[1]` and `cost.actual` the other. Each is a
    summary
    `{"total_cost": usd, "<model>": {"cost", "prompt_tokens", "completion_tokens",
    "total_tokens"}}`.
    `unpriced` names the models whose price is not known; their cost counts as 0.0.
    """

    def __init__(
        self,
        items: Any = (),
        /,
        *,
        total: Mapping[str, Any] | None = None,
        actual: Mapping[str, Any] | None = None,
        unpriced: Iterable[str] = (),
    ):
        super().__init__(
            usage_including_cached_inference=dict(total or {"total_cost": 0}),
            usage_excluding_cached_inference=dict(actual or {"total_cost": 0}),
        )
        # `dataclasses.asdict` copies a dict by handing its items to its class.
        self.update(items)
        self.unpriced = list(unpriced)

    @property
    def total(self) -> dict[str, Any]:
        """Usage with cached answers counted."""
        summary: dict[str, Any] = self["usage_including_cached_inference"]
        return summary

    @property
    def actual(self) -> dict[str, Any]:
        """Usage without cached answers."""
        summary: dict[str, Any] = self["usage_excluding_cached_inference"]
        return summary

    def __missing__(self, key: Any) -> Any:
        if key == 0:
            return self.total
        if key == 1:
            return self.actual
        raise KeyError(key)


def merge_summaries(summaries: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The sum of usage summaries; `{"total_cost": 0}` for none."""
    out: dict[str, Any] = {"total_cost": 0}
    for summary in summaries:
        for key, value in (summary or {}).items():
            if key == "total_cost":
                out[key] += value
            else:
                row = out.setdefault(
                    key, {"cost": 0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
                )
                for name in row:
                    row[name] += value.get(name, 0)
    return out
