"""Executors by name, for `code_execution_config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError, UsageTypeError
from .base import CodeExecutor
from .legacy import LegacyExecutor
from .names import EXECUTORS, executor_class

__all__ = ["CodeExecutorFactory", "legacy_executor"]


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
            options = code_execution_config.get(executor) or {}
            if not isinstance(options, Mapping):
                raise UsageTypeError(
                    f"code_execution_config[{executor!r}] is {options!r}; it must be a dict of "
                    f"arguments for {executor_class(executor).__name__}."
                )
            made: CodeExecutor = executor_class(executor)(**options)
            return made
        unknown = UsageError(f"Unknown code executor {executor}")
        unknown.add_note(f"give an executor, or one of {', '.join(map(repr, EXECUTORS))}.")
        raise unknown


def legacy_executor(config: Mapping[str, Any]) -> CodeExecutor:
    """The executor for the dict form without "executor"; probes nothing until code runs.

    Raises:
        UsageError: A key or value is not known.
    """
    return LegacyExecutor(config)
