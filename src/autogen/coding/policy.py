"""What code must keep to that agents of others run: set by who runs them, such as a server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ..errors import NoWallError
from .config import TRUE

__all__ = ["PUBLIC", "CodePolicy", "check_wall", "is_wall_required", "keeping_to", "network_here"]


class _Unsaid(str):
    """A default that can be told from the same text given by somebody."""

    __slots__ = ()


#: The network of an executor whose maker named none.
PUBLIC: str = _Unsaid("public")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePolicy:
    """What code must keep to.

    Attributes:
        network: What executors reach that name no network themselves.
        is_walled: Whether code may run behind walls only.
    """

    network: str = "public"
    is_walled: bool = False

    def with_(self, other: CodePolicy) -> CodePolicy:
        """What keeps to both."""
        return CodePolicy(
            network=self.network if other.network == "public" else other.network,
            is_walled=self.is_walled or other.is_walled,
        )


_NONE = CodePolicy()

_policy: ContextVar[CodePolicy] = ContextVar("autogen_code_policy", default=_NONE)


@contextmanager
def keeping_to(policy: CodePolicy) -> Iterator[None]:
    """Inside the `with` block executors are made, and run code, as `policy` says."""
    token = _policy.set(policy)
    try:
        yield
    finally:
        _policy.reset(token)


def network_here(network: str | Sequence[str]) -> str | Sequence[str]:
    """The network that an executor gets which was made with `network`."""
    return _policy.get().network if isinstance(network, _Unsaid) else network


def is_wall_required() -> bool:
    """Whether code may run behind walls only, by who runs it or by `AUTOGEN_REQUIRE_WALL`."""
    wanted = os.environ.get("AUTOGEN_REQUIRE_WALL", "").strip().lower() in TRUE
    return wanted or _policy.get().is_walled


def check_wall(name: str) -> None:
    """Refuse to run code in what has no wall.

    Raises:
        NoWallError: Who runs the agents wants one.
    """
    if _policy.get().is_walled:
        raise NoWallError(
            f"{name} has no wall, and whoever runs these agents wants one around all code. Use "
            "SandboxCommandLineCodeExecutor or DockerCommandLineCodeExecutor, or have the server "
            "started with --allow-unwalled."
        )
