"""Every behaviour of the 0.2 API that is promised here, and the tests that hold each promise.

The rows stand in `areas/`, one module per part of the API with a `TITLE` and `ROWS`; a new module
there is found by itself. A test names the rows it holds:

    @requirement("human:never:stops-at-termination")
    def test_never_mode_stops_at_the_word(face: Face) -> None: ...

`test_requirements.py` holds both directions: every row has a test, every named row exists.
`docs/compatibility.md` is this table for people, written by `scripts/build_compatibility.py`.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from .rows import Requirement

__all__ = ["AREAS", "REQUIREMENTS", "requirement", "held_by"]

F = TypeVar("F", bound=Callable[..., object])

TESTS = Path(__file__).resolve().parents[1]


def _areas() -> dict[str, list[Requirement]]:
    found = {}
    for path in sorted((Path(__file__).parent / "areas").glob("[a-z]*.py")):
        module = importlib.import_module(f"{__package__}.areas.{path.stem}")
        found[module.TITLE] = list(module.ROWS)
    return found


#: The rows by the title of their area.
AREAS = _areas()

#: The rows by id. Where two have the same id, `test_requirements.py` tells.
REQUIREMENTS = {row.id: row for rows in AREAS.values() for row in rows}


def requirement(*ids: str) -> Callable[[F], F]:
    """Mark a test as the one that holds these rows."""
    unknown = [one for one in ids if one not in REQUIREMENTS]
    if unknown:
        raise LookupError(f"no row of tests/compat/areas has the id {', '.join(unknown)}.")

    def marked(test: F) -> F:
        return test

    return marked


def held_by() -> dict[str, list[str]]:
    """The tests that name each id, as `path::name`. The files are read, not run."""
    named: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "@requirement(" not in text:
            continue
        for test, name in _named(ast.parse(text)):
            named.setdefault(name, []).append(f"{path.relative_to(TESTS.parent)}::{test}")
    return named


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "requirement":
                for arg in mark.args:
                    if isinstance(arg, ast.Constant):
                        yield node.name, str(arg.value)
