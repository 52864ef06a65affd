"""Running code that models write: executors, what they take and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .base import (
        CodeBlock,
        CodeExecutionConfig,
        CodeExecutor,
        CodeExtractor,
        CodeResult,
        CommandLineCodeResult,
        IPythonCodeResult,
    )
    from .docker import DockerCommandLineCodeExecutor
    from .extract import MarkdownCodeExtractor, infer_lang
    from .factory import CodeExecutorFactory, legacy_executor
    from .kubernetes import PodCommandLineCodeExecutor
    from .local import LocalCommandLineCodeExecutor
    from .pool import SandboxPool
    from .sandbox import SandboxCommandLineCodeExecutor

__all__ = [
    "CodeBlock",
    "CodeExecutionConfig",
    "CodeExecutor",
    "CodeExecutorFactory",
    "CodeExtractor",
    "CodeResult",
    "CommandLineCodeResult",
    "DockerCommandLineCodeExecutor",
    "IPythonCodeResult",
    "LocalCommandLineCodeExecutor",
    "MarkdownCodeExtractor",
    "PodCommandLineCodeExecutor",
    "SandboxCommandLineCodeExecutor",
    "SandboxPool",
    "infer_lang",
    "legacy_executor",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CodeBlock": ".base",
        "CodeExecutionConfig": ".base",
        "CodeExecutor": ".base",
        "CodeExecutorFactory": ".factory",
        "CodeExtractor": ".base",
        "CodeResult": ".base",
        "CommandLineCodeResult": ".base",
        "DockerCommandLineCodeExecutor": ".docker",
        "IPythonCodeResult": ".base",
        "LocalCommandLineCodeExecutor": ".local",
        "MarkdownCodeExtractor": ".extract",
        "PodCommandLineCodeExecutor": ".kubernetes",
        "SandboxCommandLineCodeExecutor": ".sandbox",
        "SandboxPool": ".pool",
        "infer_lang": ".extract",
        "legacy_executor": ".factory",
    },
)
