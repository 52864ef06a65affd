"""Answers in a SQLite file: `<root>/<seed>/answers.sqlite3`, values as JSON, never pickled.

One connection per file and process stays open, whoever opens and closes `DiskCache` objects on it.
It is shared by all threads behind a lock; a forked child opens its own.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Self

from ..errors import UsageError
from .text import from_text, to_text

__all__ = ["DiskCache"]

# AutoGen 0.2 has its pickles in `cache.db`, in the same folder.
_FILE_NAME = "answers.sqlite3"
_BUSY_TIMEOUT_S = 5.0
_MAX_OPEN = 64
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL, "
    "at REAL NOT NULL) WITHOUT ROWID"
)


class DiskCache:
    """A cache in a folder of its own.

    Args:
        seed: The folder; made when needed.

    Raises:
        UsageError: The folder or file cannot be made, opened or read. The message says why.
    """

    def __init__(self, seed: str | int | Path):
        self._path = os.path.join(os.path.abspath(str(seed)), _FILE_NAME)
        #: What single flight knows this cache by: all objects on one file are one.
        self.store = ("sqlite", self._path)
        _file(self._path)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        return from_text(_file(self._path).get(key), default)

    def set(self, key: str, value: Any) -> None:
        """Keep `value`, which must be JSON: dicts, lists, texts, numbers, None."""
        _file(self._path).set(key, to_text(value))

    def close(self) -> None:
        """Let go. The file's connection stays open for whoever comes next."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class _File:
    """One open database file."""

    def __init__(self, path: str):
        self.path = path
        self._lock = threading.Lock()
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _told(path, error) from error
        try:
            self._prepare()
            self.identity = _identity(path)
        except sqlite3.Error as error:
            self._connection.close()
            raise _told(path, error) from error

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError:
            # A network disk without shared memory: the default journal works there.
            pass
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)

    def get(self, key: str) -> str | None:
        query = "SELECT value FROM answers WHERE key = ?"
        try:
            with self._lock:
                row = self._connection.execute(query, (key,)).fetchone()
        except sqlite3.Error as error:
            raise _told(self.path, error) from error
        return None if row is None else row[0]

    def set(self, key: str, text: str) -> None:
        statement = "INSERT OR REPLACE INTO answers (key, value, at) VALUES (?, ?, ?)"
        try:
            with self._lock:
                self._connection.execute(statement, (key, text, time.time()))
        except sqlite3.Error as error:
            raise _told(self.path, error) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __del__(self) -> None:
        # An evicted file is closed by its last user, not under one who is reading.
        if hasattr(self, "_connection"):
            self._connection.close()


def _identity(path: str) -> tuple[int, int] | None:
    """Which file lies at `path`; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _told(path: str, error: Exception) -> UsageError:
    text = str(error)
    if "locked" in text or "busy" in text:
        why = "another process holds it; wait for it, or use another cache_seed"
    elif "readonly" in text or "read-only" in text or isinstance(error, PermissionError):
        why = "it is read-only; make it writable, or use another cache_path_root"
    elif "not a database" in text or "malformed" in text:
        why = "it is damaged, or no cache of ours; delete it, or use another cache_seed"
    else:
        why = "check the folder and the free space, or use another cache_path_root"
    return UsageError(f"the cache file {path!r} can't be used ({text}): {why}.")


class _Open:
    """The files this process has open, the least recently opened first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.files: dict[str, _File] = {}


_open = _Open()
#: Connections inherited from a parent process: kept, because closing one could disturb the parent.
_inherited: list[_Open] = []


def _file(path: str) -> _File:
    """The open file at `path`; a new one where somebody deleted or replaced it."""
    found = _open.files.get(path)
    if found is not None and found.identity == _identity(path):
        return found
    with _open.lock:
        found = _open.files.get(path)
        if found is not None:
            if found.identity == _identity(path):
                return found
            del _open.files[path]
        while len(_open.files) >= _MAX_OPEN:
            del _open.files[next(iter(_open.files))]
        made = _open.files[path] = _File(path)
    return made


def _after_fork() -> None:
    _inherited.append(_open)
    globals()["_open"] = _Open()


def _close_all() -> None:
    with _open.lock:
        while _open.files:
            _open.files.popitem()[1].close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
