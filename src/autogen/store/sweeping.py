"""Contents that nobody has any more go."""

from __future__ import annotations

import sqlalchemy as sa

from .tables import blob_uses, blobs, files, pieces

__all__ = ["forget_uses", "swept"]


def forget_uses(connection: sa.Connection, run_ids: list[str]) -> None:
    """Let go of what only these runs have."""
    query = sa.select(blob_uses.c.sha256).where(blob_uses.c.run_id.in_(run_ids)).distinct()
    contents = list(connection.execute(query).scalars())
    connection.execute(sa.delete(blob_uses).where(blob_uses.c.run_id.in_(run_ids)))
    swept(connection, contents)


def swept(connection: sa.Connection, contents: list[str]) -> None:
    """Delete those of `contents` that no file and no run has."""
    for sha256 in contents:
        is_used = sa.or_(
            sa.exists().where(blob_uses.c.sha256 == sha256),
            sa.exists().where(files.c.sha256 == sha256),
        )
        gone = connection.execute(sa.delete(blobs).where(blobs.c.sha256 == sha256, ~is_used))
        if gone.rowcount:
            connection.execute(sa.delete(pieces).where(pieces.c.sha256 == sha256))
