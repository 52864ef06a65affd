"""The retired names `ChatCompletion`, `Completion` of AutoGen 0.2."""

from __future__ import annotations

from .._retired import retired

__all__ = ["ChatCompletion", "Completion"]

ChatCompletion = retired(__name__, "ChatCompletion")
Completion = retired(__name__, "Completion")
