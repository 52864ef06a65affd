"""`SqliteLogger`: sessions in an SQLite file, in the tables that 0.2 made."""

from __future__ import annotations

import logging
import sqlite3
import threading
import uuid
from collections.abc import Mapping
from typing import Any, Final

from .base_logger import BaseLogger
from .logger_utils import get_current_ts, name_of, source_of, to_json

__all__ = ["SqliteLogger"]

logger = logging.getLogger("autogen")

SCHEMA_VERSION: Final = 1

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS chat_completions (
    id INTEGER PRIMARY KEY,
    invocation_id TEXT,
    client_id INTEGER,
    wrapper_id INTEGER,
    session_id TEXT,
    source_name TEXT,
    request TEXT,
    response TEXT,
    is_cached INTEGER,
    cost REAL,
    start_time DATETIME DEFAULT CURRENT_TIMESTAMP,
    end_time DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS agents (
    id INTEGER PRIMARY KEY,
    agent_id INTEGER,
    wrapper_id INTEGER,
    session_id TEXT,
    name TEXT,
    class TEXT,
    init_args TEXT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (agent_id, session_id)
);
CREATE TABLE IF NOT EXISTS oai_wrappers (
    id INTEGER PRIMARY KEY,
    wrapper_id INTEGER,
    session_id TEXT,
    init_args TEXT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (wrapper_id, session_id)
);
CREATE TABLE IF NOT EXISTS oai_clients (
    id INTEGER PRIMARY KEY,
    client_id INTEGER,
    wrapper_id INTEGER,
    session_id TEXT,
    class TEXT,
    init_args TEXT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (client_id, session_id)
);
CREATE TABLE IF NOT EXISTS version (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version_number INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    event_name TEXT,
    source_id INTEGER,
    source_name TEXT,
    agent_module TEXT DEFAULT NULL,
    agent_class_name TEXT DEFAULT NULL,
    id INTEGER PRIMARY KEY,
    json_state TEXT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS function_calls (
    source_id INTEGER,
    source_name TEXT,
    function_name TEXT,
    args TEXT DEFAULT NULL,
    returns TEXT DEFAULT NULL,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP
);
"""


class SqliteLogger(BaseLogger):
    """Writes each row at once. A database that can't be written is logged and ends no chat.

    Args:
        config: `{"dbname": path of the file}`; "logs.db" by default.
    """

    def __init__(self, config: Mapping[str, Any] | None = None):
        self.config = dict(config or {})
        self.session_id = str(uuid.uuid4())
        self.con: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def start(self) -> str:
        """Open the file, make the tables that are missing; the session's id."""
        name = self.config.get("dbname", "logs.db")
        try:
            # Rows come from whatever threads the chats run in, one at a time.
            self.con = sqlite3.connect(name, check_same_thread=False)
            with self._lock, self.con:
                self.con.executescript(_TABLES)
                self.con.execute(
                    "INSERT OR IGNORE INTO version (id, version_number) VALUES (1, ?)",
                    (SCHEMA_VERSION,),
                )
        except sqlite3.Error as error:
            logger.error("The log database %r can't be opened: %s", name, error)
        return self.session_id

    def _insert(self, table: str, row: Mapping[str, Any], *, once: bool = False) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        word = "INSERT OR IGNORE" if once else "INSERT"
        # Names of tables and columns are this module's; values are bound.
        statement = f"{word} INTO {table} ({names}) VALUES ({marks})"
        try:
            with self._lock:
                # Another thread may end the session at any time.
                if self.con is not None:
                    with self.con:
                        self.con.execute(statement, tuple(row.values()))
        except sqlite3.Error as error:
            logger.error("A row of the log table %s was lost: %s", table, error)

    def log_chat_completion(
        self,
        invocation_id: str,
        client_id: int,
        wrapper_id: int,
        source: Any,
        request: Mapping[str, Any],
        response: Any,
        is_cached: int,
        cost: float,
        start_time: str,
    ) -> None:
        """A row of chat_completions."""
        row = {
            "invocation_id": str(invocation_id),
            "client_id": client_id,
            "wrapper_id": wrapper_id,
            "session_id": self.session_id,
            "source_name": name_of(source),
            "request": to_json(request),
            "response": to_json(response),
            "is_cached": int(is_cached),
            "cost": cost,
            "start_time": start_time,
            "end_time": get_current_ts(),
        }
        self._insert("chat_completions", row)

    def log_new_agent(self, agent: Any, init_args: Mapping[str, Any]) -> None:
        """A row of agents, once per agent and session."""
        row = {
            "agent_id": id(agent),
            "session_id": self.session_id,
            "name": name_of(agent),
            "class": type(agent).__name__,
            "init_args": to_json(init_args),
            "timestamp": get_current_ts(),
        }
        self._insert("agents", row, once=True)

    def log_event(self, source: Any, name: str, **kwargs: Any) -> None:
        """A row of events."""
        row = {"event_name": name, **source_of(source)}
        if not isinstance(source, str):
            row |= {
                "agent_module": type(source).__module__,
                "agent_class_name": type(source).__name__,
            }
        row |= {"json_state": to_json(kwargs), "timestamp": get_current_ts()}
        self._insert("events", row)

    def log_new_wrapper(self, wrapper: Any, init_args: Mapping[str, Any]) -> None:
        """A row of oai_wrappers, once per wrapper and session."""
        row = {
            "wrapper_id": id(wrapper),
            "session_id": self.session_id,
            "init_args": to_json(init_args),
            "timestamp": get_current_ts(),
        }
        self._insert("oai_wrappers", row, once=True)

    def log_new_client(self, client: Any, wrapper: Any, init_args: Mapping[str, Any]) -> None:
        """A row of oai_clients, once per client and session."""
        row = {
            "client_id": id(client),
            "wrapper_id": id(wrapper),
            "session_id": self.session_id,
            "class": type(client).__name__,
            "init_args": to_json(init_args),
            "timestamp": get_current_ts(),
        }
        self._insert("oai_clients", row, once=True)

    def log_function_use(
        self, source: Any, function: Any, args: Mapping[str, Any], returns: Any
    ) -> None:
        """A row of function_calls."""
        row = {
            **source_of(source),
            "function_name": getattr(function, "__name__", str(function)),
            "args": to_json(args),
            "returns": to_json(returns),
            "timestamp": get_current_ts(),
        }
        self._insert("function_calls", row)

    def stop(self) -> None:
        """Close the file."""
        with self._lock:
            if self.con is not None:
                self.con.close()
                self.con = None

    def get_connection(self) -> sqlite3.Connection | None:
        """The open connection, or None."""
        return self.con
