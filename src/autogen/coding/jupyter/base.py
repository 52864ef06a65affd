"""Where a Jupyter server is, what can say so, and what is ended by `stop()`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

from ...errors import UsageError

__all__ = ["JupyterConnectable", "JupyterConnectionInfo", "Stoppable"]


@dataclass
class JupyterConnectionInfo:
    """How to reach a Jupyter server.

    Attributes:
        host: Name or address, without scheme and port.
        use_https: Whether it speaks HTTPS.
        port: None for that of the scheme.
        token: What it asks for; None if it asks for nothing.
    """

    host: str
    use_https: bool
    port: int | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address that paths are added to."""
        if not self.host or "/" in self.host:
            raise UsageError(
                f"host {self.host!r} is no host; expected a name or address such as 'localhost', "
                "with use_https and port beside it."
            )
        host = f"[{self.host}]" if ":" in self.host and "[" not in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{'https' if self.use_https else 'http'}://{host}{port}"


@runtime_checkable
class JupyterConnectable(Protocol):
    """Anything that knows where a Jupyter server is."""

    @property
    def connection_info(self) -> JupyterConnectionInfo:
        """Where it is."""
        ...


class Stoppable:
    """Something that runs until `stop()`, which the end of a `with` block calls."""

    def stop(self) -> None:
        """End it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()
