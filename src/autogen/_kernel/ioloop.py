"""The I/O thread: where async leaves run when the caller has no event loop to lend.

Started at the first use, never before. A leaf that calls the sync face again, from the I/O thread
itself, gets the next thread up, so that it cannot wait for itself. After a fork the child starts
its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from .cancel import CancelToken
from .ops import Call
from .run import _leaf_cancel, _outlet

__all__ = [
    "InFlight",
    "Leaf",
    "ThreadLeaf",
    "at_close",
    "call_later",
    "io_loop",
    "new_loop",
    "own_loop",
    "pool",
    "run_on",
    "start",
]

#: More than any program holds at once: a pool that runs full could wait for itself.
_MAX_WORKERS = 4096
#: How long a call that was interrupted may take to clean up.
_LAST_S = 1.0
#: Windows does not interrupt a wait without a limit when Ctrl-C is pressed.
_POLL_S = 0.2 if os.name == "nt" else None


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop that keeps nothing of the context it is made in, a whole chat for instance."""
    return Context().run(asyncio.new_event_loop)


class _IOThread:
    """An event loop that runs in a daemon thread of its own."""

    def __init__(self) -> None:
        self.loop = new_loop()
        self.thread = threading.Thread(target=self._run, name="autogen-io", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(2.0)
        if not self.thread.is_alive():
            pending = asyncio.all_tasks(self.loop)
            for task in pending:
                task.cancel()
            if pending:
                self.loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


class _Threads:
    """The threads and loops of this process; one of these lives at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        #: The main thread's own loop, for leaves that need no thread beside them.
        self.own: asyncio.AbstractEventLoop | None = None
        self.io: list[_IOThread] = []
        self.pool: ThreadPoolExecutor | None = None
        #: Called on its loop's thread before a loop closes, to end sessions that live on it.
        self.closers: list[Callable[[], Awaitable[None]]] = []


_threads = _Threads()
#: After a fork: loops that the child must neither use nor close, kept so that nothing else does.
_left_to_parent: list[_Threads] = []


def io_loop() -> asyncio.AbstractEventLoop:
    """The loop for a leaf started from this thread."""
    me = threading.current_thread()
    with _threads.lock:
        depth = next((i + 1 for i, io in enumerate(_threads.io) if io.thread is me), 0)
        if depth == len(_threads.io):
            _threads.io.append(_IOThread())
        return _threads.io[depth].loop


def own_loop() -> asyncio.AbstractEventLoop | None:
    """A loop for the main thread to wait on by itself; None in other threads and inside a loop.

    It saves the way to the I/O thread and back, 30 to 80 us a call.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    if asyncio._get_running_loop() is not None:
        return None
    if _threads.own is None:
        _threads.own = new_loop()
    return _threads.own


def run_on(loop: asyncio.AbstractEventLoop, op: Call[Any], cancel: CancelToken | None) -> Any:
    """Await a call on a loop of this thread. Interrupted or cancelled, the call is cancelled."""
    assert op.async_ is not None
    task = loop.create_task(_after_news(op.async_, op.args, op.kwargs))
    try:
        if cancel is None:
            return loop.run_until_complete(task)
        with cancel.listen(lambda: _cancel_soon(loop, task)):
            return loop.run_until_complete(task)
    except asyncio.CancelledError:
        if cancel is not None and cancel.cancelled:
            raise cancel.error() from None
        raise
    finally:
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait({task}, timeout=_LAST_S))


