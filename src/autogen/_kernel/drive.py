"""The sync drivers: perform the ops of a core coroutine in the caller's thread.

`drive_sync` runs it to its end; `iter_sync` also hands each event to a plain `for` loop.
`drive_async.py` is the mirror image, on the caller's event loop: what an op means is decided in
these two files and nowhere else.

The sync drivers need no event loop, so they work inside one (a notebook) as well as anywhere else:
user code, `input()`, debuggers and Ctrl-C stay in the caller's thread, and only async leaves go to
the I/O thread.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from . import late
from .cancel import CancelToken
from .ops import Call, Core, Emit, Flavour, Gather, Sleep
from .run import Run, _current, deliver, foreign, raised, running

if TYPE_CHECKING:
    from .ioloop import InFlight

__all__ = ["drive_sync", "iter_sync"]

T = TypeVar("T")


def drive_sync(core: Core[T]) -> T:
    """Run `core` to its end in this thread."""
    send = core.send
    try:
        op = send(None)
        while True:
            try:
                value = _answer(op)
            except BaseException as error:
                op = core.throw(raised(error))
            else:
                op = send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        core.close()


def iter_sync(core: Core[T], outbox: deque[Any]) -> Generator[Any, None, T]:
    """Run `core` in this thread, yielding what its sinks put into `outbox` as soon as it can.

    Closing the generator stops the core at its present op and cancels the leaf in flight.

    Args:
        core: Started when the first event is asked for.
        outbox: One of the sinks of the run must append to it.
    """
    context = copy_context()
    try:
        op = context.run(core.send, None)
        while True:
            try:
                if type(op) is Call and (op.sync is None or op.place == "thread"):
                    value = yield from _watched(late.ioloop.start(op, context), context, outbox)
                else:
                    value = context.run(_answer, op)
            except GeneratorExit:
                raise
            except BaseException as error:
                op = context.run(core.throw, raised(error))
            else:
                op = context.run(core.send, value)
            while outbox:
                yield outbox.popleft()
    except StopIteration as stop:
        while outbox:
            yield outbox.popleft()
        result: T = stop.value
        return result
    finally:
        context.run(core.close)


def _answer(op: Any) -> Any:
    kind = type(op)
    if kind is Call:
        run = running()
        if op.sync is not None and op.place != "thread":
            value = op.sync(*op.args, **op.kwargs)
            if type(value) is not CoroutineType:
                return value
            # A plain function that handed back a coroutine: a lambda or partial around `async def`.
            return _wait(late.ioloop.start(Call(None, _identity, (value,))), run)
        io = late.ioloop
        if op.place == "inline" and op.sync is None and (loop := io.own_loop()) is not None:
            return io.run_on(loop, op, None if run is None else run.cancel)
        return _wait(io.start(op), run)
    if kind is Emit:
        run = _current.get()
        if run is not None:
            deliver(run, op.event)
        return None
    if kind is Gather:
        try:
            running()
        except BaseException:
            # Python warns of a coroutine that nobody began.
            for core in op.cores:
                core.close()
            raise
        return _gather(op)
    if kind is Sleep:
        return _pause(op.seconds)
    if kind is Flavour:
        return "sync"
    raise foreign(op)


async def _identity(awaitable: Any) -> Any:
    return await awaitable


def _wait(leaf: InFlight, run: Run | None) -> Any:
    """Wait for a leaf, delivering its events; an interrupted wait cancels it."""
    try:
        if run is None:
            deque(leaf.events(), maxlen=0)
        else:
            with run.cancel.listen(leaf.cancel):
                for event in leaf.events():
                    deliver(run, event)
    except BaseException:
        leaf.cancel()
        raise
    return leaf.outcome(None if run is None else run.cancel)


def _watched(leaf: InFlight, context: Context, outbox: deque[Any]) -> Generator[Any, None, Any]:
    """`_wait` for an iterating driver."""
    run = context.get(_current)
    if run is None:
        return _wait(leaf, None)
    try:
        with run.cancel.listen(leaf.cancel):
            for event in leaf.events():
                run.deliver(event)
                while outbox:
                    yield outbox.popleft()
    except BaseException:
        leaf.cancel()
        raise
    return leaf.outcome(run.cancel)


def _pause(seconds: float) -> None:
    run = running()
    if run is None:
        time.sleep(seconds)
        return
    woken = threading.Event()
    with run.cancel.listen(woken.set):
        woken.wait(seconds)
    running()


class _Branch:
    """One branch of a sync Gather: a core, the context it lives in, and what it waits for."""

    __slots__ = ("context", "core", "leaf", "result", "run")

    def __init__(self, core: Core[Any], parent: Run | None, name: str):
        self.core = core
        self.context = copy_context()
        self.run = parent.branch(name) if parent is not None else None
        self.leaf: InFlight | None = None
        self.result: Any = None
        if self.run is not None:
            self.context.run(_current.set, self.run)

    def advance(self, mail: queue.SimpleQueue[tuple[str, Any]], resume: Callable[[], Any]) -> bool:
        """Go on until the next leaf; whether the branch ended. Plain calls are made right here."""
        try:
            op = self.context.run(resume)
            while True:
                if type(op) is Call and (op.sync is None or op.place == "thread"):
                    self.context.run(running)
                    self.leaf = late.ioloop.start(op, self.context, mail)
                    return False
                try:
                    value = self.context.run(_answer, op)
                except BaseException as error:
                    op = self.context.run(self.core.throw, raised(error))
                else:
                    op = self.context.run(self.core.send, value)
        except StopIteration as stop:
            self.result = stop.value
            return True

    def outcome(self) -> Callable[[], Any]:
        """How to go on with what the leaf gave."""
        assert self.leaf is not None
        leaf, self.leaf = self.leaf, None
        try:
            value = leaf.outcome(None if self.run is None else self.run.cancel)
        except BaseException as error:
            return partial(self.core.throw, raised(error))
        return partial(self.core.send, value)


def _gather(op: Gather) -> list[Any]:
    """Interleave the branches in this thread; their leaves overlap elsewhere."""
    parent = _current.get()
    name = parent.next_position() if parent is not None else ""
    mail: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    branches = [_Branch(core, parent, f"{name}.{i}") for i, core in enumerate(op.cores)]
    token = parent.cancel if parent is not None else CancelToken()
    waiting_for = [set(ones) for ones in op.after]
    in_flight: dict[int, int] = {}

    def cancel_leaves() -> None:
        for branch in branches:
            if branch.leaf is not None:
                branch.leaf.cancel()

    def go_on(i: int, resume: Callable[[], Any]) -> None:
        """Advance branch i, and then those that waited for it."""
        if not branches[i].advance(mail, resume):
            in_flight[id(branches[i].leaf)] = i
            return
        for k, ones in enumerate(waiting_for):
            if i in ones:
                ones.discard(i)
                if not ones:
                    go_on(k, partial(branches[k].core.send, None))

    try:
        with token.listen(cancel_leaves):
            for i in [i for i, ones in enumerate(op.after) if not ones]:
                go_on(i, partial(branches[i].core.send, None))
            while in_flight:
                kind, item = mail.get()
                if kind == "event":
                    assert parent is not None
                    deliver(parent, item)
                else:
                    i = in_flight.pop(id(item))
                    go_on(i, branches[i].outcome())
    except BaseException:
        cancel_leaves()
        raise
    finally:
        for branch in branches:
            branch.context.run(branch.core.close)
    return [branch.result for branch in branches]
