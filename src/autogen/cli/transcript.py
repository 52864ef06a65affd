"""The sink that writes a conversation as it happens: messages, code, results, what is going on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..events import Event
from ..messages import content_str
from .markdown import MarkdownStream
from .pen import Pen, harmless, size_words, time_words

__all__ = ["Transcript"]

_TAIL_LINES = 4
_TAIL_COLUMNS = 70
_THOUGHT_CHARS = 500


class Transcript:
    """Give it to a chat as `RunOptions(sinks=[transcript])`, the chat itself being silent.

    Args:
        pen: Where it writes.
        thinker: Name of the agent that has a model: tokens are its words.
        unseen: Names of agents whose own messages are not repeated (the person typed them).
        counts_tokens: False where the tokens are nobody's.
        clock: Seconds that only go up.
    """

    def __init__(
        self,
        pen: Pen,
        *,
        thinker: str,
        unseen: Collection[str] = (),
        counts_tokens: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.pen = pen
        self.n_runs = 0
        self.tokens = 0
        self._thinker = thinker
        self._unseen = frozenset(unseen)
        self._counts_tokens = counts_tokens
        self._clock = clock
        self._markdown = MarkdownStream(pen)
        self._is_streaming = False
        self._asked_at = 0.0
        self._partner = ""
        self._usage = ""
        self._thought = ""
        self._ran_at = 0.0
        self._running = ""
        self._has_result = False
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._installing: tuple[str, float] | None = None

    def __call__(self, event: Event) -> None:
        """Write what a person wants to see of `event`."""
        write = _WRITERS.get(event.type)
        if write is not None:
            write(self, event.data, event.agent or "")

    def close(self) -> None:
        """Finish what is half written; call it however the chat ended."""
        if self._is_streaming:
            self._markdown.finish()
            self._is_streaming = False
        self.pen.pause()

    # -- messages ----------------------------------------------------------------------------------

    def _chat_started(self, data: Mapping[str, Any], agent: str) -> None:
        names = (data["initiator"], data["recipient"])
        self._partner = next((name for name in names if name != self._thinker), "")

    def _token(self, data: Mapping[str, Any], agent: str) -> None:
        if reasoning := data.get("reasoning"):
            self._reasoned(str(reasoning))
        text = data.get("text")
        if not text:
            return
        if not self._is_streaming:
            self._is_streaming, self._thought = True, ""
            self.pen.header(self._thinker, self._partner)
            self.pen.status(f"{self._thinker} is writing")
        self._markdown.feed(harmless(text))

    def _reasoned(self, piece: str) -> None:
        """Show the newest words of a model that thinks aloud; they are no part of the answer."""
        self._thought = (self._thought + harmless(piece))[-_THOUGHT_CHARS:]
        line = " ".join(self._thought.split())
        self.pen.status(f"{self._thinker} is thinking", (line[-_TAIL_COLUMNS:],))

    def _answered(self, data: Mapping[str, Any], agent: str) -> None:
        n_tokens = int(data.get("prompt_tokens") or 0) + int(data.get("completion_tokens") or 0)
        self.tokens += n_tokens
        words = [time_words(self._clock() - self._asked_at)] if self._asked_at else []
        words += [f"{n_tokens} tokens"] if n_tokens and self._counts_tokens else []
        words += ["from the cache"] if data.get("is_cached") else []
        self._usage = ", ".join(words)

    def _sent(self, data: Mapping[str, Any], agent: str) -> None:
        sender, recipient, message = data["sender"], data["recipient"], data["message"]
        if self._is_streaming and sender == self._thinker:
            self._markdown.finish()
            self._is_streaming = False
        elif not self._is_known(sender):
            self.pen.status(None)
            self.pen.header(sender, recipient)
            self._markdown.feed(harmless(content_str(message.get("content") or "")))
            self._markdown.finish()
        self._calls(message)
        if sender == self._thinker and self._usage:
            self.pen.footer(self._usage)
            self._usage = ""
        self._has_result = False
        if recipient == self._thinker:
            self._asked_at = self._clock()
            self.pen.status(f"{self._thinker} is thinking")
        else:
            self.pen.status(None)

    def _is_known(self, sender: str) -> bool:
        """Whether the reader has seen the message that `sender` just sent."""
        return sender in self._unseen or (self._has_result and sender != self._thinker)

    def _calls(self, message: Mapping[str, Any]) -> None:
        for call in message.get("tool_calls") or ():
            function = call.get("function", {})
            words = f"calls {function.get('name')}({function.get('arguments') or ''})"
            self.pen.note(harmless(words))

    # -- code --------------------------------------------------------------------------------------

    def _code_started(self, data: Mapping[str, Any], agent: str) -> None:
        languages = ", ".join(dict.fromkeys(data.get("languages") or ())) or "code"
        self._ran_at = self._clock()
        self._tail.clear()
        self._running = f"running {languages}"
        self.pen.header(agent, self._thinker)
        self.pen.status(self._running)

    def _output(self, data: Mapping[str, Any], agent: str) -> None:
        self._installed()
        lines = harmless(str(data.get("text") or "")).splitlines()
        self._tail.extend(line for line in lines if line.strip())
        self.pen.status(self._running, tuple(self._tail))

    def _progress(self, data: Mapping[str, Any], agent: str) -> None:
        self._installed()
        text = harmless(str(data.get("text") or "")).removesuffix(" ...")
        self._installing = (text, self._clock())
        self.pen.status(text)

    def _installed(self) -> None:
        """Say how long a thing that was reported as under way took."""
        if self._installing is not None:
            text, since = self._installing
            self._installing = None
            self.pen.note(f"{text}: {time_words(self._clock() - since)}")

    def _code_finished(self, data: Mapping[str, Any], agent: str) -> None:
        self._installed()
        self.pen.status(None)
        self.n_runs += 1
        self._has_result = True
        files = [
            f"{harmless(artifact['name'])}  {size_words(artifact['size_bytes'])}"
            for artifact in data.get("artifacts") or ()
        ]
        seconds = self._clock() - self._ran_at
        self.pen.result(data["exit_code"], harmless(data["output"]), seconds, files)

    # -- the rest ----------------------------------------------------------------------------------

    def _tool_called(self, data: Mapping[str, Any], agent: str) -> None:
        self.pen.status(f"{agent} is calling {data.get('name')}")

    def _speaker(self, data: Mapping[str, Any], agent: str) -> None:
        self.pen.note(f"next speaker: {data.get('name')}")

    def _asked(self, data: Mapping[str, Any], agent: str) -> None:
        self.pen.pause()

    def _notice(self, data: Mapping[str, Any], agent: str) -> None:
        self.close()
        self.pen.note(harmless(str(data.get("text"))))

    def _ended(self, data: Mapping[str, Any], agent: str) -> None:
        self.close()


_Writer = Callable[[Transcript, Mapping[str, Any], str], None]

_WRITERS: dict[str, _Writer] = {
    "budget.spent": Transcript._notice,
    "chat.finished": Transcript._ended,
    "chat.started": Transcript._chat_started,
    "code.finished": Transcript._code_finished,
    "code.output": Transcript._output,
    "code.started": Transcript._code_started,
    "error": Transcript._ended,
    "guard.tripped": Transcript._notice,
    "message.sent": Transcript._sent,
    "model.answered": Transcript._answered,
    "model.token": Transcript._token,
    "progress": Transcript._progress,
    "question.asked": Transcript._asked,
    "speaker.selected": Transcript._speaker,
    "tool.called": Transcript._tool_called,
}
