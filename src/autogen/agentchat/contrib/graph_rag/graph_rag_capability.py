"""The retired name `GraphRagCapability` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["GraphRagCapability"]

GraphRagCapability = retired(__name__, "GraphRagCapability")
