"""One chat for a command: run it with its sinks, say how it ended, choose the exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .._chat.state import ChatResult
from .._chat.termination import SUFFIX
from .._chat.wiring import RunOptions
from ..events import Event
from .jsonl import JsonLines
from .outcome import STOP_WORDS, ExitCode, code_of_stop
from .pen import Pen, is_fancy, pen_for, size_words, time_words
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
        message: str,
        *,
        max_turns: int | None = None,
        timeout_s: float | None = None,
        clear_history: bool = True,
    ) -> tuple[ChatResult, float]:
        """One chat from its first message to its end; the result, and the seconds it took.

        Ctrl-C ends it with `stop_reason` "cancelled"; other errors leave it, the screen restored.
        """
        started = time.monotonic()
        options = RunOptions(sinks=self.sinks, timeout_s=timeout_s)
        try:
            result: ChatResult = user.initiate_chat(
                assistant,
                message=message,
                max_turns=max_turns,
                clear_history=clear_history,
                silent=True,
                run=options,
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


def closing(result: ChatResult, seconds: float, *, n_runs: int) -> list[tuple[str, str]]:
    """Names and values that sum a chat up."""
    rows = [("stopped", f"{STOP_WORDS.get(result.stop_reason or '', result.stop_reason)}")]
    for artifact in result.artifacts:
        rows.append(("file", f"{shown_path(artifact.path)}  {size_words(artifact.size_bytes)}"))
    runs = "1 program run" if n_runs == 1 else f"{n_runs} programs run"
    n_messages = len(result.chat_history)
    rows.append(("chat", f"{n_messages} messages, {runs}, {time_words(seconds)}"))
    rows.append(("cost", _cost_words(result.cost)))
    return rows


def code_of_result(result: ChatResult) -> ExitCode:
    """The exit code of a chat that came to a result."""
    return code_of_stop(result.stop_reason)


def _cost_words(cost: Any) -> str:
    total = cost["usage_including_cached_inference"]
    n_tokens = sum(row["total_tokens"] for row in total.values() if isinstance(row, dict))
    tokens = f"{n_tokens:,} tokens"
    unpriced = getattr(cost, "unpriced", ())
    if unpriced:
        return f"{tokens}, the price of {', '.join(unpriced)} is not known"
    return f"{tokens}, {total['total_cost']:.4f} US dollars"


def shown_path(path: str) -> str:
    """`path` as a person in this folder would write it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
