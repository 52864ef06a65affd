"""`VectorDB`, the protocol of AutoGen 0.2 for stores of documents, and the factory by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, TypedDict, runtime_checkable

from ....errors import UsageError
from .local import LocalVectorDB

__all__ = [
    "Document",
    "ItemID",
    "Metadata",
    "QueryResults",
    "VectorDB",
    "VectorDBFactory",
    "Vector",
]

logger = logging.getLogger(__name__)

Metadata: TypeAlias = Mapping[str, Any] | None
Vector: TypeAlias = Sequence[float] | Sequence[int]
ItemID: TypeAlias = str | int


class _Needed(TypedDict):
    id: ItemID
    content: str


class Document(_Needed, total=False):
    """One text of a store; `metadata` and `embedding`, (dim,) numbers, may be left out."""

    metadata: Metadata
    embedding: Vector | None


#: For each query the documents found and their distances, the nearest first.
QueryResults: TypeAlias = list[list[tuple[Document, float]]]


@runtime_checkable
class VectorDB(Protocol):
    """What `RetrieveUserProxyAgent` asks of a store; any object with these methods will do.

    Attributes:
        active_collection: What is used where a call names no collection.
        type: A word for the kind of store.
        embedding_function: Texts to vectors.
    """

    active_collection: Any
    type: str
    embedding_function: Callable[..., Any] | None

    def create_collection(
        self, collection_name: str, overwrite: bool = False, get_or_create: bool = True
    ) -> Any:
        """A collection, made, made anew or found. ValueError if it exists and neither is wanted."""

    def get_collection(self, collection_name: str | None = None) -> Any:
        """A collection. ValueError if there is none."""

    def delete_collection(self, collection_name: str) -> Any:
        """Delete a collection."""

    def insert_docs(
        self,
        docs: list[Document],
        collection_name: str | None = None,
        upsert: bool = False,
        **kwargs: Any,
    ) -> None:
        """Add documents; `upsert` replaces those that are there."""

    def update_docs(
        self, docs: list[Document], collection_name: str | None = None, **kwargs: Any
    ) -> None:
        """Replace documents."""

    def delete_docs(
        self, ids: list[ItemID], collection_name: str | None = None, **kwargs: Any
    ) -> None:
        """Delete documents."""

    def retrieve_docs(
        self,
        queries: list[str],
        collection_name: str | None = None,
        n_results: int = 10,
        distance_threshold: float = -1,
        **kwargs: Any,
    ) -> QueryResults:
        """The documents nearest to each query; a negative threshold keeps all."""

    def get_docs_by_ids(
        self,
        ids: list[ItemID] | None = None,
        collection_name: str | None = None,
        include: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Documents by id; all of them without ids."""


class VectorDBFactory:
    """Makes stores by name."""

    #: "chroma" is the name that AutoGen 0.2 programs ask for; it gets the built-in store.
    PREDEFINED_VECTOR_DB: ClassVar[list[str]] = ["local", "sqlite", "chroma"]

    @staticmethod
    def create_vector_db(db_type: str, **kwargs: Any) -> Any:
        """A store of documents.

        Args:
            db_type: "local" or "sqlite" for the built-in store; "chroma" for the same one, with a
                line in the log.
            **kwargs: Those of `LocalVectorDB`.

        Raises:
            UsageError: There is no store of that name here.
        """
        name = VectorDBFactory.check(db_type)
        if name == "chroma":
            logger.info("vector_db='chroma' is served by the built-in store (SQLite and NumPy).")
        return LocalVectorDB(**kwargs)

    @staticmethod
    def check(db_type: str) -> str:
        """The name in small letters.

        Raises:
            UsageError: There is no store of that name here.
        """
        name = db_type.lower()
        if name not in VectorDBFactory.PREDEFINED_VECTOR_DB:
            raise UsageError(
                f"there is no vector database {db_type!r} here; use 'local' (a SQLite file), or "
                "give an object of your own with the methods of VectorDB. Chroma and PostgreSQL "
                "come in a later version."
            )
        return name
