"""One exchange with the loopback server: what was asked, and what the script answers."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, get_args

from ..errors import UsageError
from .replies import message_of, text_of

__all__ = ["FAULTS", "Fault", "Reply", "Request", "reply_of"]

Fault = Literal[
    "bad_sse",
    "drip",
    "drop",
    "drop_body",
    "drop_headers",
    "drop_stream",
    "empty_body",
    "empty_choices",
    "hang",
    "html",
    "malformed",
    "no_done",
    "wrong_type",
]
#: Every way in which an answer can go wrong.
FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers to one request.

    Faults: `drop` closes the connection without a byte, `drop_headers` inside the headers,
    `drop_body` after half of the body and `drop_stream` after half of the stream (each stands for
    the other where it fits). `malformed` is half a JSON document, `empty_choices` and `wrong_type`
    are JSON of another shape, `html` is a page and `empty_body` nothing with status 200. `hang`
    never answers. `no_done` ends a stream without its last event, `bad_sse` has an event that is no
    JSON. `drip` sends a few bytes at a time, cutting lines and characters apart.

    Attributes:
        content: Text of the answer, or a list of parts, of which a stream has the texts.
        tool_calls: What `call()` gives.
        function_call: Name and arguments of a call in the older form.
        refusal: Text of `refusal`.
        reasoning: Text of `reasoning_content`.
        finish_reason: "tool_calls" or "function_call" if there are any, else "stop".
        usage: The usage object; None counts words, {} leaves it out.
        delay_s: Seconds before the first byte.
        chunk_delay_s: Seconds between the events of a stream, or the bytes of a drip.
        n_chunks: Into how many events the text of a stream is cut; None for one per word.
        status: HTTP status.
        error: Message or whole error object where `status` is 400 or more.
        retry_after_s: Seconds of a `Retry-After` header.
        headers: Further response headers.
        fault: How the answer goes wrong.
        raw: The exact body, whatever else is said here.
    """

    content: str | list[dict[str, Any]] | None = None
    _: KW_ONLY
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    function_call: dict[str, Any] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    n_chunks: int | None = None
    status: int = 200
    error: str | dict[str, Any] | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    raw: bytes | str | None = None

    def __post_init__(self) -> None:
        if self.fault is not None and self.fault not in FAULTS:
            raise UsageError(f"fault {self.fault!r} is not known; use one of {', '.join(FAULTS)}.")


def reply_of(said: Any) -> Reply:
    """The reply that an item of a script stands for: a status, or what a model can say.

    Raises:
        UsageTypeError: It is nothing a server can answer.
    """
    if isinstance(said, Reply):
        return said
    if isinstance(said, int) and not isinstance(said, bool):
        return Reply(status=said)
    message = message_of(said)
    return Reply(
        message["content"],
        tool_calls=message.get("tool_calls") or [],
        function_call=message.get("function_call"),
        refusal=message.get("refusal"),
        reasoning=message.get("reasoning_content"),
    )


class Request:
    """What a client asked.

    Attributes:
        method: Upper case.
        path: Without the query.
        query: What follows the question mark.
        headers: Names in lower case.
        body: As it came, chunks joined.
        at: When it was complete, in seconds of `time.monotonic()`.
    """

    __slots__ = ("_json", "at", "body", "headers", "method", "path", "query")

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes):
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body
        self.at = time.monotonic()
        self._json: Any = None

    @property
    def json(self) -> Any:
        """The body, parsed once; an empty one is {}.

        Raises:
            ValueError: It is no JSON.
        """
        if self._json is None:
            self._json = json.loads(self.body) if self.body else {}
        return self._json

    @property
    def messages(self) -> list[Any]:
        """The conversation, [] where there is none."""
        found = self.json.get("messages")
        return found if isinstance(found, list) else []

    @property
    def model(self) -> str:
        """The model asked for, "" where none is named."""
        return str(self.json.get("model") or "")

    @property
    def last_text(self) -> str:
        """The text of the last message, "" where it has none."""
        messages = self.messages
        return text_of(messages[-1]) if messages else ""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path}, {len(self.body)} bytes)"
