"""The 0.2 address of `DockerCommandLineCodeExecutor`."""

from __future__ import annotations

from .base import CommandLineCodeResult
from .docker import DockerCommandLineCodeExecutor

__all__ = ["CommandLineCodeResult", "DockerCommandLineCodeExecutor"]
