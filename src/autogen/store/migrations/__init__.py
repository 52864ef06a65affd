"""How the tables came to be, one step a file; run by Alembic."""

from __future__ import annotations

__all__: list[str] = []
