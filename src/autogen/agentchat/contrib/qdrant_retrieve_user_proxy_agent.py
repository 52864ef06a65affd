"""Retired names of AutoGen 0.2."""

from __future__ import annotations

from ..._retired import retired

__all__ = ["QdrantRetrieveUserProxyAgent", "create_qdrant_from_dir", "query_qdrant"]

QdrantRetrieveUserProxyAgent = retired(__name__, "QdrantRetrieveUserProxyAgent")
create_qdrant_from_dir = retired(__name__, "create_qdrant_from_dir")
query_qdrant = retired(__name__, "query_qdrant")
