"""One row of the table of behaviours, and the two ways to write it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Requirement", "better", "same"]


@dataclass(frozen=True)
class Requirement:
    """One behaviour that programs may rely on.

    Attributes:
        id: `part:case:what`; our own.
        says: The behaviour, in a sentence.
        verdict: "same" as AutoGen 0.2, or "better: why".
    """

    id: str
    says: str
    verdict: str


def same(id: str, says: str) -> Requirement:
    """What AutoGen 0.2 does too."""
    return Requirement(id, says, "same")


def better(id: str, says: str, *, why: str) -> Requirement:
    """What AutoGen 0.2 does otherwise, or not at all; `why` says what was wrong there."""
    return Requirement(id, says, f"better: {why}")
