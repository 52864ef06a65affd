"""Other doors onto the same runs: thin projections of their events into the words of protocols.

A door begins runs as the native API does, follows them, and tells what happens as its clients
expect it. It keeps nothing: what it needs to know of a run is in the database. A door whose extra
is not installed is not there.
"""

from __future__ import annotations

from .opening import DOOR_PATHS, open_doors

__all__ = ["DOOR_PATHS", "open_doors"]
