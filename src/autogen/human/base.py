"""The port of people: a question, and a channel that gets it answered.

A terminal answers at once. A mailbox may take days: the question is a row in a database, the chat
waits without a thread, and goes on in whatever process is there when the answer comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

__all__ = ["Edited", "HumanChannel", "Question", "QuestionKind"]

#: "text" wants words; "approve" wants a yes or no to what an agent is about to do.
QuestionKind: TypeAlias = Literal["approve", "text"]


class Edited(str):
    """An answer to "approve": yes, but with this in place of what the agent proposed."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something an agent asks a person.

    Attributes:
        id: Unique, and the same again when the run is replayed.
        run_id: The run that waits for it.
        key: The position of the step that asks.
        agent: Name of the agent that asks.
        kind: What sort of an answer is wanted.
        prompt: The question.
        schema: JSON Schema of the answer; None for text.
        default: The answer where nobody gives one in time; None for no default.
        deadline_at: Seconds since the epoch at which it expires; None for never.
        status: "open", "answered", "expired" or "withdrawn".
    """

    id: str
    run_id: str
    key: str
    agent: str
    kind: QuestionKind = "text"
    prompt: str
    schema: dict[str, Any] | None = None
    default: str | None = None
    deadline_at: float | None = None
    status: str = "open"


class HumanChannel(Protocol):
    """Gets questions answered.

    One with a coroutine `put(question)` lays the question down with that, before anybody is told
    that there is one.
    """

    async def ask(self, question: Question) -> str:
        """The answer; to "approve" it may be `Edited`. Asked again, it is the same answer.

        Cancelled when the run is; the question is then withdrawn.

        Raises:
            QuestionExpired: Nobody answered in time, and there is no default.
        """
        ...
