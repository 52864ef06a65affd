"""The bodies of requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "AnswerIn",
    "BudgetIn",
    "EventPage",
    "ForkIn",
    "HealthOut",
    "MessageOut",
    "MessagePage",
    "QuestionOut",
    "QuestionPage",
    "ResumeIn",
    "RunIn",
    "RunOut",
    "RunPage",
    "SessionIn",
    "TeamOut",
    "TeamPage",
    "UsageOut",
]

#: Numbers of events, as both databases keep them.
MOST_POS = 2**31 - 1
YEAR_S = 366 * 24 * 3600

Pos = Annotated[int, Field(ge=1, le=MOST_POS)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SessionIn(_In):
    """The token that `autogen serve` printed."""

    token: str = Field(max_length=200)


class BudgetIn(_In):
    """Limits of a run; those left out do not hold."""

    usd: float | None = Field(default=None, ge=0, le=1e9)
    tokens: int | None = Field(default=None, ge=0, le=10**15)
    seconds: float | None = Field(default=None, ge=0, le=YEAR_S)
    steps: int | None = Field(default=None, ge=0, le=10**15)
    code_seconds: float | None = Field(default=None, ge=0, le=YEAR_S)

    def limits(self) -> dict[str, Any] | None:
        """As `Budget` takes them; None for none."""
        return self.model_dump(exclude_none=True) or None


class RunIn(_In):
    """A chat of a team."""

    team: str = Field(min_length=1, max_length=64)
    message: str | dict[str, JsonValue] | None = Field(
        default=None, description="What is said first; none for the message of the team."
    )
    budget: BudgetIn | None = None
    timeout_s: float | None = Field(
        default=None, gt=0, le=YEAR_S, description="Wall-clock seconds for one execution."
    )
    max_turns: int | None = Field(default=None, ge=1, le=MOST_POS)
    priority: int = Field(default=0, ge=0, le=MOST_POS, description="1 is taken up before 2.")


class ResumeIn(_In):
    """New limits for a run that has a budget of its own; what it spent before counts."""

    budget: BudgetIn | None = None


class ForkIn(_In):
    """A new run that shares the events up to number `at`."""

    at: Pos
    edit: str | None = Field(
        default=None, description="What the message of that event is to say instead."
    )


class AnswerIn(_In):
    """An answer to a question."""

    action: Literal["approve", "text", "deny", "stop"]
    text: str | None = Field(default=None, description='The words of "text"; the reason of "deny".')
    by: str | None = Field(default=None, max_length=200, description="Who answers.")

    def words(self) -> str | None:
        """What the agent is told; None where the text is missing."""
        if self.action == "text":
            return self.text
        if self.action == "deny":
            return f"Denied: {self.text or 'no reason was given'}"
        return "" if self.action == "approve" else "exit"


class TeamOut(BaseModel):
    """A team that runs can be asked of."""

    name: str
    description: str
    concurrency: int | None


class TeamPage(BaseModel):
    """Every team."""

    items: list[TeamOut]


class RunOut(BaseModel):
    """A run as it stands."""

    id: str
    team: str | None
    status: str
    stop_reason: str | None
    request: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    attempts: int
    priority: int
    wish: str | None
    forked_from: str | None
    forked_at: int | None
    created_at: datetime | None
    updated_at: datetime | None


class RunPage(BaseModel):
    """Runs, the newest first; `next` is the cursor of the page after."""

    items: list[RunOut]
    next: str | None


class EventPage(BaseModel):
    """Events in their order; `next` is the number to give as `after`."""

    items: list[dict[str, Any]]
    next: int


class MessageOut(BaseModel):
    """A message of a run."""

    pos: int
    at: float
    chat_id: str | None
    sender: str | None
    recipient: str | None
    message: Any


class MessagePage(BaseModel):
    """Messages in their order; `next` is the number to give as `after`, and none at the end."""

    items: list[MessageOut]
    next: int | None


class QuestionOut(BaseModel):
    """A question to people."""

    id: str
    run_id: str
    agent: str
    kind: str
    prompt: str
    answer_schema: dict[str, Any] | None = Field(alias="schema")
    default: str | None
    deadline_at: datetime | None
    status: str
    answer: str | None
    answered_by: str | None
    asked_at: datetime | None
    answered_at: datetime | None


class QuestionPage(BaseModel):
    """Questions, the oldest first."""

    items: list[QuestionOut]


class UsageOut(BaseModel):
    """What a run has used so far."""

    run_id: str
    n_calls: int
    n_cached: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    is_cost_known: bool


class HealthOut(BaseModel):
    """That the server is there."""

    status: Literal["ok"] = "ok"
