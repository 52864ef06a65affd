"""What people write where a protocol has no buttons, as the answer to a question."""

from __future__ import annotations

from ...human.base import Edited
from ...store.base import QuestionRecord

__all__ = ["HOW", "answer_of", "denied"]

#: How to answer, for whoever reads a question.
HOW = {
    "approve": "Answer /approve, /edit TEXT, /deny REASON, /stop, or what to say instead.",
    "text": "Answer in your own words; /approve is Enter alone, /stop ends the chat.",
}

_YES = frozenset({"approve", "approved", "ok", "okay", "y", "yes"})
_NO = frozenset({"deny", "denied", "n", "no"})


def answer_of(question: QuestionRecord, words: str) -> str:
    """The answer that `words` stand for: as `Runtime.answer` takes it."""
    said = words.strip()
    command, _, rest = said.partition(" ")
    rest = rest.strip()
    match command.lower():
        case "/approve":
            return ""
        case "/deny":
            return denied(rest)
        case "/stop":
            return "exit"
        case "/edit":
            return Edited(rest)
    if question.kind == "approve":
        plain = said.lower().rstrip(".!")
        if plain in _YES:
            return ""
        if plain in _NO:
            return denied("")
    return said


def denied(reason: str) -> str:
    """The answer that refuses what an agent is about to do."""
    return f"Denied: {reason or 'no reason was given'}"
