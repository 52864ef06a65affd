"""What a run remembers: steps, their outcomes, and how a replay gets them back.

A step is something that must not happen twice: a paid call, code that ran, an answer of a person.
Its identity is its position in the run (`"1/3"`), which depends only on the course of the
conversation: whatever runs side by side does so in branches of a `Gather`, each of which numbers
its steps by itself. Where a run has a recorder, an outcome is kept before the core sees it, and a
run that starts again is given the outcomes instead of having the steps taken.

Without a recorder a step costs one call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import JournalError, LimitError, QuestionExpired, ReplayMismatch
from . import offline
from .ops import Call
from .recorder import Entry, Recorder
from .run import Run, current_run, entered, unused_id

__all__ = ["Codec", "is_json", "new_id", "now", "random_index", "recorded", "step"]

T = TypeVar("T")


#: Kinds of steps that ask nobody.
_HARMLESS = frozenset({"clock", "id", "random"})


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How the outcome of a kind of step becomes JSON, and an outcome again."""

    encode: Callable[[T], Any]
    decode: Callable[[Any], T]


def step(
    kind: str,
    body: Callable[[], Awaitable[T]],
    *,
    codec: Codec[T] | None = None,
    request: Callable[[], Any] | None = None,
) -> Awaitable[T]:
    """What `body` gives, or gave when this step was taken before.

    What happens inside `body` has positions of its own, so that leaving it out changes nothing for
    the steps after it. An error is an outcome too.

    Args:
        kind: Of the step.
        body: Takes it.
        codec: For an outcome that is not JSON as it is.
        request: Gives what is asked for, as JSON; only called where something is recorded.

    Raises:
        ReplayMismatch: Another step was taken here before, or one that asked for something else.
    """
    run = current_run()
    if run is None or run.recorder is None:
        teller = offline.teller()
        if teller is not None and kind not in _HARMLESS:
            raise teller.refused(f"a {kind!r} step outside of the recorded chats")
        return body()
    return _stepped(run, run.recorder, kind, body, codec, request)


async def _stepped(
    run: Run,
    recorder: Recorder,
    kind: str,
    body: Callable[[], Awaitable[T]],
    codec: Codec[T] | None,
    request: Callable[[], Any] | None,
) -> T:
    position = run.next_position()
    digest = None if request is None else recorder.digest(request())
    entry = recorder.known(position)
    if entry is not None:
        return _again(entry, recorder, kind, digest, codec)
    await Call(recorder.begin, recorder.a_begin, (position, kind))
    with entered(run.branch(position)):
        try:
            value = await body()
        except Exception as error:
            if run.cancel.reason is not None or isinstance(error, LimitError):
                # The next execution may have more time, or more money.
                raise
            if isinstance(error, JournalError) and not isinstance(error, QuestionExpired):
                # The record failed and not the step: the next execution takes it again.
                recorder.break_off(error)
                raise
            boxed = recorder.box(error, position)
            entry = Entry(position=position, kind=kind, request=digest, error=boxed)
            await Call(recorder.keep, recorder.a_keep, (entry,))
            raise
    plain = value if codec is None else codec.encode(value)
    entry = Entry(position=position, kind=kind, request=digest, value=plain)
    await Call(recorder.keep, recorder.a_keep, (entry,))
    return value


def recorded(
    kind: str, body: Callable[[], Awaitable[T]], *, codec: Codec[T] | None = None
) -> Awaitable[T]:
    """What code of the user's own gives, or gave before.

    It is kept by its outcome if it took no step itself; else it runs again, and its steps are
    known. An outcome that is not JSON, and an error, are not kept either: the code runs again.
    """
    run = current_run()
    if run is None or run.recorder is None:
        return body()
    return _recorded(run, run.recorder, kind, body, codec)


async def _recorded(
    run: Run,
    recorder: Recorder,
    kind: str,
    body: Callable[[], Awaitable[T]],
    codec: Codec[T] | None,
) -> T:
    position = run.next_position()
    entry = recorder.known(position)
    if entry is not None:
        return _again(entry, recorder, kind, None, codec)
    inside = run.branch(position)
    with entered(inside):
        value = await body()
    if not inside.has_steps:
        plain = value if codec is None else codec.encode(value)
        if is_json(plain):
            entry = Entry(position=position, kind=kind, value=plain)
            await Call(recorder.keep, recorder.a_keep, (entry,))
    return value


def _again(
    entry: Entry, recorder: Recorder, kind: str, digest: str | None, codec: Codec[T] | None
) -> T:
    mismatch = _mismatch(entry, kind, digest)
    if mismatch is not None:
        # A tool around this step may take its error for an answer.
        recorder.break_off(mismatch)
        raise mismatch
    if entry.error is not None:
        raise recorder.unbox(entry.error, entry.position)
    value: T = entry.value if codec is None else codec.decode(entry.value)
    return value


def _mismatch(entry: Entry, kind: str, digest: str | None) -> ReplayMismatch | None:
    if entry.kind != kind:
        return ReplayMismatch(
            f"step {entry.position} of the run was a {entry.kind!r} step, and this program takes a "
            f"{kind!r} step there. Run it with the agents and the code it began with, or under "
            "another id."
        )
    if digest is not None and entry.request != digest:
        return ReplayMismatch(
            f"the {kind!r} step {entry.position} of the run asked for something else before: the "
            "agents, their instructions or the messages differ. Run it as it began, or under "
            "another id."
        )
    return None


def is_json(value: Any) -> bool:
    """Whether JSON gives `value` back as it is."""
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return True
    if kind is dict:
        return all(type(k) is str and is_json(v) for k, v in value.items())
    return kind is list and all(map(is_json, value))


async def now() -> float:
    """Seconds since the epoch, recorded."""
    return await step("clock", lambda: _quick(time.time))


async def new_id() -> str:
    """32 hex digits that nobody else has, recorded."""
    return await step("id", lambda: _quick(unused_id))


async def random_index(n: int) -> int:
    """A random whole number from 0 to n - 1, recorded."""
    return await step("random", lambda: _quick(lambda: random.randrange(n)))


async def _quick(function: Callable[[], T]) -> T:
    return await Call(function, place="inline")
