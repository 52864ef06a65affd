"""What programs import beside the stores: filtering and reshaping of results."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .base import Document, QueryResults

__all__ = ["chroma_results_to_query_results", "filter_results_by_distance", "get_logger"]


def get_logger(name: str, level: int = logging.INFO) -> logging.Logger:
    """A logger of the standard library; the name that AutoGen 0.2 gave it."""
    logger = logging.getLogger(name)
    logger.setLevel(level)
    return logger


def filter_results_by_distance(
    results: QueryResults, distance_threshold: float = -1
) -> QueryResults:
    """The results nearer than the threshold; all of them where it is not above 0."""
    if distance_threshold <= 0:
        return results
    return [[pair for pair in found if pair[1] < distance_threshold] for found in results]


def chroma_results_to_query_results(
    data_dict: Mapping[str, Any], special_key: str = "distances"
) -> QueryResults:
    """Results in columns, as Chroma and `query_vector_db` give them, as pairs.

    Args:
        data_dict: `ids`, `documents` (or `contents`), `metadatas`, `distances`: of each a list per
            query, or None.
        special_key: The column with the distances; where it is missing they are 0.
    """
    columns = {
        key: data_dict.get(name)
        for key, names in (
            ("id", ("ids",)),
            ("content", ("documents", "contents")),
            ("metadata", ("metadatas",)),
            ("embedding", ("embeddings",)),
        )
        for name in names
        if data_dict.get(name) is not None
    }
    distances = data_dict.get(special_key)
    results: QueryResults = []
    for k, ids in enumerate(data_dict.get("ids") or []):
        found: list[tuple[Document, float]] = []
        for i in range(len(ids)):
            document: Any = {key: column[k][i] for key, column in columns.items() if column}
            found.append((document, distances[k][i] if distances else 0.0))
        results.append(found)
    return results
