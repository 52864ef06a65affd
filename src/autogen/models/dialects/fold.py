"""Folding the stream of a chat completion into the answer that it amounts to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from ...errors import MalformedAnswer, ProviderError
from ..base import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    Endpoint,
    FunctionCall,
    ToolCall,
)
from .answer import (
    NotACompletion,
    read_arguments,
    read_content,
    read_count,
    read_reasoning,
    read_usage,
    refuse_filtered,
    text_or_none,
)
from .faults import EXCERPT_CHARS, host, inner_fault, malformed
from .sse import EventLines

__all__ = ["Delta", "StreamFold"]

#: Kept for the message of an error; more than it shows, because hiding keys needs whole ones.
_BEGIN_BYTES = 4 * EXCERPT_CHARS


class Delta(NamedTuple):
    """A piece of an answer as it comes; `kind` is "text", "reasoning" or "refusal"."""

    kind: str
    text: str


class _Slot:
    """A tool call, or a message's `function_call`, as its pieces come."""

    __slots__ = ("arguments", "id", "name", "type")

    def __init__(self) -> None:
        self.id: str | None = None
        self.type: str | None = None
        self.name = ""
        self.arguments: list[str] = []

    def add(self, piece: dict[str, Any]) -> None:
        function = piece.get("function")
        self.id = self.id or text_or_none(piece.get("id"))
        self.type = self.type or text_or_none(piece.get("type"))
        if isinstance(function, dict):
            name = function.get("name")
            # Some servers repeat the whole name with each piece.
            if isinstance(name, str) and name != self.name:
                self.name += name
            self.arguments.append(read_arguments(function.get("arguments")))

    def function(self) -> FunctionCall:
        if not self.name:
            raise NotACompletion("a stream with a call that names no function")
        return FunctionCall(self.name, "".join(self.arguments))


class _Growing:
    """One choice as its pieces come."""

    __slots__ = (
        "call",
        "finish_reason",
        "logprobs",
        "reasoning",
        "refusal",
        "role",
        "slots",
        "texts",
    )

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.role = "assistant"
        self.slots: list[tuple[Any, _Slot]] = []
        self.call: _Slot | None = None
        self.finish_reason: str | None = None
        self.logprobs: dict[str, Any] | None = None

    def add_call(self, piece: Any) -> None:
        if not isinstance(piece, dict):
            raise NotACompletion("a stream with a tool call that is not an object")
        index, call_id = piece.get("index"), text_or_none(piece.get("id"))
        slot = None
        for key, known in reversed(self.slots):
            if index is None or key == index:
                slot = known
                break
        function = piece.get("function")
        is_named = isinstance(function, dict) and function.get("name")
        # Services that number every call 0, or none at all, tell them apart by their ids.
        if slot is None or (call_id and slot.id and call_id != slot.id and is_named):
            slot = _Slot()
            self.slots.append((index, slot))
        slot.add(piece)

    def choice(self, index: int) -> Choice:
        calls = [
            ToolCall(slot.id, slot.function(), slot.type or "function") for _, slot in self.slots
        ]
        return Choice(
            ChatCompletionMessage(
                content="".join(self.texts) if self.texts else None,
                role=self.role,
                function_call=None if self.call is None else self.call.function(),
                tool_calls=calls or None,
                refusal="".join(self.refusal) or None,
                reasoning_content="".join(self.reasoning) or None,
            ),
            self.finish_reason,
            index,
            self.logprobs,
        )


