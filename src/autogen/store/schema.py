"""The version of a database's tables, and how it is brought to the one this code needs."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ..errors import JournalError

__all__ = ["HEAD", "upgraded"]

#: The newest version there is; a test holds it against the migrations.
HEAD = "0005"

VERSION_TABLE = "autogen_schema"

#: Any number, as long as nobody else of this database uses it for an advisory lock.
_LOCK = 0x6175746F67656E

_versions = sa.table(VERSION_TABLE, sa.column("version_num"))


def upgraded(engine: sa.Engine) -> str | None:
    """Bring the tables to version `HEAD`; the version they had before, None for a new database.

    Of several processes that open a new database at the same time, one makes the tables and the
    others wait for it.

    Raises:
        JournalError: A newer version of this package made them.
    """
    if _version(engine) == HEAD:
        return HEAD
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = _version_on(connection)
        if before != HEAD:
            _check_known(before)
            _migrate(connection)
        return before


def _version(engine: sa.Engine) -> str | None:
    with engine.connect().execution_options(autogen_reads=True) as connection:
        return _version_on(connection)


def _version_on(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(sa.select(_versions.c.version_num)).scalar()
    return version


def _check_known(version: str | None) -> None:
    if version is not None and version > HEAD:
        raise JournalError(
            f"the database has version {version} of the tables, and this version of autogen-next "
            f"knows {HEAD}. Use the version that made it, or a newer one."
        )


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    command.upgrade(config, "head")
