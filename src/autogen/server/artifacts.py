"""Routes of artifacts: files that the code of runs left. They may be hostile."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse

from ..errors import UnknownRun
from ..events import Event
from .callers import CallerOf, needs
from .common import After, Limit, PartsOf, RunId, router, run_of_caller
from .problems import Problem
from .schemas import MOST_POS, ArtifactPage
from .telling import as_json

__all__ = ["artifacts"]

artifacts = router(tag="artifacts")

#: What a browser may show by itself; everything else it saves.
_INLINE = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,100}")
_HEADERS = {"Content-Security-Policy": "sandbox; default-src 'none'"}

#: Events that are read at once, and files of one that can be asked for.
_PAGE = 1000

_bytes: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@artifacts.get(
    "/runs/{run_id}/artifacts", response_model=ArtifactPage, dependencies=[needs("runs:read")]
)
def list_artifacts(
    parts: PartsOf, caller: CallerOf, run_id: RunId, after: After = 0, limit: Limit = _PAGE
) -> Response:
    """The files that the code of a run left; `limit` counts executions, each may leave many."""
    run_of_caller(parts, caller, run_id)
    found = parts.runtime.events(run_id, after=after, limit=limit, types=["code.finished"])
    items = [one for event in found for one in _told(run_id, event)]
    return as_json({"items": items, "next": found[-1].pos if len(found) == limit else None})


def _told(run_id: str, event: Event) -> Iterator[dict[str, Any]]:
    for n, one in enumerate(event.data.get("artifacts") or ()):
        yield {
            "id": _id_of(run_id, event.pos or 0, n),
            "run_id": run_id,
            "pos": event.pos,
            "name": one["name"],
            "media_type": one["mime"],
            "size": one["size_bytes"],
            "sha256": one["sha256"],
        }


def _id_of(run_id: str, pos: int, n: int) -> str:
    text = json.dumps([run_id, pos, n], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place_of(artifact_id: str) -> tuple[str, int, int]:
    try:
        padded = artifact_id + "=" * (-len(artifact_id) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        place = None
    match place:
        case [str(run_id), int(pos), int(n)] if 0 < pos <= MOST_POS and 0 <= n < _PAGE:
            return run_id, pos, n
    raise _unknown()


def _unknown() -> Problem:
    return Problem(404, "there is no such artifact.")


@artifacts.get(
    "/artifacts/{artifact_id}",
    response_class=Response,
    responses=_bytes,
    dependencies=[needs("runs:read")],
)
def get_artifact(parts: PartsOf, caller: CallerOf, artifact_id: RunId) -> Response:
    """The bytes of a file that code left; a browser saves them, unless they are a picture."""
    run_id, pos, n = _place_of(artifact_id)
    try:
        run_of_caller(parts, caller, run_id)
        event = parts.runtime.event(run_id, pos)
    except (UnknownRun, Problem):
        raise _unknown() from None
    found = (event.data.get("artifacts") or ())[n : n + 1] if event.type == "code.finished" else ()
    if not found:
        raise _unknown()
    (one,) = found
    if not parts.runtime.has_content(one["sha256"]):
        raise Problem(
            404, "the bytes of this artifact were not kept; it was too large, or changed."
        )
    return StreamingResponse(
        parts.runtime.content(one["sha256"]), headers=_headers(one), media_type=_media_type(one)
    )


def _media_type(one: dict[str, Any]) -> str:
    given = str(one["mime"])
    return given if _MEDIA_TYPE.fullmatch(given) else "application/octet-stream"


def _headers(one: dict[str, Any]) -> dict[str, str]:
    way = "inline" if one["mime"] in _INLINE else "attachment"
    name = quote(PurePosixPath(one["name"]).name.encode("utf-8", "replace"), safe="")
    return {
        **_HEADERS,
        "Content-Disposition": f"{way}; filename*=UTF-8''{name}",
        "Content-Length": str(one["size_bytes"]),
        "ETag": f'"{one["sha256"]}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }
