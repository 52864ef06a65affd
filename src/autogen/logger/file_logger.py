"""`FileLogger`: sessions as JSON lines in a file."""

from __future__ import annotations

import json
import logging
import os
import threading
import uuid
from collections.abc import Mapping
from typing import Any, TextIO

from .base_logger import BaseLogger
from .logger_utils import get_current_ts, name_of, source_of, to_dict

__all__ = ["FileLogger"]

logger = logging.getLogger("autogen")

_FOLDER = "autogen_logs"


class FileLogger(BaseLogger):
    """Adds one line per entry to `autogen_logs/runtime.log`.

    A file that can't be written is logged and ends no chat.

    Args:
        config: `{"filename": ...}`, below `autogen_logs` unless it is absolute.
    """

    def __init__(self, config: Mapping[str, Any] | None = None):
        self.config = dict(config or {})
        self.session_id = str(uuid.uuid4())
        self.log_file = os.path.join(_FOLDER, self.config.get("filename", "runtime.log"))
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def start(self) -> str:
        """Open the file; the session's id."""
        try:
            os.makedirs(os.path.dirname(self.log_file), exist_ok=True)
            self._file = open(self.log_file, "a", encoding="utf-8")  # noqa: SIM115 till stop()
        except OSError as error:
            logger.error("The log file %r can't be opened: %s", self.log_file, error)
        self._write("session", {"timestamp": get_current_ts()})
        return self.session_id

    def _write(self, kind: str, entry: Mapping[str, Any]) -> None:
        line = {
            "kind": kind,
            "session_id": self.session_id,
            **entry,
            "thread_id": threading.get_ident(),
        }
        try:
            with self._lock:
                # Another thread may end the session at any time.
                if self._file is not None:
                    self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                    self._file.flush()
        except (OSError, ValueError) as error:
            logger.error("A line of the log file %r was lost: %s", self.log_file, error)

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
        """A line of kind chat_completion."""
        entry = {
            "invocation_id": str(invocation_id),
            "client_id": client_id,
            "wrapper_id": wrapper_id,
            "source_name": name_of(source),
            "request": to_dict(request),
            "response": to_dict(response),
            "is_cached": int(is_cached),
            "cost": cost,
            "start_time": start_time,
            "end_time": get_current_ts(),
        }
        self._write("chat_completion", entry)

    def log_new_agent(self, agent: Any, init_args: Mapping[str, Any]) -> None:
        """A line of kind agent."""
        entry = {
            "agent_id": id(agent),
            "agent_name": name_of(agent),
            "agent_class": type(agent).__name__,
            "args": to_dict(init_args),
            "timestamp": get_current_ts(),
        }
        self._write("agent", entry)

    def log_event(self, source: Any, name: str, **kwargs: Any) -> None:
        """A line of kind event."""
        entry = {"event_name": name, **source_of(source)}
        if not isinstance(source, str):
            entry |= {
                "agent_module": type(source).__module__,
                "agent_class": type(source).__name__,
            }
        entry |= {"json_state": to_dict(kwargs), "timestamp": get_current_ts()}
        self._write("event", entry)

    def log_new_wrapper(self, wrapper: Any, init_args: Mapping[str, Any]) -> None:
        """A line of kind wrapper."""
        entry = {
            "wrapper_id": id(wrapper),
            "args": to_dict(init_args),
            "timestamp": get_current_ts(),
        }
        self._write("wrapper", entry)

    def log_new_client(self, client: Any, wrapper: Any, init_args: Mapping[str, Any]) -> None:
        """A line of kind client."""
        entry = {
            "client_id": id(client),
            "wrapper_id": id(wrapper),
            "class": type(client).__name__,
            "args": to_dict(init_args),
            "timestamp": get_current_ts(),
        }
        self._write("client", entry)

    def log_function_use(
        self, source: Any, function: Any, args: Mapping[str, Any], returns: Any
    ) -> None:
        """A line of kind function_call."""
        entry = {
            **source_of(source),
            "function_name": getattr(function, "__name__", str(function)),
            "args": to_dict(args),
            "returns": to_dict(returns),
            "timestamp": get_current_ts(),
        }
        self._write("function_call", entry)

    def stop(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def get_connection(self) -> None:
        """None: there is no database."""
        return
