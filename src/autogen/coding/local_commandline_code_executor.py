"""The 0.2 address of `LocalCommandLineCodeExecutor`."""

from __future__ import annotations

from .base import CommandLineCodeResult
from .local import LocalCommandLineCodeExecutor
from .old_names import __getattr__ as __getattr__

__all__ = ["CommandLineCodeResult", "LocalCommandLineCodeExecutor"]
