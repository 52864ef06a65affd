"""What the names of stores that are not in this version have in common."""

from __future__ import annotations

from typing import Any

from ....errors import UsageError

__all__ = ["NotHere"]


class NotHere:
    """A store that this version does not have.

    Raises:
        UsageError: Always, with what to use instead.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        raise UsageError(
            f"{type(self).__name__} is not in this version; use "
            "autogen.agentchat.contrib.vectordb.local.LocalVectorDB(path=folder), or an object of "
            "your own with the methods of VectorDB."
        )
