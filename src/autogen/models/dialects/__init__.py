"""Models: the port (`base`), the wire forms (`dialects`), the transport, the router."""

from __future__ import annotations

__all__: list[str] = []
