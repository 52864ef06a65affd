"""Loggers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..errors import UsageError, UsageTypeError
from .base_logger import BaseLogger
from .file_logger import FileLogger
from .sqlite_logger import SqliteLogger

__all__ = ["LoggerFactory"]


class LoggerFactory:
    """Makes the loggers that `runtime_logging.start` names."""

    @staticmethod
    def get_logger(
        logger_type: Literal["sqlite", "file"] = "sqlite", config: Mapping[str, Any] | None = None
    ) -> BaseLogger:
        """A new logger.

        Raises:
            UsageError: There is none of that name.
        """
        given: Any = config
        if given is not None and not isinstance(given, Mapping):
            raise UsageTypeError(
                f"config is {given!r}; give a dict such as {{'dbname': 'logs.db'}} or "
                "{'filename': 'runtime.log'}."
            )
        if logger_type == "sqlite":
            return SqliteLogger(config)
        if logger_type == "file":
            return FileLogger(config)
        raise UsageError(f"logger_type {logger_type!r} is not known; use 'sqlite' or 'file'.")
