"""`LocalMemory`: entries in one SQLite file, searched exactly with NumPy.

The file is the truth; beside it each process keeps the vectors of the collections it searched in
memory, and brings them up to date from what changed in the file since. Every operation is one
transaction behind one lock: threads may share a store, a forked child opens the file anew, and
several processes may use one file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from ..errors import UsageError
from .base import DEFAULT_COLLECTION, Embedder, Entry, Found
from .embed import HashedNgrams, embedded, normalized, numpy
from .file import Connection, file_path, told
from .index import Collection, Index

__all__ = ["LocalMemory"]


class LocalMemory:
    """A store of texts in one SQLite file, or in memory.

    Use it in a `with` block, or call `close()`; who does neither loses nothing, the file is closed
    with the object.

    Args:
        path: A file; for a folder, or a name without a suffix, `memory.sqlite3` inside it. Made if
            it is not there. None keeps everything in memory.
        embedder: Texts in, (n_texts, dim) numbers out; by default `HashedNgrams()`, which needs
            no model. A collection stays with the embedder it began with.

    Raises:
        UsageError: The file can't be used; the message says why. NumPy is missing.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, embedder: Embedder | None = None
    ):
        numpy()
        self.embedder: Embedder = HashedNgrams() if embedder is None else embedder
        self.path = None if path is None else file_path(path)
        self._lock = threading.RLock()
        self._indexes: dict[int, Index] = {}
        self._connection = Connection(self.path)
        self._closer = weakref.finalize(self, self._connection.close)
        self._is_closed = False
        _alive.add(self)

    # ------------------------------------------------------------------------------- collections

    def create(self, collection: str) -> bool:
        """Make an empty collection; False if it was there already."""
        with self._changing() as connection:
            return _made(connection, collection)

    def collections(self) -> list[str]:
        """The names of all collections, sorted."""
        with self._reading() as connection:
            return [
                name for (name,) in connection.execute("SELECT name FROM collections ORDER BY 1")
            ]

    def drop(self, collection: str) -> bool:
        """Delete a collection with all its entries; False if there was none."""
        with self._changing() as connection:
            row = _row(connection, collection)
            if row is None:
                return False
            connection.execute("DELETE FROM entries WHERE collection = ?", (row.number,))
            connection.execute("DELETE FROM collections WHERE number = ?", (row.number,))
            self._indexes.pop(row.number, None)
            return True

    # ----------------------------------------------------------------------------------- entries

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

        Raises:
            UsageError: The numbers of texts, ids and metadata differ, metadata is not JSON, or the
                vectors don't fit the collection.
        """
        if isinstance(texts, str):
            raise UsageError("texts is one text; give a list of them.")
        given = list(texts)
        all_ids = [_id_of(text) for text in given] if ids is None else [str(one) for one in ids]
        notes = [{} for _ in given] if metadata is None else [dict(one or {}) for one in metadata]
        if not len(given) == len(all_ids) == len(notes):
            raise UsageError(
                f"there are {len(given)} texts, {len(all_ids)} ids and {len(notes)} metadata; "
                "give one of each for every text."
            )
        kept = [_json(note) for note in notes]
        rows = self._vectors(given, all_ids, vectors, collection, replace=replace)
        with self._changing() as connection:
            _made(connection, collection)
            row = _known(connection, collection)
            if not rows:
                return all_ids
            self._check_fit(
                connection, row, dim=len(next(iter(rows.values()))), own=vectors is None
            )
            revision = row.revision + 1
            connection.execute(
                "UPDATE collections SET revision = ? WHERE number = ?", (revision, row.number)
            )
            action = (
                "UPDATE SET text = excluded.text, metadata = excluded.metadata, "
                "vector = excluded.vector, changed_at = excluded.changed_at"
                if replace
                else "NOTHING"
            )
            connection.executemany(
                "INSERT INTO entries (collection, id, text, metadata, vector, changed_at) "  # noqa: S608
                f"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collection, id) DO {action}",
                [
                    (row.number, all_ids[i], given[i], kept[i], vector.tobytes(), revision)
                    for i, vector in rows.items()
                ],
            )
        return all_ids

    def _vectors(
        self, texts: list[str], ids: list[str], given: Any, collection: str, *, replace: bool
    ) -> dict[int, Any]:
        """The vector of each text to write, by its place; what is there already costs nothing."""
        wanted = list(range(len(texts)))
        if not replace:
            present = self._present(ids, collection)
            wanted = [i for i in wanted if ids[i] not in present]
        if given is not None:
            rows = normalized(given, n_rows=len(texts))
            return {i: rows[i] for i in wanted}
        if not wanted:
            return {}
        # Outside of the lock and of any transaction: an embedder may take its time, or call a
        # service.
        return dict(zip(wanted, embedded(self.embedder, [texts[i] for i in wanted]), strict=True))

    def _present(self, ids: list[str], collection: str) -> set[str]:
        with self._reading() as connection:
            row = _row(connection, collection)
            return set() if row is None else {one.id for one in _entries(connection, row, ids)}

    def _check_fit(
        self, connection: sqlite3.Connection, row: Collection, *, dim: int, own: bool
    ) -> None:
        """Raise unless vectors of `dim` numbers, `own` ones of the embedder, fit the collection."""
        name = getattr(self.embedder, "name", None) if own else None
        name = name if isinstance(name, str) else None
        if row.dim is None:
            connection.execute(
                "UPDATE collections SET dim = ?, embedder = ? WHERE number = ?",
                (dim, name, row.number),
            )
        elif row.dim != dim or (None not in (name, row.embedder) and name != row.embedder):
            raise UsageError(
                f"the collection {row.name!r} holds vectors of {row.dim} numbers by "
                f"{row.embedder or 'another embedder'}; {name or 'this one'} gives {dim}. Use the "
                "same embedder, or another collection."
            )

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

        Compares the query with every entry: exact, and quick up to some 100,000 entries.

        Args:
            text: What to look for.
            limit: At most so many.
            collection: Where to look.
            where: Metadata that an entry must have: key to text, number, True, False or None.
            contains: A piece of text that an entry must have, letter for letter.

        Raises:
            UsageError: There is no such collection, or it was made with another embedder.
        """
        np = numpy()
        vector = embedded(self.embedder, [text])[0]
        with self._reading() as connection:
            row = _known(connection, collection)
            if row.dim is None or limit < 1:
                return []
            self._check_fit(connection, row, dim=len(vector), own=True)
            index = self._index(connection, row)
            scores = index.vectors @ vector
            rows = np.arange(len(scores))
            if where or contains:
                fitting = _fitting(connection, row, where or {}, contains)
                rows = np.flatnonzero(np.isin(index.rows, np.array(fitting, dtype=np.int64)))
            if len(rows) > limit:
                # Ties at the edge are kept here and broken below, by age.
                edge = np.partition(scores[rows], len(rows) - limit)[len(rows) - limit]
                rows = rows[scores[rows] >= edge]
            best = rows[np.lexsort((index.rows[rows], -scores[rows]))][:limit]
            found = []
            for i in best:
                query = "SELECT id, text, metadata FROM entries WHERE row = ?"
                entry = connection.execute(query, (int(index.rows[i]),)).fetchone()
                found.append(Found(entry=_entry(entry), score=float(scores[i])))
            return found

    def get(
        self, ids: Sequence[str] | None = None, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Entry]:
        """Entries by id, in the order of `ids`, unknown ids left out; all as added without ids.

        Raises:
            UsageError: There is no such collection.
        """
        with self._reading() as connection:
            row = _known(connection, collection)
            return _entries(connection, row, None if ids is None else [str(one) for one in ids])

    def delete(self, ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete entries; how many there were.

        Raises:
            UsageError: There is no such collection.
        """
        with self._changing() as connection:
            row = _known(connection, collection)
            n_deleted = sum(
                connection.execute(
                    "DELETE FROM entries WHERE collection = ? AND id = ?", (row.number, str(one))
                ).rowcount
                for one in ids
            )
            if n_deleted:
                connection.execute(
                    "UPDATE collections SET revision = revision + 1, removed_at = revision + 1 "
                    "WHERE number = ?",
                    (row.number,),
                )
            return n_deleted

    # ------------------------------------------------------------------------------------- life

    def close(self) -> None:
        """Close the file. The store can't be used afterwards; closing it again does nothing."""
        with self._lock:
            self._is_closed = True
            self._indexes.clear()
            self._closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LocalMemory({self.path!r})"

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the file."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept as a whole, or not at all."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._is_closed:
                raise UsageError(f"the store {self.path or 'in memory'} is closed; open it anew.")
            connection = self._connection.open()
            try:
                connection.execute(begin)
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                # A commit that failed, on a full disk for example, leaves the transaction open.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise told(self.path, error) from error

    def _index(self, connection: sqlite3.Connection, row: Collection) -> Index:
        assert row.dim is not None
        index = self._indexes.get(row.number)
        if index is None or index.revision < row.removed_at or index.revision > row.revision:
            index = self._indexes[row.number] = Index(row.dim)
        if index.revision != row.revision:
            index.update(connection, row)
        return index

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._indexes = {}
        if self.path is not None:
            self._closer.detach()
            _inherited.append(self._connection)
            self._connection = Connection(self.path, is_open=False)
            self._closer = weakref.finalize(self, self._connection.close)


def _row(connection: sqlite3.Connection, collection: str) -> Collection | None:
    query = (
        "SELECT number, name, embedder, dim, revision, removed_at FROM collections WHERE name = ?"
    )
    values = connection.execute(query, (collection,)).fetchone()
    return None if values is None else Collection(values)


def _known(connection: sqlite3.Connection, collection: str) -> Collection:
    row = _row(connection, collection)
    if row is None:
        known = [name for (name,) in connection.execute("SELECT name FROM collections ORDER BY 1")]
        raise UsageError(f"there is no collection {collection!r}; there are: {known}.")
    return row


def _made(connection: sqlite3.Connection, collection: str) -> bool:
    if not collection:
        raise UsageError(f"the collection is {collection!r}; its name must not be empty.")
    done = connection.execute("INSERT OR IGNORE INTO collections (name) VALUES (?)", (collection,))
    return done.rowcount > 0


def _entries(connection: sqlite3.Connection, row: Collection, ids: list[str] | None) -> list[Entry]:
    query = "SELECT id, text, metadata FROM entries WHERE collection = ?"
    if ids is None:
        rows = connection.execute(f"{query} ORDER BY row", (row.number,))
        return [_entry(values) for values in rows]
    found = (connection.execute(f"{query} AND id = ?", (row.number, one)).fetchone() for one in ids)
    return [_entry(values) for values in found if values is not None]


def _entry(values: tuple[str, str, str]) -> Entry:
    return Entry(id=values[0], text=values[1], metadata=json.loads(values[2]))


def _fitting(
    connection: sqlite3.Connection, row: Collection, where: Mapping[str, Any], contains: str
) -> list[int]:
    """The rows of entries with this metadata and this piece of text."""
    query = "SELECT row, metadata FROM entries WHERE collection = ? AND instr(text, ?) > 0"
    return [
        number
        for number, note in connection.execute(query, (row.number, contains))
        if not where or _has(json.loads(note), where)
    ]


def _has(metadata: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(key in metadata and metadata[key] == value for key, value in where.items())


def _json(metadata: Mapping[str, Any]) -> str:
    try:
        return json.dumps(metadata, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"metadata must be JSON: {error}.") from error


def _id_of(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_alive: weakref.WeakSet[LocalMemory] = weakref.WeakSet()
#: Connections inherited from a parent process: kept, because closing one could disturb the parent.
_inherited: list[Connection] = []


def _after_fork() -> None:
    for memory in list(_alive):
        memory._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
