"""The names under which executors are chosen; the modules behind them load when they are."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["EXECUTORS", "executor_class"]

#: Name in `code_execution_config` to module and class.
EXECUTORS: dict[str, tuple[str, str]] = {
    "commandline-docker": (".docker", "DockerCommandLineCodeExecutor"),
    "commandline-local": (".local", "LocalCommandLineCodeExecutor"),
    "commandline-pod": (".kubernetes", "PodCommandLineCodeExecutor"),
    "commandline-sandbox": (".sandbox", "SandboxCommandLineCodeExecutor"),
    "ipython-embedded": (".jupyter", "EmbeddedIPythonCodeExecutor"),
}


def executor_class(name: str) -> type[Any]:
    """The executor class that `name` stands for."""
    module_name, class_name = EXECUTORS[name]
    found: type[Any] = getattr(importlib.import_module(module_name, __package__), class_name)
    return found
