"""Executors by name, for `code_execution_config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .base import CodeExecutor
from .legacy import LegacyExecutor
from .names import EXECUTORS, executor_class

__all__ = ["CodeExecutorFactory", "legacy_executor"]

NOT_YET = ("commandline-pod", "ipython-embedded")


class CodeExecutorFactory:
    """Makes the executor that a `code_execution_config` names."""

    @staticmethod
    def create(code_execution_config: Mapping[str, Any]) -> CodeExecutor:
        """The executor under the key "executor": an instance as it is, or one made by name.

        The keyword arguments of a name stand under that name:
        `{"executor": "commandline-local", "commandline-local": {"work_dir": "coding"}}`.

        Raises:
            UsageError: (a ValueError) The key is missing, or its value is nothing this can make.
        """
        executor = code_execution_config.get("executor")
        if executor is None:
            raise UsageError("code_execution_config has no 'executor'.")
        if isinstance(executor, CodeExecutor):
            return executor
        if isinstance(executor, str) and executor in EXECUTORS:
            made: CodeExecutor = executor_class(executor)(**code_execution_config.get(executor, {}))
            return made
        if executor in NOT_YET:
            raise UsageError(
                f"The executor {executor!r} is not built into this version yet; "
                f"use one of {', '.join(sorted(EXECUTORS))}."
            )
        raise UsageError(f"Unknown code executor {executor}")


def legacy_executor(config: Mapping[str, Any]) -> CodeExecutor:
    """The executor for the dict form without "executor"; probes nothing until code runs.

    Raises:
        UsageError: A key or value is not known.
    """
    return LegacyExecutor(config)
