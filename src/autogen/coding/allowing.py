"""Who says, on the spot, that code behind a wall may reach a host that it was refused.

Somebody who is asked, or somebody who watches and says so unasked. Values of the context, so that
they hold for whatever executor runs the code there, and for nothing else that it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

__all__ = ["Allow", "Grants", "allower", "allowing", "granted", "granting"]

#: Gets what would allow the host, as in `network=[...]`, and why it was refused. Called in the
#: thread that runs the code.
Allow: TypeAlias = Callable[[str, str], bool]

_allow: ContextVar[Allow | None] = ContextVar("autogen_allow", default=None)


def allower() -> Allow | None:
    """Who is asked here; None where nobody is."""
    return _allow.get()


@contextmanager
def allowing(allow: Allow) -> Iterator[None]:
    """Inside the `with` block `allow` is asked."""
    before = _allow.get()
    _allow.set(allow)
    try:
        yield
    finally:
        # Not by token: a coroutine that is thrown away may be closed in another context.
        _allow.set(before)


class Grants:
    """The hosts that somebody who watches a run has allowed its code, as in `network=[...]`."""

    def __init__(self) -> None:
        self._patterns: dict[str, None] = {}
        self._takers: list[Callable[[str], None]] = []
        self._lock = threading.Lock()

    def allow(self, pattern: str) -> None:
        """Allow one more host, from any thread; said again it changes nothing."""
        with self._lock:
            if pattern in self._patterns:
                return
            self._patterns[pattern] = None
            takers = list(self._takers)
        for take in takers:
            take(pattern)

    @contextmanager
    def taken(self, take: Callable[[str], None]) -> Iterator[None]:
        """Inside the `with` block `take` gets each host, those of before first."""
        with self._lock:
            self._takers.append(take)
            patterns = list(self._patterns)
        try:
            for pattern in patterns:
                take(pattern)
            yield
        finally:
            with self._lock:
                self._takers.remove(take)


_grants: ContextVar[Grants | None] = ContextVar("autogen_grants", default=None)


@contextmanager
def granting(grants: Grants) -> Iterator[None]:
    """Inside the `with` block code may reach what `grants` has."""
    before = _grants.get()
    _grants.set(grants)
    try:
        yield
    finally:
        _grants.set(before)


@contextmanager
def granted(take: Callable[[str], None]) -> Iterator[None]:
    """Inside the `with` block `take` gets each host that was, or is, granted here."""
    grants = _grants.get()
    if grants is None:
        yield
    else:
        with grants.taken(take):
            yield
