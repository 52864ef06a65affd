"""Opening a database: which kinds there are, how each is set up, and its errors as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import JournalError, UsageError

__all__ = ["NOW", "READS", "connected", "masked", "translated"]

#: How long a writer waits for another one.
BUSY_S = 30.0

#: Execution option of a connection that only reads: it then takes no lock for writing.
READS = "autogen_reads"

#: The time by the clock of the database, in seconds since the epoch.
NOW: dict[str, Any] = {
    "sqlite": sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)"),
    "postgresql": sa.literal_column("extract(epoch from clock_timestamp())::double precision"),
}

_PASSWORD = re.compile(r"(://[^:/@]*):[^@/]*@")

_ADVICE = (
    ("readonly", "the database can only be read; give its file and its folder write permission"),
    ("disk is full", "the disk is full; make room, then run it again: it goes on where it was"),
    ("No space left", "the disk is full; make room, then run it again: it goes on where it was"),
    ("locked", f"another program kept it locked for {BUSY_S:.0f} s; end that program"),
    ("not a database", "the file is no SQLite database; name another one"),
    ("unable to open", "its file or folder cannot be opened; check the path and its permissions"),
    ("password", "the server refused the user or the password"),
    ("Connection refused", "no server answers there; start it, or check the address"),
    ("does not exist", "there is no such database on the server; create it with createdb"),
)


def masked(url: str) -> str:
    """`url` without its password."""
    return _PASSWORD.sub(r"\1:***@", url)


def connected(url: str) -> sa.Engine:
    """An engine for `url`; nothing is connected yet.

    Raises:
        UsageError: The URL is of no kind that is known.
        JournalError: The folder of the file cannot be made.
    """
    if url.startswith("sqlite:///"):
        return _sqlite(url)
    if url.startswith(("postgresql://", "postgres://")):
        _, _, rest = url.partition("://")
        return sa.create_engine(
            f"postgresql+psycopg://{rest}", pool_pre_ping=True, pool_size=8, max_overflow=24
        )
    raise UsageError(
        f"the database {masked(url)!r} is of no known kind; give sqlite:///PATH or "
        "postgresql://USER@HOST/NAME."
    )


def _sqlite(url: str) -> sa.Engine:
    path = Path(url.removeprefix("sqlite:///"))
    if not path.name:
        raise UsageError(f"the database {url!r} names no file; give sqlite:///PATH.")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        if path.parent.name == ".autogen" and not (ignore := path.parent / ".gitignore").exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise JournalError(f"the folder of the database cannot be made: {error}.") from error
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        # Transactions are begun below, so that a writer takes its lock at once: one that reads
        # first and then wants to write fails without waiting.
        connection.isolation_level = None
        connection.execute("pragma journal_mode=wal")
        # A commit survives the death of the process; a power cut may take the newest ones.
        connection.execute("pragma synchronous=normal")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("begin" if reads else "begin immediate")

    return engine


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of the database as ours, with what to do about them."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = masked(" ".join(str(cause).split()))
        advice = next((words for sign, words in _ADVICE if sign in text), None)
        raise JournalError(
            f"{what}: {advice} ({text})." if advice else f"{what}: {text}."
        ) from error
