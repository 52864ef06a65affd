"""Bytes in a store: files that were handed in, and files that code left, each content once.

A content is known by its hash and lies there in pieces. It stays as long as a file has it, or a run
whose code left it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import sqlalchemy as sa

from ..errors import UnknownFile
from .connect import check_name
from .sql import SqlStore
from .sweeping import swept
from .tables import blob_uses, blobs, files, pieces

__all__ = ["MOST_FILE_BYTES", "PIECE_BYTES", "Blobs", "FileRecord"]

#: The largest content that is kept.
MOST_FILE_BYTES = 32 * 1024 * 1024

PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file that was handed in.

    Attributes:
        id: Its id.
        name: Without folders.
        media_type: As whoever handed it in said.
        size_bytes: Its size.
        sha256: Hex digest of its content.
        belongs_to: The caller it belongs to; None for everybody who may do everything.
        created_at: Aware, UTC.
        created_s: The same in seconds since the epoch, exactly: where the next page begins.
    """

    id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    belongs_to: str | None = None
    created_at: datetime | None = None
    created_s: float = 0.0


class Blobs:
    """The bytes of a store."""

    def __init__(self, store: SqlStore):
        self._store = store

    # -- files that were handed in

    def add_file(
        self, source: IO[bytes], *, name: str, media_type: str, belongs_to: str | None = None
    ) -> FileRecord:
        """Keep what `source` holds, which is read twice, from its beginning.

        Raises:
            UsageError: The name is a text that databases do not keep.
        """
        check_name(name)
        sha256, size_bytes = _measured(source)
        file_id = uuid.uuid4().hex
        with self._store.writing(f"file {name!r}") as connection:
            self._put(connection, source, sha256, size_bytes)
            connection.execute(
                sa.insert(files).values(
                    id=file_id,
                    name=name,
                    media_type=media_type,
                    size_bytes=size_bytes,
                    sha256=sha256,
                    belongs_to=belongs_to,
                    created_at=self._store.now,
                )
            )
            return self._file(connection, file_id)

    def file(self, file_id: str) -> FileRecord:
        """The file with this id.

        Raises:
            UnknownFile: There is none.
        """
        with self._store.reading(f"file {file_id!r}") as connection:
            return self._file(connection, file_id)

    def files(
        self,
        *,
        belongs_to: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[FileRecord]:
        """Files that were handed in, the newest first.

        Args:
            belongs_to: Only those of this caller.
            after: `created_s` and `id` of the last file of the page before, which need not be
                there any more.
            limit: The most to give.
        """
        place = sa.tuple_(files.c.created_at, files.c.id)
        query = sa.select(files).order_by(files.c.created_at.desc(), files.c.id.desc()).limit(limit)
        if belongs_to is not None:
            query = query.where(files.c.belongs_to == belongs_to)
        if after is not None:
            query = query.where(place < sa.tuple_(*after))
        with self._store.reading("the files") as connection:
            return [_record_of(row) for row in connection.execute(query).mappings()]

    def _file(self, connection: sa.Connection, file_id: str) -> FileRecord:
        row = connection.execute(sa.select(files).where(files.c.id == file_id)).mappings().first()
        if row is None:
            raise UnknownFile(f"there is no file {file_id!r}; it was deleted, or never handed in.")
        return _record_of(row)

    def delete_file(self, file_id: str) -> None:
        """Forget a file; runs that were begun with it and have its content keep that.

        Raises:
            UnknownFile: There is none.
        """
        with self._store.writing(f"file {file_id!r}") as connection:
            found = self._file(connection, file_id)
            connection.execute(sa.delete(files).where(files.c.id == file_id))
            swept(connection, [found.sha256])

    # -- contents

    def keep(self, source: IO[bytes], *, sha256: str, run_id: str) -> bool:
        """Keep a content for a run; False where `source` holds something else, or too much."""
        found, size_bytes = _measured(source)
        if found != sha256 or size_bytes > MOST_FILE_BYTES:
            return False
        with self._store.writing(f"a file of run {run_id!r}") as connection:
            self._put(connection, source, sha256, size_bytes)
            self._use(connection, [sha256], run_id)
        return True

    def use(self, contents: Iterable[str], *, run_id: str) -> None:
        """Have contents stay as long as a run."""
        with self._store.writing(f"the files of run {run_id!r}") as connection:
            self._use(connection, contents, run_id)

    def _use(self, connection: sa.Connection, contents: Iterable[str], run_id: str) -> None:
        for sha256 in contents:
            used = self._store.insert(blob_uses).values(sha256=sha256, run_id=run_id)
            connection.execute(used.on_conflict_do_nothing())

    def has(self, sha256: str) -> bool:
        """Whether a content is there."""
        query = sa.select(sa.exists().where(blobs.c.sha256 == sha256))
        with self._store.reading("a content") as connection:
            return bool(connection.execute(query).scalar())

    def read(self, sha256: str) -> Iterator[bytes]:
        """A content piece by piece; nothing where there is none."""
        n = 0
        while True:
            query = sa.select(pieces.c.data).where(pieces.c.sha256 == sha256, pieces.c.number == n)
            with self._store.reading("a content") as connection:
                data = connection.execute(query).scalar()
            if data is None:
                return
            yield bytes(data)
            n += 1

    def _put(
        self, connection: sa.Connection, source: IO[bytes], sha256: str, size_bytes: int
    ) -> None:
        row = self._store.insert(blobs).values(
            sha256=sha256, size_bytes=size_bytes, created_at=self._store.now
        )
        # The update holds up whoever is about to sweep the row away.
        row = row.on_conflict_do_update(
            index_elements=[blobs.c.sha256], set_={"created_at": self._store.now}
        )
        connection.execute(row)
        first = sa.select(sa.exists().where(pieces.c.sha256 == sha256))
        if connection.execute(first).scalar():
            return
        source.seek(0)
        for number, data in enumerate(_pieces_of(source) if size_bytes else [b""]):
            connection.execute(sa.insert(pieces).values(sha256=sha256, number=number, data=data))


def _record_of(row: sa.RowMapping) -> FileRecord:
    created_s = row["created_at"]
    at = datetime.fromtimestamp(created_s, UTC)
    return FileRecord(**{**row, "created_at": at, "created_s": created_s})


def _measured(source: IO[bytes]) -> tuple[str, int]:
    source.seek(0)
    digest, size_bytes = hashlib.sha256(), 0
    for data in _pieces_of(source):
        digest.update(data)
        size_bytes += len(data)
        if size_bytes > MOST_FILE_BYTES:
            break
    return digest.hexdigest(), size_bytes


def _pieces_of(source: IO[bytes]) -> Iterator[bytes]:
    while data := source.read(PIECE_BYTES):
        yield data
