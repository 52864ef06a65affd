"""`IOStream` under its 0.2 path."""

from __future__ import annotations

from ..human.stream import InputStream, IOStream, OutputStream

__all__ = ["IOStream", "InputStream", "OutputStream"]
