"""Spellings that were old in AutoGen 0.2 already: still found, with a warning."""

from __future__ import annotations

import warnings
from typing import Any

from .base import CommandLineCodeResult
from .names import executor_class

__all__ = ["__getattr__"]


def __getattr__(name: str) -> Any:
    if name == "LocalCommandlineCodeExecutor":
        found = executor_class("commandline-local")
    elif name == "CommandlineCodeResult":
        found = CommandLineCodeResult
    else:
        raise AttributeError(f"there is no attribute {name!r} here")
    warnings.warn(
        f"{name} is an old spelling; use {found.__name__}.", DeprecationWarning, stacklevel=2
    )
    return found
