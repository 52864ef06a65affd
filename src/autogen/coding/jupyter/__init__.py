"""Code blocks as cells of a Jupyter kernel: state persists, pictures and pages are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .base import JupyterConnectable, JupyterConnectionInfo
    from .docker_jupyter_server import DockerJupyterServer
    from .embedded_ipython_code_executor import EmbeddedIPythonCodeExecutor
    from .jupyter_client import JupyterClient, JupyterKernelClient
    from .jupyter_code_executor import JupyterCodeExecutor
    from .local_jupyter_server import LocalJupyterServer

__all__ = [
    "DockerJupyterServer",
    "EmbeddedIPythonCodeExecutor",
    "JupyterClient",
    "JupyterCodeExecutor",
    "JupyterConnectable",
    "JupyterConnectionInfo",
    "JupyterKernelClient",
    "LocalJupyterServer",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DockerJupyterServer": ".docker_jupyter_server",
        "EmbeddedIPythonCodeExecutor": ".embedded_ipython_code_executor",
        "JupyterClient": ".jupyter_client",
        "JupyterCodeExecutor": ".jupyter_code_executor",
        "JupyterConnectable": ".base",
        "JupyterConnectionInfo": ".base",
        "JupyterKernelClient": ".jupyter_client",
        "LocalJupyterServer": ".local_jupyter_server",
    },
)
