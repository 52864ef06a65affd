"""What was said before a run, as its agents are told: the carryover of a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..store.base import RunRecord

__all__ = ["MOST_LETTERS", "asked_in", "context_of", "hears_earlier", "said_in", "said_in_all"]

#: So much of a conversation is handed over; of a longer one the newest part.
MOST_LETTERS = 32_000

#: So much of one message.
_MOST_OF_ONE = 8_000


def hears_earlier(record: RunRecord) -> bool:
    """Whether the agents of a run are to be told what was said in its conversation before."""
    options = record.request.get("options") or {}
    return record.conversation is not None and bool(options.get("hears_earlier"))


def asked_in(record: RunRecord) -> dict[str, Any]:
    """The request of a run, without what its worker has written down of earlier ones."""
    request = dict(record.request)
    if hears_earlier(record):
        request.pop("carryover", None)
    return request


def said_in(record: RunRecord) -> list[tuple[str, str]]:
    """What a run was told, and what came of it, by role."""
    found = []
    message, summary = record.request.get("message"), (record.result or {}).get("summary")
    if isinstance(message, dict):
        message = _text(message.get("content"))
    if isinstance(message, str):
        found.append(("user", message))
    if isinstance(summary, str):
        found.append(("assistant", summary))
    return found


def _text(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_OF_ONE else f"{text[:_MOST_OF_ONE]} [...]"


def said_in_all(newest_first: Sequence[RunRecord]) -> list[tuple[str, str]]:
    """What was said in runs, the oldest first; as many of the newest as there is room for."""
    left, found = MOST_LETTERS, []
    for record in newest_first:
        said = [(role, _cut(text)) for role, text in said_in(record)]
        left -= sum(len(text) for _, text in said)
        if left < 0:
            break
        found.append(said)
    return [one for said in reversed(found) for one in said]


def context_of(earlier: Sequence[tuple[str, str]]) -> list[str]:
    """What was said before, by role, as the carryover of a chat."""
    told = [f"{role}: {text}" for role, text in earlier if text.strip()]
    return ["What was said before:\n\n" + "\n\n".join(told)] if told else []
