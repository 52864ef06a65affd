"""Opening a database: which kinds there are, how each is set up, and its errors as ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import JournalError, UsageError

__all__ = ["NOW", "READS", "check_name", "connected", "kept", "masked", "translated"]

#: How long a writer waits for another one.
BUSY_S = 30.0

#: How long a server may take to answer at all.
CONNECT_S = 10

#: How long a process may stand still inside a transaction before the server ends it.
IDLE_S = 10.0

#: The longest name: an entry of an index of Postgres has 2,704 bytes, for names and positions.
LONGEST_BYTES = 2000

#: Execution option of a connection that only reads: it then takes no lock for writing.
READS = "autogen_reads"

#: The time by the clock of the database, in seconds since the epoch.
NOW: dict[str, Any] = {
    "sqlite": sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)"),
    "postgresql": sa.literal_column("extract(epoch from statement_timestamp())::double precision"),
}

_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S*@|(password=)[^&\s]*")

#: What a message of a database has in it, and what to do about it.
_ADVICE = (
    ("readonly|read-only", "it can only be read; give its file and its folder write permission"),
    (
        "disk is full|No space left|disk I/O error",
        "the disk is full or broken; make room, then run it again: it goes on where it was",
    ),
    ("locked", f"another program kept it locked for {BUSY_S:.0f} s; end that program"),
    ("not a database|malformed", "the file is no SQLite database, or damaged; name another one"),
    ("unable to open", "its file or folder cannot be opened; check the path and its permissions"),
    ("password|authentication|role .* does not exist", "the server refused the user or password"),
    (
        "refused|timeout expired|translate host|unreachable|closed the connection|terminat",
        "the server does not answer; start it, or check the address",
    ),
    (
        "too many clients|connection slots|QueuePool",
        "no connection is free; have the server allow more, or use fewer processes and threads",
    ),
    ("database .* does not exist", "the server has no such database; create it with createdb"),
    ("permission denied", "the user may not do that in this database; grant it the right"),
    ("NUL|surrogates", "a name has a character in it that no database keeps; use another name"),
)


def masked(url: str) -> str:
    """`url`, or a text with one in it, without passwords."""
    return _PASSWORD.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", url)


def connected(url: str) -> sa.Engine:
    """An engine for `url`; nothing is connected yet.

    Raises:
        UsageError: The URL is of no kind that is known.
        JournalError: The folder of the file cannot be made.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in ("sqlite", "postgresql", "postgres") or not rest:
        raise _unknown(url)
    try:
        parsed = sa.make_url(url if scheme == "sqlite" else f"postgresql+psycopg://{rest}")
    except (sa.exc.ArgumentError, ValueError):
        # Its text may have the password in it.
        raise _unknown(url) from None
    return _sqlite(parsed) if scheme == "sqlite" else _postgres(parsed)


def _unknown(url: str) -> UsageError:
    return UsageError(
        f"the database {masked(url)!r} is of no known kind; give sqlite:///PATH or "
        "postgresql://USER@HOST/NAME."
    )


def _postgres(url: sa.URL) -> sa.Engine:
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_S}
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=24,
        connect_args=patience,
        # Texts of chats are no part of error messages.
        hide_parameters=True,
    )
    # Several rows in one statement. Else psycopg sends them one after the other, and a process that
    # stands still in between is not idle to the server, which would never end its transaction.
    engine.dialect.use_insertmanyvalues_wo_returning = True

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        # A process that stands still inside a transaction would keep its runs locked.
        connection.execute(f"set idle_in_transaction_session_timeout = '{IDLE_S:.0f}s'")
        connection.commit()

    return engine


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.host or url.query or not url.database or url.database == ":memory:":
        raise UsageError(
            f"the database {masked(str(url))!r} names no file; give sqlite:///PATH, without host "
            "or options. What is durable needs a file."
        )
    path = Path(url.database)
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.parent.name == ".autogen" and not (ignore := path.parent / ".gitignore").exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise JournalError(
            f"the folder of the database cannot be made: {error}; name a place you may write to."
        ) from error
    # Other users of the machine have no business in the chats. Where no file can be made, the first
    # connection says so.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        # Transactions are begun below, so that a writer takes its lock at once: one that reads
        # first and then wants to write fails without waiting.
        connection.isolation_level = None
        connection.execute("pragma journal_mode=wal")
        # A commit survives the death of the process. A power cut may take the newest ones, but none
        # from before a step: the journal writes to the same file, waits for the disk, and what was
        # written earlier lies there first.
        connection.execute("pragma synchronous=normal")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("begin" if reads else "begin immediate")

    return engine


def check_name(name: str) -> None:
    """Refuse a name that a database would not keep as it is, or could not look up."""
    if name != kept(name):
        raise UsageError(
            f"{name!r} has a NUL character or a lone surrogate in it, which databases do not "
            "keep; use another name."
        )
    size_bytes = len(name.encode())
    if size_bytes > LONGEST_BYTES:
        raise UsageError(
            f"the name {name[:40]!r}... is {size_bytes:,} bytes long; use one of at most "
            f"{LONGEST_BYTES:,}."
        )


def kept(text: str) -> str:
    """`text` as databases keep it: with a mark in place of what they do not."""
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    )


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of the database as ours, with what to do about them."""
    try:
        yield
    except (SQLAlchemyError, UnicodeEncodeError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = masked(" ".join(str(cause).split()))
        advice = next((words for sign, words in _ADVICE if re.search(sign, text)), None)
        raise JournalError(
            f"{what}: {advice} ({text})." if advice else f"{what}: {text}."
        ) from error
