"""The version, under its 0.2 module path."""

from __future__ import annotations

from ._version import __version__

__all__ = ["__version__"]
