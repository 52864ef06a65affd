"""Who is asked, on the spot, whether code behind a wall may reach a host that it was refused.

A value of the context, so that it holds for whatever executor runs the code there, and for nothing
else that the same executor runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

__all__ = ["Allow", "allower", "allowing"]

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
