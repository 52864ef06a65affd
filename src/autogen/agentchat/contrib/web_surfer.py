"""The retired name `WebSurferAgent` of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["WebSurferAgent"]

WebSurferAgent = retired(__name__, "WebSurferAgent")
