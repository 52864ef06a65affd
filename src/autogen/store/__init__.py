"""What durable runs leave in a database: runs, events, questions, signs of life."""

from __future__ import annotations

__all__: list[str] = []
