"""What a conformance suite consists of: named checks, each for one rule. Knows no port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Broken", "Check", "Suite", "expect"]


class Broken(AssertionError):
    """A rule is not kept; the message says what was expected and what was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule.

    Attributes:
        name: Short and stable.
        rule: What has to hold, in a sentence.
        needs: Traits without which the rule means nothing; `not x` is the absence of one.
        run: Called with a trial; raises `Broken`.
    """

    name: str
    rule: str
    needs: tuple[str, ...]
    run: Callable[[Any], None]


class Suite:
    """Checks in the order in which they were written down."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def check(self, *needs: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
        """Take the function below for a check; its docstring is the rule."""

        def take(run: Callable[[Any], None]) -> Callable[[Any], None]:
            rule = " ".join((run.__doc__ or "").split())
            name = run.__name__.replace("_", "-")
            self.checks.append(Check(name=name, rule=rule, needs=needs, run=run))
            return run

        return take


def expect(kept: object, what: str, found: object) -> None:
    """Raise `Broken` unless the rule was kept."""
    if not kept:
        raise Broken(f"expected {what}; found {found!r}")
