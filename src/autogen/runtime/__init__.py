"""Teams by name, and the workers that run them: chats that belong to no process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .runtime import Runtime
    from .teams import Team, team

__all__ = ["Runtime", "Team", "team"]

__getattr__, __dir__ = lazy_names(
    __name__, {"Runtime": ".runtime", "Team": ".teams", "team": ".teams"}
)
