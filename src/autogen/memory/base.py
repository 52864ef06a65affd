"""The port of stores that find texts by what they say, and the values it deals in.

A store holds *entries* in named *collections*. What turns texts into vectors is a port of its own,
`Embedder`: any function from texts to rows of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

__all__ = ["DEFAULT_COLLECTION", "Embedder", "Entry", "Found", "Memory"]

#: The collection of who names none.
DEFAULT_COLLECTION = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One text in a store.

    Attributes:
        id: Unique in its collection.
        text: What is found.
        metadata: Anything JSON can hold.
    """

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry that a query found.

    Attributes:
        entry: The entry.
        score: Cosine of the angle between query and entry: 1 is the same direction, 0 has nothing
            in common.
    """

    entry: Entry
    score: float


class Embedder(Protocol):
    """What turns texts into vectors: any callable will do.

    A `name` of type str, where it has one, is kept in the store, which then refuses to mix it with
    others.
    """

    def __call__(self, texts: list[str], /) -> Any:
        """Vectors of `texts`.

        Args:
            texts: Any number of them, none included.

        Returns:
            (n_texts, dim) numbers, as an array or as lists; `dim` is always the same.
        """


@runtime_checkable
class Memory(Protocol):
    """A store of texts. Safe to share between threads."""

    def create(self, collection: str) -> bool:
        """Make an empty collection; False if it was there already."""

    def collections(self) -> list[str]:
        """The names of all collections, sorted."""

    def drop(self, collection: str) -> bool:
        """Delete a collection with all its entries; False if there was none."""

    def add(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        vectors: Any = None,
        collection: str = DEFAULT_COLLECTION,
        replace: bool = True,
    ) -> list[str]:
        """Keep texts: all of them, or none if something fails.

        Args:
            texts: What to find later.
            ids: One for each; by default made from the text, so that a text is kept once.
            metadata: One for each; JSON.
            vectors: (n_texts, dim) numbers to use instead of the embedder's.
            collection: Made if it is not there.
            replace: Whether an entry with the same id gives way, or stays as it is.

        Returns:
            The ids, in the order of `texts`.
        """

    def query(
        self,
        text: str,
        *,
        limit: int = 10,
        collection: str = DEFAULT_COLLECTION,
        where: Mapping[str, Any] | None = None,
        contains: str = "",
    ) -> list[Found]:
        """The entries nearest to `text`, the best first; of equals the one added first.

        Args:
            text: What to look for.
            limit: At most so many.
            collection: Where to look.
            where: Metadata that an entry must have.
            contains: A piece of text that an entry must have, letter for letter.

        Raises:
            UsageError: There is no such collection.
        """

    def get(
        self, ids: Sequence[str] | None = None, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Entry]:
        """Entries by id, in the order of `ids`, unknown ids left out; all as added without ids.

        Raises:
            UsageError: There is no such collection.
        """

    def delete(self, ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete entries; how many there were.

        Raises:
            UsageError: There is no such collection.
        """

    def close(self) -> None:
        """Let go of files. The store can't be used afterwards."""
