"""Routes of the budgets that runs share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from fastapi import Path, Response

from ..errors import UnknownRun
from ..runtime.worker import is_own_budget
from ..store.account import BudgetRecord
from .callers import Caller, needs
from .common import Cursor, Limit, Parts, PartsOf, cursor_of, id_of_cursor, router
from .problems import Problem
from .schemas import PLAIN, BudgetIn, BudgetOut, BudgetPage
from .telling import as_json, budget_of

__all__ = ["OF_JWTS", "OF_KEYS", "budgets", "may_name", "unspent"]

#: How the names of budgets begin that are one caller's own: `key NAME` and `jwt SUBJECT`.
OF_KEYS, OF_JWTS = "key ", "jwt "

budgets = router(tag="budgets")

Name = Annotated[str, Path(min_length=1, max_length=100, pattern=PLAIN)]


@budgets.get("/budgets", response_model=BudgetPage, dependencies=[needs("budgets:read")])
def list_budgets(
    parts: PartsOf,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """The budgets that runs share, by name."""
    after = None if cursor is None else id_of_cursor(cursor)
    found = parts.runtime.budgets(after=after, limit=limit)
    more = cursor_of(found[-1].name) if len(found) == limit else None
    return as_json({"items": [budget_of(one) for one in found], "next": more})


@budgets.get("/budgets/{name}", response_model=BudgetOut, dependencies=[needs("budgets:read")])
def get_budget(parts: PartsOf, name: Name) -> Response:
    """One budget."""
    for found in parts.runtime.budgets([name]):
        return as_json(budget_of(found))
    raise Problem(404, f"there is no budget {name!a}.")


@budgets.put("/budgets/{name}", response_model=BudgetOut, dependencies=[needs("budgets:write")])
def put_budget(parts: PartsOf, name: Name, limits: BudgetIn) -> Response:
    """Make a budget, or change its limits; what was spent stays."""
    wanted = limits.limits()
    if wanted is None:
        raise Problem(422, 'a budget needs a limit at least, such as {"usd": 10}.')
    if is_own_budget(name):
        raise Problem(422, "this budget is that of a run; resume the run with a budget.")
    parts.runtime.budget(name, **wanted)
    (found,) = parts.runtime.budgets([name])
    return as_json(budget_of(found))


def may_name(caller: Caller, name: str) -> bool:
    """Whether a caller may have a run, or a key, draw from the budget with this name."""
    if is_own_budget(name):
        return False
    is_shared = not name.startswith((OF_KEYS, OF_JWTS))
    return is_shared or caller.sees is None or name == caller.budget


def unspent(
    parts: Parts, names: Collection[str], *, run_id: str | None = None
) -> dict[str, BudgetRecord]:
    """The budgets with these names, those that there are.

    Args:
        parts: Of the service.
        names: Of the budgets that a run would draw from.
        run_id: Of the run, where a client names it: one that has begun is no new one.

    Raises:
        Problem: 402; one of them is spent.
    """
    found = {one.name: one for one in parts.runtime.budgets(names)} if names else {}
    for one in found.values():
        if one.is_spent and not _has_begun(parts, run_id):
            raise Problem(402, f"the budget {one.name!a} is spent; raise its limits.")
    return found


def _has_begun(parts: Parts, run_id: str | None) -> bool:
    if run_id is None:
        return False
    try:
        parts.runtime.run(run_id)
    except UnknownRun:
        return False
    return True
