"""Whether models, tools, code and people may be asked: while a run is told again, nobody may.

Who tells a run again says so with `telling`; what would ask somebody calls `check` first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Teller", "check", "teller", "telling"]


class Teller(Protocol):
    """Tells runs again from their records."""

    def refused(self, what: str) -> Exception:
        """The error for something that is in no record."""
        ...


_here: ContextVar[Teller | None] = ContextVar("autogen_teller", default=None)

#: For every thread of the process.
_everywhere: list[Teller] = []


def teller() -> Teller | None:
    """Who tells runs again where the calling code runs, or None."""
    found = _here.get()
    if found is None and _everywhere:
        return _everywhere[-1]
    return found


def check(what: str) -> None:
    """Refuse `what` while runs are told again.

    Raises:
        ReplayMismatch: They are.
    """
    found = teller()
    if found is not None:
        raise found.refused(what)


@contextmanager
def telling(found: Teller, *, is_everywhere: bool = False) -> Iterator[None]:
    """Inside the `with` block runs are told again by `found`.

    Args:
        found: Who.
        is_everywhere: In all threads of this process, also those that know nothing of the block.
    """
    token = _here.set(found)
    if is_everywhere:
        _everywhere.append(found)
    try:
        yield
    finally:
        if is_everywhere:
            _everywhere.remove(found)
        _here.reset(token)