class StreamFold:
    """Folds the bytes of a stream into the answer they amount to.

    Attributes:
        fault: What the service reported, or did wrong, in the middle; None while all is well. What
            came before it has been given out, what comes after it is not read.
    """

    __slots__ = (
        "_begin",
        "_choices",
        "_endpoint",
        "_head",
        "_is_done",
        "_lines",
        "_usage",
        "fault",
    )

    def __init__(self, endpoint: Endpoint):
        self.fault: ProviderError | None = None
        self._endpoint = endpoint
        self._lines = EventLines()
        self._choices: dict[int, _Growing] = {}
        self._head: dict[str, Any] = {}
        self._usage: Any = None
        self._is_done = False
        #: The first bytes, for the message of an error.
        self._begin = b""

    @property
    def is_done(self) -> bool:
        """Whether [DONE] came: nothing that follows counts."""
        return self._is_done

    def feed(self, chunk: bytes) -> list[Delta]:
        """What `chunk` adds to the first choice. Never raises; see `fault`."""
        if len(self._begin) < _BEGIN_BYTES:
            self._begin = (self._begin + chunk[:_BEGIN_BYTES])[:_BEGIN_BYTES]
        return self._fold(self._lines.feed(chunk))

    def finish(self) -> ChatCompletion:
        """The whole answer, once the stream has ended.

        Raises:
            MalformedAnswer: The stream ended in the middle, or was no completion.
            ContentFiltered: The answer was withheld by a content policy.
            ProviderError: The service reported an error instead of going on.
        """
        fault = self.fault or self._last_fault()
        if fault is not None:
            raise fault
        if not self._choices:
            raise malformed(self._endpoint, "a stream without an answer in it", self._begin)
        if not self._is_done and any(c.finish_reason is None for c in self._choices.values()):
            raise MalformedAnswer(
                f"the stream of {self._endpoint.model!r} at {host(self._endpoint)} stopped in the "
                "middle of the answer: no finish_reason and no [DONE] came. Ask again.",
                provider=host(self._endpoint),
                status=200,
            )
        try:
            choices = [growing.choice(i) for i, growing in sorted(self._choices.items())]
        except NotACompletion as error:
            raise malformed(self._endpoint, str(error), self._begin) from None
        refuse_filtered(choices, self._endpoint)
        head = self._head
        return ChatCompletion(
            choices=choices,
            model=head.get("model") or self._endpoint.model,
            usage=read_usage(self._usage),
            id=head.get("id", ""),
            created=read_count(head, "created"),
            system_fingerprint=head.get("system_fingerprint"),
        )

    def _last_fault(self) -> ProviderError | None:
        """What is wrong with an event that the end of the stream leaves open."""
        self._fold(self._lines.end())
        # One that is cut says nothing; whether the answer is whole shows without it.
        return None if isinstance(self.fault, MalformedAnswer) else self.fault

    def _fold(self, events: Iterable[list[bytes]]) -> list[Delta]:
        deltas: list[Delta] = []
        for text in (text for lines in events for text in _documents(lines)):
            if self._is_done or self.fault is not None:
                break
            if text.strip() == b"[DONE]":
                self._is_done = True
                break
            try:
                self._take(json.loads(text), deltas)
            except NotACompletion as error:
                self.fault = malformed(self._endpoint, str(error), text)
            except (ValueError, RecursionError):
                what = "a stream with an event that is not JSON"
                self.fault = malformed(self._endpoint, what, text)
        return deltas

    def _take(self, chunk: Any, deltas: list[Delta]) -> None:
        if not isinstance(chunk, dict):
            raise NotACompletion("a stream with an event that is not an object")
        error = chunk.get("error")
        if not error and "choices" not in chunk:
            # Some servers leave the wrapping out, and may send [DONE] all the same.
            told = chunk.get("message") or chunk.get("detail")
            error = chunk if isinstance(told, str | list) else None
        if error:
            self.fault = inner_fault(error, self._endpoint)
            return
        head = self._head
        for name, kind in _HEAD:
            if name not in head and isinstance(value := chunk.get(name), kind) and value:
                head[name] = value
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        choices = chunk.get("choices") or ()
        if not isinstance(choices, list | tuple) or not all(isinstance(c, dict) for c in choices):
            raise NotACompletion("a stream whose 'choices' is not a list of objects")
        for choice in choices:
            index = choice.get("index")
            if not isinstance(index, int):
                index = 0
            growing = self._choices.get(index)
            if growing is None:
                growing = self._choices[index] = _Growing()
            pieces = _grow(growing, choice)
            if index == 0:
                deltas.extend(pieces)


_HEAD: tuple[tuple[str, Any], ...] = (
    ("id", str),
    ("model", str),
    ("created", int | float),
    ("system_fingerprint", str),
)


def _documents(lines: list[bytes]) -> list[bytes]:
    """The JSON texts of one event: one over several lines, or one a line."""
    if len(lines) == 1:
        return lines
    joined = b"\n".join(lines)
    try:
        json.loads(joined)
    except (ValueError, RecursionError):
        # Servers that leave out the empty lines between events.
        return lines
    return [joined]


def _grow(growing: _Growing, choice: dict[str, Any]) -> list[Delta]:
    """Add one piece to its choice; gives what there is to show."""
    delta = choice.get("delta")
    if delta is None:
        delta = {"content": choice["text"]} if "text" in choice else choice.get("message") or {}
    if not isinstance(delta, dict):
        raise NotACompletion("a stream with a delta that is not an object")
    shown = []
    text, thoughts = read_content(delta.get("content"))
    if thought := read_reasoning(delta) or thoughts:
        growing.reasoning.append(thought)
        shown.append(Delta("reasoning", thought))
    if text is not None:
        growing.texts.append(text)
        if text:
            shown.append(Delta("text", text))
    if refusal := text_or_none(delta.get("refusal")):
        growing.refusal.append(refusal)
        shown.append(Delta("refusal", refusal))
    calls = delta.get("tool_calls") or []
    if not isinstance(calls, list):
        raise NotACompletion("a stream whose 'tool_calls' is not a list")
    for piece in calls:
        growing.add_call(piece)
    if isinstance(call := delta.get("function_call"), dict):
        growing.call = growing.call or _Slot()
        growing.call.add({"function": call})
    if role := text_or_none(delta.get("role")):
        growing.role = role
    if reason := text_or_none(choice.get("finish_reason")):
        growing.finish_reason = reason
    if isinstance(logprobs := choice.get("logprobs"), dict):
        growing.logprobs = growing.logprobs or {}
        for name, values in logprobs.items():
            if isinstance(values, list):
                before = growing.logprobs.get(name)
                growing.logprobs[name] = [*before, *values] if isinstance(before, list) else values
            else:
                growing.logprobs.setdefault(name, values)
    return shown
