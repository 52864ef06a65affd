"""The names under which executors are chosen; the modules behind them load when they are."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["EXECUTORS", "NOT_YET", "executor_class"]

#: Name in `code_execution_config` to module and class.
EXECUTORS: dict[str, tuple[str, str]] = {
    "commandline-docker": (".docker", "DockerCommandLineCodeExecutor"),
    "commandline-local": (".local", "LocalCommandLineCodeExecutor"),
    "commandline-sandbox": (".sandbox", "SandboxCommandLineCodeExecutor"),
    "ipython-embedded": (".jupyter", "EmbeddedIPythonCodeExecutor"),
}

#: Names that AutoGen 0.2 or this package's plans know, with nothing behind them yet.
NOT_YET = ("commandline-pod",)


def executor_class(name: str) -> type[Any]:
    """The executor class that `name` stands for."""
    module_name, class_name = EXECUTORS[name]
    found: type[Any] = getattr(importlib.import_module(module_name, __package__), class_name)
    return found
