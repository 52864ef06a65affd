"""Ops: what a core coroutine may ask of its driver.

A core coroutine awaits ops and other core coroutines, nothing else. It therefore has no thread, no
event loop and no clock of its own, and one body serves every face. The driver receives each op from
`coroutine.send()`, performs it in its own way, and sends the result back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar

__all__ = ["Call", "Core", "Emit", "Flavour", "Gather", "Op", "Place", "Sleep"]

T = TypeVar("T")

#: A coroutine that awaits only ops.
Core: TypeAlias = Coroutine[Any, Any, T]

#: Where the sync flavour of a call may run.
Place: TypeAlias = Literal["caller", "inline", "thread"]

_NO_KWARGS: Mapping[str, Any] = {}


class Op(Generic[T]):
    """One request from the core to its driver."""

    __slots__ = ()

    def __await__(self) -> Generator[Op[T], Any, T]:
        result: T = yield self
        return result


class Call(Op[T]):
    """Call a function that is not core: user code, or an adapter.

    The sync driver takes the sync flavour if there is one, the async driver the async one; each
    falls back to the other (the sync driver by way of the I/O thread, the async driver by way of a
    worker thread).

    `place` says where the sync flavour runs:

    - `caller`: the caller's thread; a worker thread under the async driver, because it may block.
    - `inline`: the current thread under both drivers, for what is quick (predicates, hooks). An
      async flavour without a sync one may then run on a loop that turns only while it is waited
      for: nothing of it may have to go on afterwards.
    - `thread`: a worker thread under both drivers, so that branches of a `Gather` overlap.
    """

    __slots__ = ("args", "async_", "kwargs", "place", "sync")

    def __init__(
        self,
        sync: Callable[..., T] | None = None,
        async_: Callable[..., Awaitable[T]] | None = None,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = _NO_KWARGS,
        place: Place = "caller",
    ):
        self.sync = sync
        self.async_ = async_
        self.args = args
        self.kwargs = kwargs
        self.place = place


class Emit(Op[None]):
    """An event on its way to whoever watches the run."""

    __slots__ = ("event",)

    def __init__(self, event: Any):
        self.event = event


class Sleep(Op[None]):
    """Wait; ends early, with an error, when the run is cancelled."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float):
        self.seconds = seconds


class Gather(Op[list[Any]]):
    """Run core coroutines side by side; the results come in their order.

    Each branch numbers its steps in a block of its own, so that what is recorded does not depend on
    who was faster. The first error stops the other branches and is raised.

    `after[i]` holds the indices of the branches that must have ended before branch i starts; they
    must not go round in a circle. By default all start at once.
    """

    __slots__ = ("after", "cores")

    def __init__(self, cores: Sequence[Core[Any]], after: Sequence[Collection[int]] | None = None):
        self.cores = list(cores)
        self.after = [set(ones) for ones in after] if after is not None else [set() for _ in cores]


class Flavour(Op[Literal["sync", "async"]]):
    """Which driver is at work. Only for user functions registered twice, once for each face."""

    __slots__ = ()
