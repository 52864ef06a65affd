"""Running code that models write: executors, what they take and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .base import CodeBlock, CodeExecutor, CodeExtractor, CodeResult
    from .docker import DockerCommandLineCodeExecutor
    from .extract import MarkdownCodeExtractor, infer_lang
    from .factory import CodeExecutorFactory, legacy_executor
    from .local import LocalCommandLineCodeExecutor
    from .sandbox import SandboxCommandLineCodeExecutor

__all__ = [
    "CodeBlock",
    "CodeExecutor",
    "CodeExecutorFactory",
    "CodeExtractor",
    "CodeResult",
    "DockerCommandLineCodeExecutor",
    "LocalCommandLineCodeExecutor",
    "MarkdownCodeExtractor",
    "SandboxCommandLineCodeExecutor",
    "infer_lang",
    "legacy_executor",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CodeBlock": ".base",
        "CodeExecutor": ".base",
        "CodeExecutorFactory": ".factory",
        "CodeExtractor": ".base",
        "CodeResult": ".base",
        "DockerCommandLineCodeExecutor": ".docker",
        "LocalCommandLineCodeExecutor": ".local",
        "MarkdownCodeExtractor": ".extract",
        "SandboxCommandLineCodeExecutor": ".sandbox",
        "infer_lang": ".extract",
        "legacy_executor": ".factory",
    },
)
