"""One chat for a command: run it with its sinks, say how it ended, choose the exit code."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._chat.state import ChatResult
from .._chat.termination import SUFFIX
from .._chat.wiring import RunOptions
from ..events import Event
from ..limits.budget import Budget
from .jsonl import JsonLines
from .outcome import STOP_WORDS, ExitCode, code_of_stop
from .pen import Pen, size_words, time_words
from .screen import is_fancy, pen_for
from .transcript import Transcript

__all__ = ["Session", "closing", "code_of_result", "open_session", "shown_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where a command writes.

    Attributes:
        pen: For people; on stderr where stdout carries JSON.
        transcript: Writes the chat with that pen.
        sinks: The transcript, and the JSON log if it is wanted.
        is_watched: Whether a person sees it come.
    """

    pen: Pen
    transcript: Transcript
    sinks: tuple[Callable[[Event], None], ...]
    is_watched: bool

    def talk(
        self,
        user: Any,
        assistant: Any,
        message: Any,
        *,
        max_turns: int | None = None,
        timeout_s: float | None = None,
        budget: Budget | None = None,
        clear_history: bool = True,
        record_as: str | None = None,
        database: str | None = None,
        **chat: Any,
    ) -> tuple[ChatResult, float]:
        """One chat from its first message to its end; the result, and the seconds it took.

        With `record_as` it is a durable run with that id, in that `database`; `chat` are more
        keywords of `initiate_chat`.
        Ctrl-C ends it with `stop_reason` "cancelled"; other errors leave it, the screen restored.
        """
        started = time.monotonic()
        options = RunOptions(
            id=record_as,
            durable=record_as is not None,
            database=database,
            sinks=self.sinks,
            timeout_s=timeout_s,
            budget=budget,
        )
        try:
            with _warnings_on(self.pen):
                result: ChatResult = user.initiate_chat(
                    assistant,
                    message=message,
                    max_turns=max_turns,
                    clear_history=clear_history,
                    silent=True,
                    run=options,
                    **chat,
                )
        except KeyboardInterrupt as stop:
            partial: ChatResult | None = getattr(stop, "chat_result", None)
            if partial is None:
                raise
            result = partial
        finally:
            self.transcript.close()
        if result.stop_reason == "max_turns" and SUFFIX(result.chat_history[-1]):
            # The last turn finished the task; nobody was left to look at it.
            result.stop_reason = "termination"
        return result, time.monotonic() - started


def open_session(
    *,
    thinker: str,
    as_json: bool,
    secrets: Sequence[str] = (),
    unseen: Sequence[str] = (),
    counts_tokens: bool = True,
) -> Session:
    """The session of a command whose agent `thinker` has the model; see `Transcript`."""
    stream = sys.stderr if as_json else sys.stdout
    pen = pen_for(stream)
    transcript = Transcript(pen, thinker=thinker, unseen=unseen, counts_tokens=counts_tokens)
    log = (JsonLines(sys.stdout, secrets),) if as_json else ()
    return Session(
        pen=pen, transcript=transcript, sinks=(transcript, *log), is_watched=is_fancy(stream)
    )


class _ToPen(logging.Handler):
    """Writes what the package logs where the chat is written."""

    def __init__(self, pen: Pen):
        super().__init__(logging.WARNING)
        self._pen = pen

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; that a price is not known is said at the end."""
        if record.module != "prices":
            self._pen.note(record.getMessage())


@contextmanager
def _warnings_on(pen: Pen) -> Iterator[None]:
    """Write the warnings of the package with `pen` inside the `with` block."""
    logger = logging.getLogger("autogen")
    before = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [_ToPen(pen)], False
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before


def closing(result: ChatResult, seconds: float, *, n_runs: int) -> list[tuple[str, str]]:
    """Names and values that sum a chat up."""
    rows = [("stopped", f"{STOP_WORDS.get(result.stop_reason or '', result.stop_reason)}")]
    for artifact in result.artifacts:
        rows.append(("file", f"{shown_path(artifact.path)}  {size_words(artifact.size_bytes)}"))
    messages = _count(len(result.chat_history), "message")
    rows.append(("chat", f"{messages}, {_count(n_runs, 'program')} run, {time_words(seconds)}"))
    rows.append(("cost", _cost_words(result.cost)))
    return rows


def code_of_result(result: ChatResult) -> ExitCode:
    """The exit code of a chat that came to a result."""
    return code_of_stop(result.stop_reason)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _cost_words(cost: Any) -> str:
    total = cost["usage_including_cached_inference"]
    n_tokens = sum(row["total_tokens"] for row in total.values() if isinstance(row, dict))
    tokens = _count(n_tokens, "token")
    unpriced = getattr(cost, "unpriced", ())
    if unpriced:
        return f"{tokens}, the price of {', '.join(unpriced)} is not known"
    return f"{tokens}, {total['total_cost']:.4f} US dollars"


def shown_path(path: str) -> str:
    """`path` as a person in this folder would write it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
