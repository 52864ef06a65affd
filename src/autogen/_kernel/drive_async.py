"""The async drivers: perform the ops of a core coroutine on the caller's event loop.

`drive_async` runs it to its end; `iter_async` also hands each event to `async for`. The mirror
image of `drive.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import copy_context
from functools import partial
from types import CoroutineType
from typing import Any, TypeVar

from ..errors import RunCancelled
from .cancel import CancelToken
from .ioloop import pool
from .ops import Call, Core, Emit, Flavour, Gather, Sleep
from .run import Run, _current, _leaf_cancel, _outlet, deliver, foreign, raised, running

__all__ = ["drive_async", "iter_async"]

T = TypeVar("T")


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
                        deliver(run, op.event)
                elif kind is Call:
                    value = await _call(op)
                else:
                    value = await _other(op)
            except BaseException as error:
                op = core.throw(raised(error))
            else:
                op = send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        core.close()


async def _call(op: Call[Any]) -> Any:
    run = running()
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
        try:
            running()
        except BaseException:
            # Python warns of a coroutine that nobody began.
            for core in op.cores:
                core.close()
            raise
        return await _gather_async(op)
    if kind is Sleep:
        run = running()
        return await _cancellable(asyncio.sleep(op.seconds), run)
    if kind is Flavour:
        return "async"
    raise foreign(op)


async def _cancellable(awaitable: Any, run: Run | None) -> Any:
    """Await in place; cancelling the run cancels the wait."""
    if run is None:
        return await awaitable
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    is_cancelled = is_over = False

    def cancel() -> None:
        # A wait that ended meanwhile is left alone: the task may be about its caller's business.
        nonlocal is_cancelled
        if not is_over:
            is_cancelled = True
            task.cancel()

    def trip() -> None:
        loop.call_soon_threadsafe(cancel)

    with run.cancel.listen(trip):
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not is_cancelled:
                raise
            raise run.cancel.error() from None
        finally:
            is_over = True
            if is_cancelled:
                task.uncancel()


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
        for task in tasks:
            if task.done() and not task.cancelled():
                # Only the first is raised; asyncio logs errors that nobody has looked at.
                task.exception()
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
