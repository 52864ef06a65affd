"""Tools: schemas from signatures, and calls with the arguments a model wrote."""

from __future__ import annotations

__all__: list[str] = []
