"""The page about the server names every path that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.server.serving import Serving

PAGE = Path(__file__).parents[2] / "docs" / "server.md"

_PATH = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`?\s]*)")


def plain(path: str) -> str:
    """A path without what its parts are called."""
    return re.sub(r"{.*?}", "{}", path.removeprefix("/api/v1"))


def test_page_names_every_path(server: Serving) -> None:
    described = {
        (method.upper(), plain(path))
        for path, methods in server.get("/openapi.json")["paths"].items()
        for method in methods
    }
    written = {(method, plain(path)) for method, path in _PATH.findall(PAGE.read_text())}
    assert len(described) > 35
    assert described - written == set()
    assert written - described == set()
