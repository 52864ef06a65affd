"""Where a page begins: after a row that is known by its id."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

__all__ = ["place_of"]


def place_of(
    connection: sa.Connection,
    order: tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]],
    row_id: str,
    *conditions: sa.ColumnElement[bool],
) -> Any:
    """The place of a row, to compare with `sa.tuple_(*order)`; None if there is no such row.

    Args:
        connection: To look it up.
        order: The columns that rows are listed by: a time, and the id.
        row_id: The id of the row.
        conditions: What must hold for it, such as whose it is.
    """
    at, name = order
    found = connection.execute(sa.select(at).where(name == row_id, *conditions)).scalar()
    return None if found is None else sa.tuple_(found, row_id)
