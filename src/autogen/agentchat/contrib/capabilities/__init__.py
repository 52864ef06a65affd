"""What can be added to an agent that exists; import each from its own module."""

from __future__ import annotations

__all__: list[str] = []
