"""The commands of `autogen` and their options, by kind; the modules beside carry them out."""

from __future__ import annotations

__all__: list[str] = []
