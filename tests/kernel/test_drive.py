"""What the drivers do with each op, the same on every face."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from autogen._kernel.cancel import CancelToken
from autogen._kernel.drive import drive_sync, iter_sync
from autogen._kernel.drive_async import drive_async, iter_async
from autogen._kernel.faces import faces, point
from autogen._kernel.ops import Call, Core, Emit, Flavour, Gather, Sleep
from autogen._kernel.record import new_id, random_index, step
from autogen._kernel.run import Run, entered, on_cancel, transient
from autogen.errors import RunCancelled, RunTimeout, UsageTypeError
from autogen.journal.memory import MemoryLog
from autogen.journal.recording import Recording

Drive = Callable[[Core[Any]], Any]


def _in_notebook(core: Core[Any]) -> Any:
    async def cell() -> Any:
        return drive_sync(core)

    return asyncio.run(cell())


@pytest.fixture(
    params=[drive_sync, lambda core: asyncio.run(drive_async(core)), _in_notebook],
    ids=["sync", "async", "notebook"],
)
def drive(request: pytest.FixtureRequest) -> Drive:
    chosen: Drive = request.param
    return chosen


def _run(**more: Any) -> Run:
    return Run(id="r", make_event=lambda run, kind, data: (kind, data), **more)


async def _answer(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def test_plain_and_async_calls_give_their_values(drive: Drive) -> None:
    async def core() -> list[Any]:
        return [await Call(lambda x: x + 1, None, (1,)), await Call(None, _answer, (3,))]

    assert drive(core()) == [2, 3]


def test_each_driver_prefers_its_own_flavour() -> None:
    async def core() -> Any:
        return await Call(lambda: "sync", _answer, ()), await Flavour()

    async def other() -> Any:
        async def async_() -> str:
            return "async"

        return await Call(lambda: "sync", async_), await Flavour()

    assert drive_sync(core()) == ("sync", "sync")
    assert asyncio.run(drive_async(other())) == ("async", "async")


def test_a_plain_function_that_returns_a_coroutine_is_awaited(drive: Drive) -> None:
    async def core() -> Any:
        return await Call(lambda: _answer("late"), None)

    assert drive(core()) == "late"


def test_an_error_of_a_call_reaches_the_core_where_it_waits(drive: Drive) -> None:
    def fails() -> None:
        raise KeyError("k")

    async def core() -> str:
        try:
            await Call(fails)
        except KeyError as error:
            return f"caught {error}"
        return "missed"

    assert drive(core()) == "caught 'k'"


def test_system_exit_in_an_async_leaf_leaves_the_io_thread_alive() -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    async def core() -> None:
        await Call(None, leaves)

    with pytest.raises(SystemExit):
        drive_sync(core())
    assert drive_sync(_awaiting(1)) == 1


async def _awaiting(value: Any) -> Any:
    return await Call(None, _answer, (value,))


def test_awaiting_something_that_is_no_op_is_refused_by_name(drive: Drive) -> None:
    class Foreign:
        def __await__(self) -> Any:
            yield object()

    async def core() -> None:
        await Foreign()

    with pytest.raises(UsageTypeError, match="may await only ops"):
        drive(core())


def test_the_sync_driver_stays_in_the_callers_thread_and_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def user_code() -> tuple[int, None]:
        return threading.get_ident(), variable.set("by user code")  # type: ignore[func-returns-value,return-value]

    async def core() -> Any:
        return await Call(user_code)

    assert drive_sync(core())[0] == threading.get_ident()
    assert variable.get() == "by user code"


def test_context_variables_reach_async_leaves(drive: Drive) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    async def leaf() -> int:
        return variable.get()

    async def core() -> int:
        variable.set(7)
        return await Call(None, leaf)

    assert drive(core()) == 7


def test_blocking_calls_do_not_block_the_callers_event_loop() -> None:
    released = threading.Event()

    async def main() -> bool:
        async def core() -> bool:
            return await Call(released.wait, None, (5.0,))

        task = asyncio.create_task(drive_async(core()))
        await asyncio.sleep(0)
        released.set()
        return await task

    assert asyncio.run(main()) is True


def test_inline_calls_run_on_the_callers_thread_on_both_faces(drive: Drive) -> None:
    async def core() -> int:
        return await Call(threading.get_ident, place="inline")

    assert drive(core()) == threading.get_ident()


def test_an_async_leaf_may_call_the_sync_face_again() -> None:
    async def leaf() -> Any:
        return drive_sync(_awaiting("inner"))

    async def core() -> Any:
        return await Call(None, leaf)

    assert drive_sync(core()) == "inner"


def test_gather_gives_results_in_order_while_leaves_overlap(drive: Drive) -> None:
    barrier: list[str] = []
    n = 8

    async def meet(i: int) -> int:
        barrier.append("in")
        for _ in range(2000):
            if len(barrier) == n:
                return i
            await asyncio.sleep(0.001)
        raise AssertionError("the branches did not overlap")

    async def branch(i: int) -> int:
        return await Call(None, meet, (i,))

    async def core() -> list[int]:
        return await Gather([branch(i) for i in range(n)])

    assert drive(core()) == list(range(n))


def test_parallel_plain_functions_overlap_in_a_gather(drive: Drive) -> None:
    barrier = threading.Barrier(6)

    async def branch(i: int) -> int:
        await Call(barrier.wait, None, (5.0,), place="thread")
        return i

    async def core() -> list[int]:
        return await Gather([branch(i) for i in range(6)])

    assert drive(core()) == list(range(6))


def test_plain_functions_in_a_sync_gather_run_in_order_in_the_callers_thread() -> None:
    seen: list[tuple[int, int]] = []

    async def branch(i: int) -> None:
        await Call(lambda: seen.append((i, threading.get_ident())))

    async def core() -> None:
        await Gather([branch(i) for i in range(5)])

    drive_sync(core())
    assert seen == [(i, threading.get_ident()) for i in range(5)]


def test_an_empty_gather_is_an_empty_list(drive: Drive) -> None:
    async def core() -> Any:
        return await Gather([])

    assert drive(core()) == []


def test_the_first_error_of_a_gather_stops_the_other_branches(drive: Drive) -> None:
    cleaned: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append("leaf")

    async def slow() -> None:
        try:
            await Call(None, hangs)
        finally:
            cleaned.append("branch")

    async def fails() -> None:
        await Call(None, _answer, (1,))
        raise ValueError("first")

    async def core() -> None:
        await Gather([slow(), fails()])

    started = time.monotonic()
    with pytest.raises(ValueError, match="first"):
        drive(core())
    assert "branch" in cleaned
    assert time.monotonic() - started < 30


def test_branches_number_their_steps_in_blocks_of_their_own(drive: Drive) -> None:
    log = MemoryLog()

    async def branch(name: str, n_waits: int) -> None:
        for _ in range(n_waits):
            await Call(None, _answer, (0,))
        await step("model", lambda: _awaiting(f"{name}1"))
        await step("model", lambda: _awaiting(f"{name}2"))

    async def core() -> None:
        await Gather([branch("slow", 5), branch("fast", 0)])
        await step("model", lambda: _awaiting("after"))

    with entered(_run(recorder=Recording(log=log))):
        drive(core())
    assert {entry.value: entry.position for entry in log.entries()} == {
        "slow1": "1.0/1",
        "slow2": "1.0/2",
        "fast1": "1.1/1",
        "fast2": "1.1/2",
        "after": "2",
    }


def test_recorded_steps_return_without_running_again(drive: Drive) -> None:
    log = MemoryLog()
    calls: list[str] = []

    async def paid() -> str:
        calls.append("paid")
        return await _awaiting("answer")

    async def core() -> list[Any]:
        return [await step("model", paid), await new_id(), await random_index(1000)]

    results = []
    for _ in range(2):
        with entered(_run(recorder=Recording(entries=log.entries(), log=log))):
            results.append(drive(core()))
    assert results[0] == results[1]
    assert calls == ["paid"]


def test_events_reach_the_sinks_in_the_thread_that_drives(drive: Drive) -> None:
    seen: list[tuple[Any, int]] = []

    async def leaf() -> None:
        transient("model.token", {"text": "a"})
        await asyncio.sleep(0)
        transient("model.token", {"text": "b"})

    async def core() -> None:
        await Emit("first")
        await Call(None, leaf)
        await Emit("last")

    with entered(_run(sinks=[lambda event: seen.append((event, threading.get_ident()))])):
        drive(core())
    a, b = ("model.token", {"text": "a"}), ("model.token", {"text": "b"})
    assert [event for event, _ in seen] == ["first", a, b, "last"]
    assert {thread for _, thread in seen} == {threading.get_ident()}


def test_iter_sync_yields_events_as_they_come_and_returns_the_result() -> None:
    outbox: deque[Any] = deque()
    released = threading.Event()

    async def leaf() -> str:
        transient("model.token", {"text": "live"})
        while not released.is_set():
            await asyncio.sleep(0.001)
        return "done"

    async def core() -> Any:
        await Emit("first")
        return await Call(None, leaf)

    with entered(_run(sinks=[outbox.append])):
        iteration = iter_sync(core(), outbox)
        assert next(iteration) == "first"
        # The token arrives while its leaf is still under way.
        assert next(iteration) == ("model.token", {"text": "live"})
        released.set()
        with pytest.raises(StopIteration) as end:
            next(iteration)
    assert end.value.value == "done"


def test_leaving_iter_sync_early_cancels_the_leaf() -> None:
    outbox: deque[Any] = deque()
    cancelled = threading.Event()

    async def leaf() -> None:
        try:
            transient("model.token", {"text": "1"})
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def core() -> None:
        await Call(None, leaf)

    with entered(_run(sinks=[outbox.append])):
        iteration = iter_sync(core(), outbox)
        next(iteration)
        iteration.close()
    assert cancelled.wait(5)


def test_iter_async_yields_events_and_cancels_on_early_exit() -> None:
    cancelled: list[bool] = []

    async def leaf() -> None:
        transient("model.token", {"text": "1"})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def core() -> None:
        await Emit("first")
        await Call(None, leaf)

    async def main() -> list[Any]:
        outbox: asyncio.Queue[Any] = asyncio.Queue()
        seen = []
        with entered(_run(sinks=[outbox.put_nowait])):
            events = iter_async(core(), outbox)
            async for event in events:
                seen.append(event)
                if len(seen) == 2:
                    break
            await events.aclose()  # type: ignore[attr-defined]
        return seen

    assert asyncio.run(main()) == ["first", ("model.token", {"text": "1"})]
    assert cancelled == [True]


@pytest.mark.parametrize("reason", ["cancelled", "timeout"])
def test_cancelling_the_run_cancels_the_leaf_in_flight(drive: Drive, reason: str) -> None:
    token, cleaned = CancelToken(), threading.Event()

    async def hangs() -> None:
        try:
            threading.Thread(target=token.cancel, args=(reason,)).start()
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    async def core() -> None:
        await Call(None, hangs)

    with (
        entered(_run(cancel=token)),
        pytest.raises(RunTimeout if reason == "timeout" else RunCancelled) as raised,
    ):
        drive(core())
    assert cleaned.wait(5)
    assert raised.value.reason == reason


@pytest.mark.parametrize("does_it_swallow", [False, True])
def test_a_run_that_is_cancelled_as_its_leaf_ends_leaves_the_callers_task_alone(
    does_it_swallow: bool,
) -> None:
    token = CancelToken()

    async def leaf() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if does_it_swallow:
            loop.call_soon(token.cancel)
        else:
            loop.call_soon(lambda: (future.set_result(None), token.cancel()))
        try:
            await future
        except asyncio.CancelledError:
            assert does_it_swallow
        return "answered"

    async def core() -> Any:
        return await Call(None, leaf)

    async def caller() -> tuple[str, str, int]:
        with entered(_run(cancel=token)):
            answer = await drive_async(core())
        await asyncio.sleep(0)
        current = asyncio.current_task()
        assert current is not None
        return answer, "went on", current.cancelling()

    assert asyncio.run(caller()) == ("answered", "went on", 0)
    assert token.cancelled


def test_cancelling_tells_a_blocking_call_in_a_worker_thread() -> None:
    token, told = CancelToken(), threading.Event()

    def blocks() -> None:
        with on_cancel(told.set):
            threading.Thread(target=token.cancel).start()
            assert told.wait(5)

    async def core() -> None:
        await Call(blocks)

    with entered(_run(cancel=token)), pytest.raises(RunCancelled):
        asyncio.run(drive_async(core()))
    assert told.is_set()


def test_cancelling_the_callers_task_tells_the_blocking_call(drive: Drive) -> None:
    told, started = threading.Event(), threading.Event()

    def blocks() -> None:
        with on_cancel(told.set):
            started.set()
            told.wait(5)

    async def core() -> None:
        await Call(blocks)

    async def main() -> None:
        task = asyncio.create_task(drive_async(core()))
        while not started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert told.wait(5)


def test_a_cancelled_run_does_not_start_another_call(drive: Drive) -> None:
    token = CancelToken()
    token.cancel()

    async def core() -> None:
        await Call(pytest.fail, None, ("called",))

    with entered(_run(cancel=token)), pytest.raises(RunCancelled):
        drive(core())


def test_sleep_ends_when_the_run_is_cancelled(drive: Drive) -> None:
    token = CancelToken()

    async def core() -> None:
        await Call(lambda: threading.Thread(target=token.cancel).start(), place="inline")
        await Sleep(60)

    started = time.monotonic()
    with entered(_run(cancel=token)), pytest.raises(RunCancelled):
        drive(core())
    assert time.monotonic() - started < 30


def test_a_gather_is_cancelled_with_its_run(drive: Drive) -> None:
    token = CancelToken()

    async def hangs() -> None:
        token.cancel()
        await asyncio.sleep(60)

    async def branch() -> None:
        await Call(None, hangs)

    async def core() -> None:
        await Gather([branch(), branch()])

    with entered(_run(cancel=token)), pytest.raises(RunCancelled):
        drive(core())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_starts_its_own_io_thread() -> None:
    assert drive_sync(_awaiting(1)) == 1
    child = os.fork()
    if child == 0:
        os._exit(0 if drive_sync(_awaiting(2)) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0


class Base:
    """An agent with one point."""

    async def _greet(self, name: str) -> str:
        """Say hello."""
        return f"hello {name}"

    _greet, greet, a_greet = faces(_greet)


class SyncChild(Base):
    def greet(self, name: str) -> str:
        return f"<{super().greet(name)}>"


class AsyncChild(Base):
    async def a_greet(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"[{await super().a_greet(name)}]"


class BothChild(SyncChild, AsyncChild):
    pass


@pytest.mark.parametrize(
    "target, sync, async_",
    [
        (Base(), "hello x", "hello x"),
        (SyncChild(), "<hello x>", "<hello x>"),
        (AsyncChild(), "[hello x]", "[hello x]"),
        (BothChild(), "<hello x>", "[hello x]"),
    ],
    ids=["base", "sync", "async", "both"],
)
def test_one_override_serves_both_faces(target: Base, sync: str, async_: str) -> None:
    async def core() -> Any:
        return await point(target, "greet")("x")

    assert drive_sync(core()) == sync
    assert asyncio.run(drive_async(core())) == async_


def test_a_patched_instance_counts(drive: Drive) -> None:
    patched = Base()
    patched.greet = lambda name: f"patched {name}"

    async def core() -> Any:
        return await point(patched, "greet")("x")

    assert drive(core()) == "patched x"


def test_faces_keep_name_docstring_and_signature() -> None:
    assert Base.greet.__name__ == "greet"
    assert Base.a_greet.__qualname__ == "Base.a_greet"
    assert Base.greet.__doc__ == "Say hello."
    assert asyncio.iscoroutinefunction(Base.a_greet)
    assert not asyncio.iscoroutinefunction(Base.greet)


# -- leaves that need no thread beside them --------------------------------------------------------


async def _inline(leaf: Callable[[], Any]) -> Any:
    return await Call(None, leaf, place="inline")


async def _thread_of_leaf() -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


def test_an_inline_leaf_of_the_main_thread_runs_there() -> None:
    assert threading.current_thread() is threading.main_thread()
    assert drive_sync(_inline(_thread_of_leaf)) == threading.get_ident()


def test_an_inline_leaf_elsewhere_goes_to_the_io_thread() -> None:
    found: list[int] = []
    worker = threading.Thread(target=lambda: found.append(drive_sync(_inline(_thread_of_leaf))))
    worker.start()
    worker.join(5)
    assert found[0] not in (worker.ident, threading.get_ident())


def test_an_inline_leaf_may_call_the_sync_face_again() -> None:
    async def leaf() -> Any:
        return drive_sync(_inline(_thread_of_leaf))

    assert drive_sync(_inline(leaf)) != threading.get_ident()


def test_an_inline_leaf_is_cancelled_from_another_thread() -> None:
    token, cleaned = CancelToken(), threading.Event()

    async def hangs() -> None:
        threading.Thread(target=token.cancel).start()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    with entered(_run(cancel=token)), pytest.raises(RunCancelled):
        drive_sync(_inline(hangs))
    assert cleaned.is_set()


def test_an_interrupted_inline_leaf_is_cancelled_and_the_loop_goes_on() -> None:
    cleaned: list[bool] = []

    async def hangs() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, _interrupt)
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        drive_sync(_inline(hangs))
    assert cleaned == [True]
    assert drive_sync(_inline(_thread_of_leaf)) == threading.get_ident()


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_events_of_an_inline_leaf_are_delivered_as_they_come() -> None:
    seen: list[Any] = []

    async def leaf() -> int:
        transient("model.token", {"text": "a"})
        return len(seen)

    with entered(_run(sinks=[seen.append])):
        assert drive_sync(_inline(leaf)) == 1


# -- sinks that fail -------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["caller", "inline"])
def test_an_error_of_a_sink_passes_a_leaf_that_would_take_it_for_its_own(
    drive: Drive, place: Any
) -> None:
    def closed(event: Any) -> None:
        raise BrokenPipeError("the terminal is gone")

    async def leaf() -> str:
        try:
            transient("model.token", {"text": "a"})
            await asyncio.sleep(0)
        except OSError:
            return "taken for a broken connection"
        return "not noticed"

    async def core() -> Any:
        return await Call(None, leaf, place=place)

    with entered(_run(sinks=[closed])), pytest.raises(BrokenPipeError, match="terminal"):
        drive(core())


def test_errors_beside_the_one_that_is_raised_are_not_logged_as_unread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(text: str) -> None:
        await Call(None, _answer, (1,))
        raise ValueError(text)

    async def core() -> None:
        await Gather([fails("first"), fails("second"), fails("third")])

    with pytest.raises(ValueError, match="first"):
        asyncio.run(drive_async(core()))
    gc.collect()
    assert "never retrieved" not in caplog.text
