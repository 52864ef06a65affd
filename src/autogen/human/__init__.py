"""People: the stream their words travel on, and how events look in a terminal."""

from __future__ import annotations

__all__: list[str] = []
