"""`LocalVectorDB`: the built-in store behind the methods of AutoGen 0.2's `VectorDB`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....errors import UsageError
from ....memory.base import Entry
from ....memory.local import LocalMemory

__all__ = ["LocalVectorDB"]

logger = logging.getLogger(__name__)


class LocalVectorDB:
    """Documents in one SQLite file, or in memory.

    Distances are 1 - cosine: 0 is the same direction, 1 has nothing in common with the query.

    Args:
        path: A file, or a folder for it; None keeps everything in memory.
        embedding_function: Texts in, (n_texts, dim) numbers out. By default one that needs no model
            and finds shared words, not meaning; see `autogen.memory.HashedNgrams`.
        **kwargs: Options of other databases (`client`, `metadata`, ...): ignored, with a line in
            the log.

    Raises:
        UsageError: The file can't be used, or NumPy is missing.
    """

    type = "local"

    def __init__(
        self,
        *,
        path: str | os.PathLike[str] | None = None,
        embedding_function: Callable[..., Any] | None = None,
        **kwargs: Any,
    ):
        unused = sorted(key for key, value in kwargs.items() if value is not None)
        if unused:
            logger.warning("the built-in store has no use for %s.", ", ".join(unused))
        self._memory = LocalMemory(path, embedding_function)
        self.embedding_function: Any = self._memory.embedder
        self.active_collection: str | None = None

    def create_collection(
        self, collection_name: str, overwrite: bool = False, get_or_create: bool = True
    ) -> str:
        """Make a collection and make it the active one; its name.

        Raises:
            UsageError: It exists, and neither `overwrite` nor `get_or_create` is wanted.
        """
        if overwrite:
            self._memory.drop(collection_name)
        if not self._memory.create(collection_name) and not get_or_create:
            raise UsageError(
                f"the collection {collection_name!r} exists already; say get_or_create=True to add "
                "to it, or overwrite=True to start anew."
            )
        self.active_collection = collection_name
        return collection_name

    def get_collection(self, collection_name: str | None = None) -> str:
        """Make a collection the active one; its name, that of the active one without argument.

        Raises:
            UsageError: There is no such collection.
        """
        name = self._named(collection_name)
        known = self._memory.collections()
        if name not in known:
            raise UsageError(f"there is no collection {name!r}; there are: {known}.")
        self.active_collection = name
        return name

    def delete_collection(self, collection_name: str) -> None:
        """Delete a collection with its documents."""
        self._memory.drop(collection_name)
        if self.active_collection == collection_name:
            self.active_collection = None

    def insert_docs(
        self,
        docs: Sequence[Mapping[str, Any]],
        collection_name: str | None = None,
        upsert: bool = False,
        **kwargs: Any,
    ) -> None:
        """Add documents: all, or none if something fails. Known ids stay, unless `upsert`.

        Raises:
            UsageError: Some documents have an `embedding` and others none, or one lacks its `id`
                or `content`.
        """
        if not docs:
            return
        embeddings = [doc.get("embedding") for doc in docs]
        with_embedding = [one for one in embeddings if one is not None]
        if with_embedding and len(with_embedding) < len(docs):
            raise UsageError("give an 'embedding' for every document, or for none.")
        for doc in docs:
            if doc.get("id") is None or doc.get("content") is None:
                raise UsageError(f"the document {doc!r} needs an 'id' and a 'content'.")
        self._memory.add(
            [str(doc["content"]) for doc in docs],
            ids=[str(doc["id"]) for doc in docs],
            metadata=[doc.get("metadata") for doc in docs],
            vectors=with_embedding or None,
            collection=self._named(collection_name),
            replace=upsert,
        )

    def update_docs(
        self,
        docs: Sequence[Mapping[str, Any]],
        collection_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Replace documents; those that are not there are added."""
        self.insert_docs(docs, collection_name, upsert=True)

    def delete_docs(
        self, ids: Sequence[str | int], collection_name: str | None = None, **kwargs: Any
    ) -> None:
        """Delete documents; unknown ids are passed over."""
        self._memory.delete([str(one) for one in ids], collection=self._named(collection_name))

    def retrieve_docs(
        self,
        queries: Sequence[str],
        collection_name: str | None = None,
        n_results: int = 10,
        distance_threshold: float = -1,
        **kwargs: Any,
    ) -> list[list[tuple[Any, float]]]:
        """For each query the nearest documents with their distances, the nearest first.

        Args:
            queries: What to look for.
            collection_name: Where; by default in the active collection.
            n_results: At most so many for each query.
            distance_threshold: Above 0, only documents nearer than this.
            **kwargs: `where`, metadata that a document must have; `where_document`,
                `{"$contains": text}` that it must contain.
        """
        where, contains = kwargs.get("where"), (kwargs.get("where_document") or {}).get("$contains")
        found = []
        for query in queries:
            pairs = [
                (_document(one.entry), 1 - one.score)
                for one in self._memory.query(
                    query,
                    limit=n_results,
                    collection=self._named(collection_name),
                    where=where,
                    contains=contains or "",
                )
            ]
            if distance_threshold > 0:
                pairs = [pair for pair in pairs if pair[1] < distance_threshold]
            found.append(pairs)
        return found

    def get_docs_by_ids(
        self,
        ids: Sequence[str | int] | None = None,
        collection_name: str | None = None,
        include: Any = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Documents by id, unknown ids left out; all of them without ids."""
        wanted = None if ids is None else [str(one) for one in ids]
        entries = self._memory.get(wanted, collection=self._named(collection_name))
        return [_document(entry) for entry in entries]

    def close(self) -> None:
        """Close the file."""
        self._memory.close()

    def _named(self, collection_name: str | None) -> str:
        name = collection_name or self.active_collection
        if not name:
            raise UsageError("no collection was named, and none is active; create one first.")
        return name


def _document(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "content": entry.text, "metadata": dict(entry.metadata)}
