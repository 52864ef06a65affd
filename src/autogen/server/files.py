"""Routes of files that are handed in: kept until a run wants them in the folder of its code."""

from __future__ import annotations

import mimetypes
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from ..errors import UnknownFile
from ..store.blobs import MOST_FILE_BYTES, FileRecord
from .callers import Caller, CallerOf, needs
from .common import (
    MOST_TIME_S,
    Cursor,
    Limit,
    Parts,
    PartsOf,
    RunId,
    cursor_of,
    router,
    two_of_cursor,
)
from .problems import Problem
from .schemas import PLAIN, FileOut, FilePage
from .telling import as_json, file_of

__all__ = ["file_of_caller", "files"]

files = router(tag="files")

#: What file systems take, in bytes.
_MOST_NAME = 200

#: So much of an upload is held in memory; the rest in a temporary file.
_IN_MEMORY = 1024 * 1024

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@files.post(
    "/files",
    status_code=201,
    response_model=FileOut,
    openapi_extra=_BODY,
    dependencies=[needs("files:write")],
)
async def hand_in_file(
    parts: PartsOf,
    caller: CallerOf,
    request: Request,
    name: Annotated[
        str,
        Query(min_length=1, max_length=_MOST_NAME, pattern=PLAIN, description="Without folders."),
    ],
) -> Response:
    """Hand in a file: its bytes as the body, 32 MiB at most."""
    _check_name(name)
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        n_bytes = 0
        async for data in request.stream():
            n_bytes += len(data)
            if n_bytes > MOST_FILE_BYTES:
                raise Problem(413, f"the file is larger than {MOST_FILE_BYTES} bytes.")
            await run_in_threadpool(spool.write, data)
        record = await run_in_threadpool(
            parts.runtime.add_file,
            spool,
            name=name,
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            belongs_to=caller.id,
        )
    return as_json(file_of(record), 201, Location=f"/api/v1/files/{record.id}")


def file_of_caller(parts: Parts, caller: Caller, file_id: str) -> FileRecord:
    """A file of the caller.

    Raises:
        Problem: 404; there is none, or it is somebody else's.
    """
    try:
        found = parts.runtime.file(file_id)
    except UnknownFile:
        found = None
    if found is None or not caller.owns(found.belongs_to):
        raise Problem(404, f"there is no file {file_id!a}.")
    return found


def _check_name(name: str) -> None:
    try:
        n_bytes = len(name.encode())
    except UnicodeEncodeError:
        raise Problem(422, "the name has half of a surrogate pair, which is no text.") from None
    is_path = "/" in name or "\\" in name or not name.strip(". ")
    if is_path or n_bytes > _MOST_NAME:
        raise Problem(422, "the name has to be that of a file, without folders.")


@files.get("/files", response_model=FilePage, dependencies=[needs("files:write")])
def list_files(
    parts: PartsOf,
    caller: CallerOf,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The caller's files, the newest first."""
    after = None if cursor is None else two_of_cursor(cursor, most=MOST_TIME_S)
    found = parts.runtime.files(belongs_to=caller.sees, after=after, limit=limit)
    more = None
    if len(found) == limit:
        more = cursor_of(f"{found[-1].created_s!r} {found[-1].id}")
    return as_json({"items": [file_of(one) for one in found], "next": more})


@files.get("/files/{file_id}", response_model=FileOut, dependencies=[needs("files:write")])
def get_file(parts: PartsOf, caller: CallerOf, file_id: RunId) -> Response:
    """What is known of a file."""
    return as_json(file_of(file_of_caller(parts, caller, file_id)))


@files.delete("/files/{file_id}", status_code=204, dependencies=[needs("files:write")])
def delete_file(parts: PartsOf, caller: CallerOf, file_id: RunId) -> Response:
    """Forget a file; runs that were begun with it keep it."""
    parts.runtime.delete_file(file_of_caller(parts, caller, file_id).id)
    return Response(status_code=204)
