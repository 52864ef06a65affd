"""The pages of the studio: files that were built once, and hold nothing of anybody.

They are open to whoever reaches the server, so that a browser gets as far as asking for the token;
what they show they ask for themselves, with the cookie that they got for it. Every address below
`/studio/` is the same page, which finds out in the browser what it is to show.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import Header, Response

from .common import router
from .problems import Problem

__all__ = ["CONTENT_POLICY", "STATIC", "pages"]

#: Where the built files are.
STATIC = Path(__file__).resolve().parent.parent / "studio" / "static"

#: Nothing from elsewhere, no script or style in the page itself, and no page around it.
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}

# The types of the machine's own list are not those of every machine.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_PACKED = {".png", ".woff2", ".ico"}

#: Names in this folder carry a hash of what is in the file.
_HASHED = "assets"
_A_YEAR = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"

pages = router(tag="pages", prefix="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    body: bytes
    packed: bytes | None
    media_type: str
    tag: str
    caching: str


@lru_cache(maxsize=1)
def _files(folder: Path) -> dict[str, _File]:
    """Every file that is served, by its path: a path that is none of these leads nowhere."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TYPES and path.is_file():
            name, body = path.relative_to(folder).as_posix(), path.read_bytes()
            found[name] = _File(
                body=body,
                packed=None if path.suffix in _PACKED else gzip.compress(body, mtime=0),
                media_type=_TYPES[path.suffix],
                tag=f'W/"{hashlib.sha256(body).hexdigest()[:32]}"',
                caching=_A_YEAR if name.startswith(f"{_HASHED}/") else _ASK_AGAIN,
            )
    return found


def _answer(name: str, encodings: str | None, known: str | None) -> Response:
    file = _files(STATIC).get(name)
    if file is None:
        raise Problem(404, "the studio has no such file.")
    headers = {**_HEADERS, "Cache-Control": file.caching, "ETag": file.tag}
    if known is not None and file.tag in known:
        return Response(status_code=304, headers=headers)
    body = file.body
    if file.packed is not None and "gzip" in (encodings or ""):
        body, headers["Content-Encoding"] = file.packed, "gzip"
    return Response(body, headers=headers, media_type=file.media_type)


Encodings = Annotated[str | None, Header(alias="Accept-Encoding")]
Known = Annotated[str | None, Header(alias="If-None-Match")]


@pages.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
@pages.api_route("/studio", methods=["GET", "HEAD"], include_in_schema=False)
@pages.api_route("/studio/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
def show_studio(encodings: Encodings = None, known: Known = None) -> Response:
    """The page of the studio."""
    return _answer("index.html", encodings, known)


@pages.api_route("/assets/{name}", methods=["GET", "HEAD"], include_in_schema=False)
def get_asset(name: str, encodings: Encodings = None, known: Known = None) -> Response:
    """A file of the page."""
    return _answer(f"{_HASHED}/{name}", encodings, known)


@pages.api_route("/favicon.svg", methods=["GET", "HEAD"], include_in_schema=False)
def get_icon(encodings: Encodings = None, known: Known = None) -> Response:
    """What the browser shows beside the title."""
    return _answer("favicon.svg", encodings, known)
