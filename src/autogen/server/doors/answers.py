"""What people write where a protocol has no buttons, as the answer to a question."""

from __future__ import annotations

from ...human.base import Edited
from ...store.base import QuestionRecord

__all__ = ["answer_of", "asked", "clean"]

_HOW = {
    "approve": "Answer /approve, /edit TEXT, /deny REASON, /stop, or what to say instead.",
    "text": "Answer in your own words; /approve is Enter alone, /stop ends the chat.",
}

_YES = frozenset({"approve", "approved", "ok", "okay", "y", "yes"})
_NO = frozenset({"deny", "denied", "n", "no"})


def clean(text: str) -> str:
    """A text that every encoding takes: agents may say half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def asked(question: QuestionRecord) -> str:
    """A question as people read it, with how to answer."""
    how = _HOW.get(question.kind, _HOW["text"])
    return clean(f"{question.agent} asks: {question.prompt.strip()}\n\n{how}")


def answer_of(question: QuestionRecord, words: str) -> str:
    """The answer that `words` stand for: as `Runtime.answer` takes it."""
    said = words.strip()
    command, _, rest = said.partition(" ")
    rest = rest.strip()
    match command.lower():
        case "/approve":
            return ""
        case "/deny":
            return _denied(rest)
        case "/stop":
            return "exit"
        case "/edit":
            return Edited(rest)
    if question.kind == "approve":
        plain = said.lower().rstrip(".!")
        if plain in _YES:
            return ""
        if plain in _NO:
            return _denied("")
    return said


def _denied(reason: str) -> str:
    """The answer that refuses what an agent is about to do."""
    return f"Denied: {reason or 'no reason was given'}"
