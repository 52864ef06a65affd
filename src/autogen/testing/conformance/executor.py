"""The conformance suite of code executors.

    from autogen.testing.conformance.executor import conformance_tests

    def make(**options):
        return MyExecutor(**options)

    test_conformance = conformance_tests(make, walled=True)

gives pytest one test per rule. Without pytest, `verify(make)` checks them all and says which are
kept. `make` is called with `work_dir` (a path whose parent exists) and `timeout` (seconds), and
with the options that the claimed traits name; it need not take others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .executor_rules import RULES
from .suite import Broken, Check
from .trial import Make, Traits, Trial
from .wall_rules import WALL_RULES

__all__ = ["CHECKS", "Broken", "Check", "Traits", "Verdict", "conformance_tests", "verify"]

#: Every rule there is, in order.
CHECKS: tuple[Check, ...] = (*RULES.checks, *WALL_RULES.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one check.

    Attributes:
        error: What broke the rule; None where it was kept.
    """

    check: Check
    error: Exception | None

    @property
    def kept(self) -> bool:
        """Whether the rule was kept."""
        return self.error is None

    def __str__(self) -> str:
        mark = "kept" if self.kept else f"BROKEN ({self.error})"
        return f"{self.check.name}: {mark}"


def verify(make: Make, **traits: Any) -> list[Verdict]:
    """Check every rule that the traits call for; the verdicts, in order.

    Args:
        make: Gives a new executor: `make(work_dir=..., timeout=..., ...)`.
        traits: What the executor claims; see `Traits`.
    """
    claimed = Traits(**traits)
    verdicts = []
    for check in CHECKS:
        if claimed.meet(check):
            try:
                try_out(check, make, claimed)
            except Exception as error:  # noqa: BLE001 - a foreign executor may raise anything
                verdicts.append(Verdict(check=check, error=error))
            else:
                verdicts.append(Verdict(check=check, error=None))
    return verdicts


def conformance_tests(make: Make | str, **traits: Any) -> Callable[..., None]:
    """A test function for pytest, with one case per rule; assign it to a name like `test_...`.

    Args:
        make: As for `verify`, or the name of a fixture that gives such a function.
        traits: What the executor claims; see `Traits`.
    """
    import pytest

    claimed = Traits(**traits)
    cases = [pytest.param(check, id=check.name) for check in CHECKS if claimed.meet(check)]

    @pytest.mark.parametrize("check", cases)
    def test_conformance(check: Check, request: pytest.FixtureRequest) -> None:
        found = request.getfixturevalue(make) if isinstance(make, str) else make
        try_out(check, found, claimed)

    return test_conformance


def try_out(check: Check, make: Make, traits: Traits) -> None:
    """Run one check with executors of its own.

    Raises:
        Broken: The rule is not kept. So does any other error.
    """
    with Trial(make, traits) as trial:
        check.run(trial)
