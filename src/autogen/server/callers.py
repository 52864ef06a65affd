"""Who asks, and what they may do: callers, scopes, and whose a run is.

Every route says with `needs` which scope it wants. What belongs to somebody else is answered like
what is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from .problems import Problem

__all__ = ["ADMIN", "SCOPES", "Caller", "CallerOf", "Needs", "caller_of", "needs"]

ADMIN = "admin"

#: What a caller may be allowed to do.
SCOPES = {
    "runs:read": "see its own runs, their events and questions",
    "runs:write": "begin runs, and stop, resume and fork its own",
    "questions:answer": "answer the questions of its own runs",
    "files:write": "hand files in, and delete its own",
    "budgets:read": "see budgets",
    "budgets:write": "make and change budgets",
    "metrics:read": "read the metrics",
    "keys:admin": "add and revoke keys",
    ADMIN: "all of this, for the runs of everybody",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request.

    Attributes:
        id: Whom its runs belong to; None for the token of loopback, whose runs are nobody's.
        name: What people call it.
        scopes: What it may do.
        budget: Name of the budget that all its runs draw from, or None.
        budget_usd: What that budget is made with where there is none yet; None where it has to be
            there.
        per_minute: How many requests it may make in a minute; None for any number.
    """

    id: str | None
    name: str
    scopes: frozenset[str]
    budget: str | None = None
    budget_usd: float | None = None
    per_minute: int | None = None

    def may(self, scope: str) -> bool:
        """Whether it has a scope."""
        return scope in self.scopes or ADMIN in self.scopes

    @property
    def sees(self) -> str | None:
        """Whose runs it sees; None for everybody's."""
        return None if ADMIN in self.scopes else (self.id or "")

    def owns(self, belongs_to: str | None) -> bool:
        """Whether it may know of what belongs to somebody."""
        return self.sees is None or belongs_to == self.sees


def caller_of(request: Request) -> Caller:
    """The caller of a request; the guard has found out who it is."""
    found = request.scope.get("caller")
    if not isinstance(found, Caller):
        raise Problem(401, "it is not known who asks.", headers={"WWW-Authenticate": "Bearer"})
    return found


CallerOf = Annotated[Caller, Depends(caller_of)]


@dataclass(frozen=True, slots=True)
class Needs:
    """A dependency of a route: the scope that its caller must have."""

    scope: str

    def __call__(self, request: Request) -> None:
        """Refuse whoever lacks the scope."""
        if not caller_of(request).may(self.scope):
            raise Problem(403, f"this needs the scope {self.scope}, which the key does not have.")


def needs(scope: str) -> Any:
    """What a route of a server lists in its `dependencies`: `[needs("runs:write")]`.

    Raises:
        ValueError: There is no such scope.
    """
    if scope not in SCOPES:
        raise ValueError(f"there is no scope {scope!r}; there are: {', '.join(SCOPES)}.")
    return Depends(Needs(scope))
