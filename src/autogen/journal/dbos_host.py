"""A DBOS that the program launched itself: whether there is one, and where it keeps workflows.

There is no public way to ask: https://github.com/dbos-inc/dbos-transact-py keeps its one instance
in a variable of its module, and the tables of an instance behind another.
"""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from dbos import _dbos as dbos_module

__all__ = ["is_launched", "is_on", "place"]


def is_launched() -> bool:
    """Whether the program uses DBOS itself; it is then used as it is, and left running."""
    instance = dbos_module._dbos_global_instance
    return instance is not None and instance._launched


def place() -> sa.URL:
    """The database of the program's DBOS; without its password when it is shown."""
    url: sa.URL = _tables().engine.url
    return url


def is_on(client: DBOSClient) -> bool:
    """Whether the program's DBOS uses the tables that `client` sees, however its URL is spelt."""
    ours, theirs = client._sys_db, _tables()
    return ours.schema == theirs.schema and _identity(ours.engine) == _identity(theirs.engine)


def _tables() -> Any:
    assert dbos_module._dbos_global_instance is not None
    return dbos_module._dbos_global_instance._sys_db


def _identity(engine: sa.Engine) -> tuple[str, ...]:
    if engine.dialect.name == "sqlite":
        return (os.path.realpath(str(engine.url.database)),)
    with engine.connect() as connection:
        # A server may be reached by several addresses.
        found = connection.exec_driver_sql(
            "select current_database(), pg_postmaster_start_time()::text"
        ).one()
    return tuple(map(str, found))
