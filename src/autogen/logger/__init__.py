"""Loggers of runs: into an SQLite file, into a file of JSON lines, or of your own making."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .base_logger import BaseLogger
    from .file_logger import FileLogger
    from .logger_factory import LoggerFactory
    from .sqlite_logger import SqliteLogger

__all__ = ["BaseLogger", "FileLogger", "LoggerFactory", "SqliteLogger"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BaseLogger": ".base_logger",
        "FileLogger": ".file_logger",
        "LoggerFactory": ".logger_factory",
        "SqliteLogger": ".sqlite_logger",
    },
)
