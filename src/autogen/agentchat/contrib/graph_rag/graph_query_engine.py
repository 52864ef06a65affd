"""The retired names `GraphQueryEngine`, `GraphStoreQueryResult` of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["GraphQueryEngine", "GraphStoreQueryResult"]

GraphQueryEngine = retired(__name__, "GraphQueryEngine")
GraphStoreQueryResult = retired(__name__, "GraphStoreQueryResult")
