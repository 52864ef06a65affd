"""Running code that models write: executors, what they take and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from . import base as base
    from . import docker_commandline_code_executor as docker_commandline_code_executor
    from . import factory as factory
    from . import func_with_reqs as func_with_reqs
    from . import jupyter as jupyter
    from . import kubernetes as kubernetes
    from . import local_commandline_code_executor as local_commandline_code_executor
    from . import markdown_code_extractor as markdown_code_extractor
    from . import utils as utils
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
        "base": ".base",
        "docker_commandline_code_executor": ".docker_commandline_code_executor",
        "factory": ".factory",
        "func_with_reqs": ".func_with_reqs",
        "infer_lang": ".extract",
        "jupyter": ".jupyter",
        "kubernetes": ".kubernetes",
        "legacy_executor": ".factory",
        "local_commandline_code_executor": ".local_commandline_code_executor",
        "markdown_code_extractor": ".markdown_code_extractor",
        "utils": ".utils",
    },
)
