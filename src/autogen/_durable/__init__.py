"""Durable runs: the database they live in, and one execution of a run from its claim to its end.

Loaded when the first durable run is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .database import Database
    from .execution import Execution, opened, reopened
    from .retelling import Retelling

__all__ = ["Database", "Execution", "Retelling", "opened", "reopened"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Database": ".database",
        "Execution": ".execution",
        "Retelling": ".retelling",
        "opened": ".execution",
        "reopened": ".execution",
    },
)
