"""`LoopGuard`: notices when a conversation goes round in a circle. No model is asked.

It reads the messages of one conversation as they come and keeps a few hashes, so a message costs
the same at the start and after a thousand others. Whether it applies to a conversation is not its
business: see `_chat.brakes`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import UsageError, UsageTypeError

__all__ = ["Loop", "LoopGuard", "Watch"]

_SHOWN_CHARS = 120
#: How the reply to a message with code begins. Source: behaviour of AutoGen 0.2.
_RAN: Final = "exitcode: "
_BLOCK = re.compile(r"^[ \t]*```.*?^[ \t]*```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class LoopGuard:
    """Ends a chat that repeats itself, with `stop_reason` "loop".

    It is on by default. It stays out of a chat for which you set `max_turns`, `max_round` or
    `max_consecutive_auto_reply`, and counts from 0 whenever a person answers.

    Attributes:
        repeats: So many times the same messages come round.
        cycle: At most so many messages make up what comes round.
        calls: So many times in a row the same calls, or the same code, give the same results,
            whatever is said around them.

    Raises:
        UsageError: `repeats` or `calls` is below 2, or `cycle` below 1.
    """

    repeats: int = 8
    cycle: int = 4
    calls: int = 8

    def __post_init__(self) -> None:
        for name, least in (("repeats", 2), ("cycle", 1), ("calls", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageTypeError(f"{name} is {value!r}; it must be a whole number.")
            if value < least:
                raise UsageError(f"{name} is {value!r}; it must be at least {least}.")

    def watch(self) -> Watch:
        """A fresh look at one conversation."""
        return Watch(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The evidence.

    Attributes:
        kind: "messages", "calls" or "code".
        repeats: How often it came round.
        messages: The beginnings of the messages that come round, in order.
    """

    kind: str
    repeats: int
    messages: list[str]

    def __str__(self) -> str:
        said = "; ".join(repr(text) for text in self.messages)
        if self.kind == "messages":
            n = len(self.messages)
            what = "the same message" if n == 1 else f"the same {n} messages"
            return f"The chat goes round in a circle: {what} {self.repeats} times in a row: {said}"
        what = "calls" if self.kind == "calls" else "code"
        return (
            f"The chat goes round in a circle: the same {what} with the same result "
            f"{self.repeats} times in a row: {said}"
        )


class Watch:
    """What a `LoopGuard` knows of one conversation."""

    __slots__ = ("_acts", "_last", "_said")

    def __init__(self, guard: LoopGuard):
        self._said = _Rounds(guard.cycle, guard.repeats)
        self._acts = _Rounds(1, guard.calls)
        #: The message before, which may hold the calls or the code that the next one answers.
        self._last: Mapping[str, Any] = {}

    def restart(self) -> None:
        """A person answered: what was before does not count."""
        self._said.clear()
        self._acts.clear()

    def see(self, message: Mapping[str, Any]) -> Loop | None:
        """Take note of the next message; the loop it closes, or None."""
        last, self._last = self._last, message
        content = message.get("content")
        # Nearly every message is a text and nothing else, and text knows its own hash.
        is_text = type(content) is str and len(message) == 3
        mark = hash(content) if is_text else hash(_text_of(message))
        n_messages = self._said.add(mark, message)
        kind = _act(last, message)
        n_calls = 0
        if kind is not None:
            n_calls = self._acts.add(hash((_act_of(last, kind), mark)), last)
        if n_calls:
            assert kind is not None
            return Loop(
                kind=kind,
                repeats=self._acts.repeats,
                messages=[_shown(m) for m in (last, message)],
            )
        if n_messages:
            newest = [_shown(m) for m in self._said.newest(n_messages)]
            return Loop(kind="messages", repeats=self._said.repeats, messages=newest)
        return None


class _Rounds:
    """Whether the newest marks repeat, with a period of at most `cycle`."""

    __slots__ = ("_marks", "_messages", "_runs", "repeats")

    def __init__(self, cycle: int, repeats: int):
        self.repeats = repeats
        self._marks: deque[int] = deque(maxlen=cycle)
        self._messages: deque[Mapping[str, Any]] = deque(maxlen=cycle)
        #: For each period, how many marks in a row were the same as one period before.
        self._runs = [0] * cycle

    def clear(self) -> None:
        """Forget everything."""
        self._marks.clear()
        self._messages.clear()
        self._runs = [0] * len(self._runs)

    def add(self, mark: int, message: Mapping[str, Any]) -> int:
        """The shortest period that has come round often enough; 0 for none."""
        marks, runs = self._marks, self._runs
        found = 0
        if mark in marks:
            n = len(marks)
            for period in range(1, n + 1):
                if marks[-period] != mark:
                    runs[period - 1] = 0
                    continue
                runs[period - 1] += 1
                if not found and runs[period - 1] >= period * (self.repeats - 1):
                    found = period
        elif any(runs):
            self._runs = [0] * len(runs)
        marks.append(mark)
        self._messages.append(message)
        return found

    def newest(self, n: int) -> list[Mapping[str, Any]]:
        """The last `n` messages, oldest first."""
        return list(self._messages)[-n:]


def _act(last: Mapping[str, Any], message: Mapping[str, Any]) -> str | None:
    """What `message` is the outcome of, if it is one: calls or code of the message before."""
    if "tool_responses" in message or message.get("role") in ("tool", "function"):
        return "calls" if last.get("tool_calls") or last.get("function_call") else None
    content = message.get("content")
    if isinstance(content, str) and content.startswith(_RAN):
        return "code"
    return None


def _act_of(message: Mapping[str, Any], kind: str) -> Hashable:
    if kind == "calls":
        return _calls_of(message)
    content = message.get("content")
    return tuple(_BLOCK.findall(content)) if isinstance(content, str) else repr(content)


def _calls_of(message: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Names and arguments; the ids differ from call to call."""
    functions = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        functions.append(message["function_call"])
    return tuple((str(f.get("name")), str(f.get("arguments"))) for f in functions)


def _text_of(message: Mapping[str, Any]) -> Hashable:
    content = message.get("content")
    responses: Sequence[Mapping[str, Any]] = message.get("tool_responses") or ()
    return (
        content if isinstance(content, str | None) else repr(content),
        _calls_of(message),
        tuple(str(response.get("content")) for response in responses),
    )


def _shown(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else "" if content is None else repr(content)
    for name, arguments in _calls_of(message):
        text += f" {name}({arguments})"
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
