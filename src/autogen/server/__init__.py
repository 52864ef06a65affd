"""The HTTP service: durable runs of teams for other programs, on loopback, behind a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .callers import CallerOf, needs
    from .service import Service

__all__ = ["CallerOf", "Service", "needs"]

__getattr__, __dir__ = lazy_names(
    __name__, {"CallerOf": ".callers", "Service": ".service", "needs": ".callers"}
)
