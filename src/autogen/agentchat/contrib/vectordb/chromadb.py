"""`ChromaVectorDB`: the name that AutoGen 0.2 programs import, served by the built-in store."""

from __future__ import annotations

import logging
from typing import Any

from .local import LocalVectorDB

__all__ = ["ChromaVectorDB"]

logger = logging.getLogger(__name__)


class ChromaVectorDB(LocalVectorDB):
    """The built-in store under Chroma's name; a database that Chroma wrote is not read.

    Args:
        path: A folder for the store's file. None keeps everything in memory.
        embedding_function: As for `LocalVectorDB`.
        **kwargs: `client` and other options of Chroma: ignored, with a line in the log.
    """

    def __init__(self, *, path: Any = None, embedding_function: Any = None, **kwargs: Any):
        logger.info("ChromaVectorDB is served by the built-in store (SQLite and NumPy).")
        super().__init__(path=path, embedding_function=embedding_function, **kwargs)