def _cancel_soon(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    loop.call_soon_threadsafe(task.cancel)


async def _after_news(
    call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    # The loop stood still since the last call: what arrived since then, a connection that the other
    # side closed above all, has to be noticed before anything is sent.
    await asyncio.sleep(0)
    return await call(*args, **kwargs)


def pool() -> ThreadPoolExecutor:
    """The worker threads for blocking calls; threads are made as they are needed."""
    with _threads.lock:
        if _threads.pool is None:
            _threads.pool = ThreadPoolExecutor(_MAX_WORKERS, thread_name_prefix="autogen-call")
        return _threads.pool


class InFlight:
    """A call made elsewhere, as the thread that waits for it sees it.

    What happens to it arrives in `mail`: ("event", event) any number of times, then ("done", self).
    """

    __slots__ = ("mail",)

    def __init__(self, mail: queue.SimpleQueue[tuple[str, Any]]):
        self.mail = mail

    def events(self) -> Iterator[Any]:
        """The events of this call as they come; ends when the call is done."""
        while True:
            try:
                kind, item = self.mail.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if kind == "done":
                return
            yield item

    def cancel(self) -> None:
        """Ask the call to stop; it still reports ("done", self)."""
        raise NotImplementedError

    def result(self) -> Any:
        """What the call gave, or raise what it raised. Only after it is done."""
        raise NotImplementedError

    def outcome(self, cancel: CancelToken | None) -> Any:
        """`result`; a call that ended because `cancel` was tripped raises what the token says."""
        try:
            return self.result()
        except asyncio.CancelledError:
            if cancel is not None and cancel.cancelled:
                raise cancel.error() from None
            raise


class Leaf(InFlight):
    """An async call in flight on the I/O thread.

    The outcome travels as data: SystemExit raised inside a task would stop the loop's
    `run_forever`, and every later caller would wait on a dead thread.
    """

    __slots__ = ("_cancelled", "_loop", "_task", "error", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop, mail: queue.SimpleQueue[tuple[str, Any]]):
        super().__init__(mail)
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self.value: Any = None
        self.error: BaseException | None = None

    async def _shell(
        self, call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        try:
            self.value = await call(*args, **kwargs)
        except BaseException as error:
            self.error = error
        self.mail.put(("done", self))

    def _start(self, shell: Any, context: Context) -> None:
        if self._cancelled:
            shell.close()
            self.error = asyncio.CancelledError()
            self.mail.put(("done", self))
        else:
            self._task = self._loop.create_task(shell, context=context)
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Cancelled before its first step, the shell never ran and never reported.
        if task.cancelled() and self.error is None:
            self.error = asyncio.CancelledError()
            self.mail.put(("done", self))

    def cancel(self) -> None:
        def now() -> None:
            self._cancelled = True
            if self._task is not None:
                self._task.cancel()

        # A loop that is closed has nothing in flight any more.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(now)

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class ThreadLeaf(InFlight):
    """A blocking call in flight in a worker thread."""

    def __init__(
        self,
        op: Call[Any],
        context: Context,
        mail: queue.SimpleQueue[tuple[str, Any]],
    ):
        super().__init__(mail)
        self._token = CancelToken()
        context.run(_outlet.set, lambda event: mail.put(("event", event)))
        context.run(_leaf_cancel.set, self._token)
        assert op.sync is not None
        call = partial(op.sync, *op.args, **op.kwargs)
        self._future = pool().submit(context.run, call)
        self._future.add_done_callback(lambda _: mail.put(("done", self)))

    def cancel(self) -> None:
        self._token.cancel()

    def result(self) -> Any:
        return self._future.result()


def start(
    op: Call[Any],
    context: Context | None = None,
    mail: queue.SimpleQueue[tuple[str, Any]] | None = None,
) -> InFlight:
    """Start a call away from this thread: on the I/O thread, or in a worker thread.

    Args:
        op: The call.
        context: It runs in a copy of this context; by default of the caller's.
        mail: Where it reports; by default a queue of its own.
    """
    inside = context.copy() if context is not None else copy_context()
    box: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue() if mail is None else mail
    if op.sync is not None and (op.place == "thread" or op.async_ is None):
        return ThreadLeaf(op, inside, box)
    assert op.async_ is not None, "a Call has at least one flavour"
    loop = io_loop()
    leaf = Leaf(loop, box)
    inside.run(_outlet.set, lambda event: box.put(("event", event)))
    shell = leaf._shell(op.async_, op.args, op.kwargs)
    loop.call_soon_threadsafe(leaf._start, shell, inside)
    return leaf


def call_later(seconds: float, function: Callable[[], None]) -> Callable[[], None]:
    """Call `function` on the I/O thread after `seconds`; what is returned calls it off."""
    loop = io_loop()
    timers: list[asyncio.TimerHandle] = []
    is_off = False

    def start() -> None:
        if not is_off:
            timers.append(loop.call_later(seconds, function))

    def stop() -> None:
        nonlocal is_off
        is_off = True
        if timers and not loop.is_closed():
            loop.call_soon_threadsafe(timers[0].cancel)

    loop.call_soon_threadsafe(start)
    return stop


def at_close(closer: Callable[[], Awaitable[None]]) -> None:
    """Have `closer` awaited on each I/O loop before it ends."""
    _threads.closers.append(closer)


def _after_fork() -> None:
    # The child has neither the threads nor the right to the parent's locks and sockets.
    closers = _threads.closers
    _left_to_parent.append(_threads)
    globals()["_threads"] = _Threads()
    _threads.closers = closers


def _shutdown() -> None:
    own = _threads.own
    if own is not None and not own.is_running():
        for closer in _threads.closers:
            own.run_until_complete(asyncio.wait_for(_awaited(closer), 2.0))
        own.run_until_complete(own.shutdown_asyncgens())
        own.close()
        _threads.own = None
    for io in _threads.io:
        for closer in _threads.closers:
            done = asyncio.run_coroutine_threadsafe(_awaited(closer), io.loop)
            try:
                done.result(2.0)
            except TimeoutError:
                done.cancel()
        io.close()
    _threads.io.clear()
    if _threads.pool is not None:
        _threads.pool.shutdown(wait=False, cancel_futures=True)


async def _awaited(closer: Callable[[], Awaitable[None]]) -> None:
    await closer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_shutdown)
