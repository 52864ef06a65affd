"""The vectors of a collection in memory, brought up to date from the file of a `LocalMemory`."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from .embed import numpy

if TYPE_CHECKING:
    from .embed import Vectors

__all__ = ["Collection", "Index"]


class Collection:
    """One row of the table of collections."""

    __slots__ = ("dim", "embedder", "name", "number", "removed_at", "revision")

    def __init__(self, values: tuple[Any, ...]):
        self.number: int = values[0]
        self.name: str = values[1]
        self.embedder: str | None = values[2]
        self.dim: int | None = values[3]
        self.revision: int = values[4]
        self.removed_at: int = values[5]


class Index:
    """The vectors of one collection as of a revision, in memory."""

    def __init__(self, dim: int):
        np = numpy()
        self.revision = 0
        self._n = 0
        self._rows = np.empty(0, dtype=np.int64)
        self._vectors = np.empty((0, dim), dtype=np.float32)
        self._place: dict[int, int] = {}

    @property
    def vectors(self) -> Vectors:
        """(n_entries, dim) float32, rows L2-normalised."""
        vectors: Vectors = self._vectors[: self._n]
        return vectors

    @property
    def rows(self) -> Any:
        """(n_entries,) int64: the row of each vector in the table."""
        return self._rows[: self._n]

    def update(self, connection: sqlite3.Connection, row: Collection) -> None:
        """Take in what changed after `revision`; nothing may have been deleted since."""
        np = numpy()
        query = "FROM entries WHERE collection = ? AND changed_at > ?"
        where = (row.number, self.revision)
        (n_changed,) = connection.execute(f"SELECT count(*) {query}", where).fetchone()
        self._reserve(self._n + n_changed)
        changed = connection.execute(f"SELECT row, vector {query} ORDER BY row", where)
        for number, blob in changed:
            place = self._place.get(number)
            if place is None:
                place = self._place[number] = self._n
                self._n += 1
            self._rows[place] = number
            self._vectors[place] = np.frombuffer(blob, dtype="<f4")
        self.revision = row.revision

    def _reserve(self, n: int) -> None:
        np = numpy()
        if n <= len(self._rows):
            return
        size = max(n, 2 * len(self._rows))
        rows = np.empty(size, dtype=np.int64)
        vectors = np.empty((size, self._vectors.shape[1]), dtype=np.float32)
        rows[: self._n], vectors[: self._n] = self.rows, self.vectors
        self._rows, self._vectors = rows, vectors
