"""A store that 0.2 had; using its name says what there is instead."""

from __future__ import annotations

from .elsewhere import NotHere

__all__ = ["CouchbaseVectorDB"]


class CouchbaseVectorDB(NotHere):
    """Not in this version; `LocalVectorDB` is."""
