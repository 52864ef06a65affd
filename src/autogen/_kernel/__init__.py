"""The mechanism: ops, drivers, the I/O thread, faces, runs. It knows no agents."""

from __future__ import annotations

__all__: list[str] = []
