"""Running code that models write: executors, what they take and what they give."""

from __future__ import annotations

from .base import CodeBlock, CodeExecutor, CodeExtractor, CodeResult
from .extract import MarkdownCodeExtractor
from .sandbox import SandboxCommandLineCodeExecutor

__all__ = [
    "CodeBlock",
    "CodeExecutor",
    "CodeExtractor",
    "CodeResult",
    "MarkdownCodeExtractor",
    "SandboxCommandLineCodeExecutor",
]
