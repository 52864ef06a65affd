"""Drivers: perform the ops of a core coroutine.

`drive_sync` in the caller's thread, `drive_async` on the caller's event loop, and
`iter_sync`/`iter_async`, which also hand each event to a plain `for` loop or to `async for`. The
four are mirror images: what an op means is decided here and nowhere else.

The sync drivers need no event loop, so they work inside one (a notebook) as well as anywhere else:
user code, `input()`, debuggers and Ctrl-C stay in the caller's thread, and only async leaves go to
the I/O thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import Any, TypeVar

from ..errors import RunCancelled, RunTimeout, UsageTypeError
from .cancel import CancelToken
from .ioloop import InFlight, own_loop, pool, run_on, spawn_thread, start_leaf
from .ops import Call, Core, Emit, Flavour, Gather, Sleep
from .run import Run, _current, _leaf_cancel, _outlet

__all__ = ["drive_async", "drive_sync", "iter_async", "iter_sync"]

T = TypeVar("T")


def cancelled_error(token: CancelToken) -> RunCancelled:
    """The error that a cancelled run raises at its next op."""
    if token.reason == "timeout":
        return RunTimeout()
    return RunCancelled(reason=token.reason or "cancelled")


def _foreign(op: Any) -> UsageTypeError:
    return UsageTypeError(
        f"core code awaited {type(op).__name__}; it may await only ops (Call, Emit, Gather, Sleep) "
        "and other core coroutines. Wrap the awaitable in Call(async_=...)."
    )


def _running() -> Run | None:
    """The current run, or None; raises if it was cancelled."""
    run = _current.get()
    if run is not None and run.cancel.reason is not None:
        raise cancelled_error(run.cancel)
    return run


# ------------------------------------------------------------------------------------------------
# sync


def drive_sync(core: Core[T]) -> T:
    """Run `core` to its end in this thread."""
    send = core.send
    try:
        op = send(None)
        while True:
            try:
                value = _answer(op)
            except BaseException as error:
                op = core.throw(error)
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
                    value = yield from _watched(_start(op, context), context, outbox)
                else:
                    value = context.run(_answer, op)
            except GeneratorExit:
                raise
            except BaseException as error:
                op = context.run(core.throw, error)
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
        run = _running()
        if op.sync is not None and op.place != "thread":
            value = op.sync(*op.args, **op.kwargs)
            if type(value) is not CoroutineType:
                return value
            # A plain function that handed back a coroutine: a lambda or partial around `async def`.
            return _wait(start_leaf(_identity, (value,)), run)
        if op.place == "inline" and (loop := own_loop()) is not None:
            return _wait_here(loop, op, run)
        return _wait(_start(op, None), run)
    if kind is Emit:
        run = _current.get()
        if run is not None:
            _deliver(run, op.event)
        return None
    if kind is Gather:
        _running()
        return _gather(op)
    if kind is Sleep:
        return _pause(op.seconds)
    if kind is Flavour:
        return "sync"
    raise _foreign(op)


async def _identity(awaitable: Any) -> Any:
    return await awaitable


def _deliver(run: Run, event: Any) -> None:
    """Hand an event to the sinks, in the thread that drives the outermost core."""
    outlet = _outlet.get()
    if outlet is None:
        run.deliver(event)
    else:
        outlet(event)


def _start(op: Call[Any], context: Context | None) -> InFlight:
    if op.async_ is not None and op.place != "thread":
        return start_leaf(op.async_, op.args, op.kwargs, context=context)
    if op.sync is None:
        assert op.async_ is not None, "a Call has at least one flavour"
        return start_leaf(op.async_, op.args, op.kwargs, context=context)
    return _ThreadLeaf(op, context, queue.SimpleQueue())


class _ThreadLeaf(InFlight):
    """A blocking call in flight in a worker thread."""

    def __init__(
        self,
        op: Call[Any],
        context: Context | None,
        mail: queue.SimpleQueue[tuple[str, Any]],
    ):
        inside = context.copy() if context is not None else copy_context()
        super().__init__(mail)
        self._token = CancelToken()
        inside.run(_outlet.set, lambda event: mail.put(("event", event)))
        inside.run(_leaf_cancel.set, self._token)
        assert op.sync is not None
        self._future = spawn_thread(inside, partial(op.sync, *op.args, **op.kwargs))
        self._future.add_done_callback(lambda _: mail.put(("done", self)))

    def cancel(self) -> None:
        self._token.cancel()

    def result(self) -> Any:
        return self._future.result()


def _wait_here(loop: asyncio.AbstractEventLoop, op: Call[Any], run: Run | None) -> Any:
    """Wait for an async leaf on a loop of this thread; its events are delivered right away."""
    assert op.async_ is not None
    try:
        return run_on(loop, op.async_, op.args, op.kwargs, None if run is None else run.cancel)
    except asyncio.CancelledError:
        if run is not None and run.cancel.cancelled:
            raise cancelled_error(run.cancel) from None
        raise


def _wait(leaf: InFlight, run: Run | None) -> Any:
    """Wait for a leaf, delivering its events; an interrupted wait cancels it."""
    try:
        if run is None:
            deque(leaf.events(), maxlen=0)
        else:
            with run.cancel.listen(leaf.cancel):
                for event in leaf.events():
                    _deliver(run, event)
    except BaseException:
        leaf.cancel()
        raise
    return _outcome(leaf, run)


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
    return _outcome(leaf, run)


def _outcome(leaf: InFlight, run: Run | None) -> Any:
    try:
        return leaf.result()
    except asyncio.CancelledError:
        if run is not None and run.cancel.cancelled:
            raise cancelled_error(run.cancel) from None
        raise


def _pause(seconds: float) -> None:
    run = _running()
    if run is None:
        time.sleep(seconds)
        return
    woken = threading.Event()
    with run.cancel.listen(woken.set):
        woken.wait(seconds)
    _running()


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
                    self.context.run(_running)
                    self.leaf = self._leaf(op, mail)
                    return False
                try:
                    value = self.context.run(_answer, op)
                except BaseException as error:
                    op = self.context.run(self.core.throw, error)
                else:
                    op = self.context.run(self.core.send, value)
        except StopIteration as stop:
            self.result = stop.value
            return True

    def _leaf(self, op: Call[Any], mail: queue.SimpleQueue[tuple[str, Any]]) -> InFlight:
        if op.sync is not None and op.place == "thread":
            return _ThreadLeaf(op, self.context, mail)
        assert op.async_ is not None
        return start_leaf(op.async_, op.args, op.kwargs, context=self.context, mail=mail)

    def outcome(self) -> Callable[[], Any]:
        """How to go on with what the leaf gave."""
        assert self.leaf is not None
        leaf, self.leaf = self.leaf, None
        try:
            value = _outcome(leaf, self.run)
        except BaseException as error:
            return partial(self.core.throw, error)
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
                    _deliver(parent, item)
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


# -----------------------------------------------------------------------------------------------
# async


async def drive_async(core: Core[T]) -> T:
    """Run `core` to its end on the current event loop."""
    send = core.send
    try:
        op = send(None)
        while True:
            try:
                kind = type(op)
                if kind is Emit:
                    run = _current.get()
                    value = None
                    if run is not None:
                        _deliver(run, op.event)
                elif kind is Call:
                    value = await _call(op)
                else:
                    value = await _other(op)
            except BaseException as error:
                op = core.throw(error)
            else:
                op = send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        core.close()


async def _call(op: Call[Any]) -> Any:
    run = _running()
    if op.sync is not None and (op.async_ is None or op.place == "thread"):
        if op.place == "inline":
            value = op.sync(*op.args, **op.kwargs)
        else:
            value = await _in_thread(op, run)
        if type(value) is not CoroutineType:
            return value
        return await _cancellable(value, run)
    assert op.async_ is not None
    return await _cancellable(op.async_(*op.args, **op.kwargs), run)


async def _other(op: Any) -> Any:
    kind = type(op)
    if kind is Gather:
        _running()
        return await _gather_async(op)
    if kind is Sleep:
        run = _running()
        return await _cancellable(asyncio.sleep(op.seconds), run)
    if kind is Flavour:
        return "async"
    raise _foreign(op)


async def _cancellable(awaitable: Any, run: Run | None) -> Any:
    """Await in place; cancelling the run cancels the wait."""
    if run is None:
        return await awaitable
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    tripped = False

    def trip() -> None:
        nonlocal tripped
        tripped = True
        loop.call_soon_threadsafe(task.cancel)

    with run.cancel.listen(trip):
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not tripped:
                raise
            task.uncancel()
            raise cancelled_error(run.cancel) from None


async def _in_thread(op: Call[Any], run: Run | None) -> Any:
    loop = asyncio.get_running_loop()
    context, token = copy_context(), CancelToken()
    context.run(_leaf_cancel.set, token)
    if run is not None and _outlet.get() is None:
        context.run(_outlet.set, partial(_post, loop, run))
    assert op.sync is not None
    call = partial(context.run, op.sync, *op.args, **op.kwargs)
    try:
        return await _cancellable(loop.run_in_executor(pool(), call), run)
    except (asyncio.CancelledError, RunCancelled):
        token.cancel()
        raise


def _post(loop: asyncio.AbstractEventLoop, run: Run, event: Any) -> None:
    """Have an event delivered on the loop that drives."""
    loop.call_soon_threadsafe(run.deliver, event)


async def _gather_async(op: Gather) -> list[Any]:
    parent, loop = _current.get(), asyncio.get_running_loop()
    name = parent.next_position() if parent is not None else ""
    waiting_for = [set(ones) for ones in op.after]
    tasks: dict[asyncio.Task[Any], int] = {}

    def start(i: int) -> None:
        context = copy_context()
        if parent is not None:
            context.run(_current.set, parent.branch(f"{name}.{i}"))
        tasks[loop.create_task(drive_async(op.cores[i]), context=context)] = i

    try:
        for i in [i for i, ones in enumerate(op.after) if not ones]:
            start(i)
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=tasks.__getitem__):
                if (error := task.exception()) is not None:
                    raise error
            ended = {tasks[task] for task in done}
            for k, ones in enumerate(waiting_for):
                if ones & ended:
                    ones -= ended
                    if not ones:
                        start(k)
            pending |= {task for task in tasks if not task.done()}
        results = {i: task.result() for task, i in tasks.items()}
        return [results.get(i) for i in range(len(op.cores))]
    finally:
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for core in op.cores:
            core.close()


async def iter_async(core: Core[T], outbox: asyncio.Queue[Any]) -> AsyncIterator[Any]:
    """Run `core` on the current loop, yielding what its sinks put into `outbox` as it comes.

    Leaving the loop early cancels the core. Its result is not given; a sink sees it as an event.

    Args:
        core: Started when the first event is asked for.
        outbox: One of the sinks of the run must be its `put_nowait`.
    """
    task = asyncio.ensure_future(drive_async(core))
    end = object()
    task.add_done_callback(lambda _: outbox.put_nowait(end))
    try:
        while (event := await outbox.get()) is not end:
            yield event
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
