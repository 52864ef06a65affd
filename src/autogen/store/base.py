"""The values of a store. Standard library only; anybody may import it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = ["Counts", "KeyRecord", "QuestionRecord", "RunRecord", "RunStatus", "Verdict", "Wish"]

#: "waiting" is for people; "paused" may go on with more time or money; "dead" was given up.
RunStatus: TypeAlias = Literal[
    "queued", "running", "waiting", "paused", "finished", "failed", "cancelled", "dead"
]

#: What somebody elsewhere wants of a run that is under way.
Wish: TypeAlias = Literal["cancel", "pause"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as the database has it.

    Attributes:
        id: Its id.
        request: What was asked for, as JSON; the same each time the run is executed.
        team: The team that workers run it with; None for agents of a program.
        status: How it stands.
        stop_reason: Why its newest execution ended; None before that.
        result: JSON of the chat's result; None before that.
        error: `{"type", "text"}` of what its newest execution ended in, or None.
        owner: The execution that may write, or None.
        attempts: How many executions there were.
        priority: 1 is taken up before 2; 0 before all.
        wish: What somebody elsewhere wants of it.
        forked_from: The run it began as, or None.
        forked_at: Number of steps it shares with that one.
        edits: New texts of messages of the shared part, by the key of their event.
        created_at: Aware, UTC; None before it is stored.
        updated_at: The same of the last change.
        belongs_to: The caller of a server that asked for it; None for whoever has the database.
        conversation: Of the runs of one conversation of a caller only one is under way.
        n_tokens: Sent and received by its own calls so far.
        nano_usd: What they cost, in billionths of a US dollar.
        is_cost_known: Whether the price of each is known.
        n_steps: Model calls, tool calls and code blocks so far.
    """

    id: str
    request: dict[str, Any] = field(default_factory=dict)
    team: str | None = None
    status: str = "queued"
    stop_reason: str | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    owner: str | None = None
    attempts: int = 0
    priority: int = 0
    wish: str | None = None
    forked_from: str | None = None
    forked_at: int | None = None
    edits: dict[str, str] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    belongs_to: str | None = None
    conversation: str | None = None
    n_tokens: int = 0
    nano_usd: int = 0
    is_cost_known: bool = True
    n_steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRecord:
    """A question to people as the database has it.

    Attributes:
        id: Its id.
        run_id: The run that waits for it.
        key: The position of the step that asks.
        agent: Name of the agent that asks.
        kind: "text" or "approve".
        prompt: The question.
        schema: JSON Schema of the answer; None for text.
        default: The answer where nobody gives one in time.
        deadline_at: When it expires, aware UTC; None for never.
        status: "open", "answered", "expired" or "withdrawn".
        answer: What was answered; None before that.
        is_edit: The answer is what the agent is to do in place of what it proposed.
        answered_by: Who answered, as they said.
        asked_at: Aware, UTC; None before it is stored.
        answered_at: Aware, UTC, or None.
        pos: The event that tells of the message it is about, or None.
    """

    id: str
    run_id: str
    key: str
    agent: str
    kind: str = "text"
    prompt: str = ""
    schema: dict[str, Any] | None = None
    default: str | None = None
    deadline_at: datetime | None = None
    status: str = "open"
    answer: str | None = None
    is_edit: bool = False
    answered_by: str | None = None
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    pos: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key of a caller of servers; the key itself is nowhere.

    Attributes:
        id: Its id, which is the first part of the key.
        name: What people call it.
        scopes: What it may do.
        owner: Whose runs are its; several keys may have one owner.
        per_minute: How many requests it may make in a minute; None for any number.
        budget: Name of the budget that all its runs draw from, or None.
        created_at: Aware, UTC.
        expires_at: The same; None for never.
        revoked_at: The same, or None.
        used_at: When it was last seen, to within a minute; None for never.
    """

    id: str
    name: str
    scopes: frozenset[str]
    owner: str
    per_minute: int | None
    budget: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


class Counts(NamedTuple):
    """What a database holds.

    Attributes:
        runs: How many runs there are, by status.
        n_questions: How many questions are open.
        n_alive: How many processes have shown signs of life lately.
    """

    runs: dict[str, int]
    n_questions: int
    n_alive: int


class Verdict(NamedTuple):
    """Whether the events of a run are as they were written.

    Attributes:
        is_whole: They are.
        n_events: How many were looked at.
        pos: The first event that is not as it was written, or missing; None if all are.
        text: What is wrong with it, or that nothing is.
    """

    is_whole: bool
    n_events: int
    pos: int | None
    text: str
