"""The HTTP service: durable runs of teams for other programs, on loopback, behind a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .service import Service

__all__ = ["Service"]

__getattr__, __dir__ = lazy_names(__name__, {"Service": ".service"})
