"""The SQLite file of a `LocalMemory`: its tables, how it is opened, what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from ..errors import UsageError

__all__ = ["Connection", "file_path", "told"]

_FILE_NAME: Final = "memory.sqlite3"
_BUSY_TIMEOUT_S: Final = 30.0
_SCHEMA_VERSION: Final = 1
#: Marks a file as one of ours: "agmm" in ASCII.
_APPLICATION_ID: Final = 0x61676D6D
_SCHEMA: Final = (
    # A change takes the next number: `revision` is that of the last change, `removed_at` that of
    # the last one that took something away, `changed_at` that of the row.
    "CREATE TABLE collections (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL "
    "UNIQUE, embedder TEXT, dim INTEGER, revision INTEGER NOT NULL DEFAULT 0, "
    "removed_at INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE entries (row INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, "
    "id TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL, vector BLOB NOT NULL, "
    "changed_at INTEGER NOT NULL, UNIQUE (collection, id))",
    "CREATE INDEX entries_by_change ON entries (collection, changed_at)",
)


class Connection:
    """A connection of this process to a file."""

    def __init__(self, path: str | None, *, is_open: bool = True):
        self._path = path
        self._connection: sqlite3.Connection | None = None
        if is_open:
            self.open()

    def open(self) -> sqlite3.Connection:
        """The connection, opened when it is first asked for."""
        if self._connection is None:
            self._connection = _opened(self._path)
        return self._connection

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._connection is not None:
            self._connection.close()


def _opened(path: str | None) -> sqlite3.Connection:
    try:
        if path is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        connection = sqlite3.connect(
            path or ":memory:",
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except (OSError, sqlite3.Error) as error:
        raise told(path, error) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise told(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str | None) -> None:
    # One transaction sees the file before or after another process made it ours, never halfway.
    connection.execute("BEGIN")
    _check_ours(connection, path)
    connection.execute("COMMIT")
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlite3.OperationalError:
        # A network disk without shared memory: the default journal works there.
        pass
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    # Asked again inside the transaction: another process may have been first.
    if not _version(connection):
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check_ours(connection: sqlite3.Connection, path: str | None) -> None:
    version = _version(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if n_tables and application != _APPLICATION_ID:
        raise UsageError(f"the file {path!r} is a database of something else; use another path.")
    if version > _SCHEMA_VERSION:
        raise UsageError(
            f"the file {path!r} was written by a newer version of autogen (schema {version}, this "
            f"one knows up to {_SCHEMA_VERSION}); use that version, or another path."
        )


def file_path(path: str | os.PathLike[str]) -> str:
    """The file that `path` means: itself, or `memory.sqlite3` in a folder."""
    full = os.path.abspath(os.path.expanduser(os.fspath(path)))
    if os.path.isdir(full) or not os.path.splitext(full)[1]:
        return os.path.join(full, _FILE_NAME)
    return full


def told(path: str | None, error: Exception) -> UsageError:
    """`error` of the file as one for people."""
    text = str(error)
    if "locked" in text or "busy" in text:
        why = "another process holds it; wait for it, or use another path"
    elif "readonly" in text or "read-only" in text or isinstance(error, PermissionError):
        why = "it is read-only; make it writable, or use another path"
    elif "not a database" in text or "malformed" in text:
        why = "it is damaged, or no store of ours; use another path"
    elif "surrogates" in text:
        why = "a text has characters that can't be written as UTF-8"
    else:
        why = "check the folder and the free space, or use another path"
    return UsageError(f"the store {path or 'in memory'!r} can't be used ({text}): {why}.")
