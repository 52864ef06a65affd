"""The bodies of requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ..human.base import Edited
from ..runtime.runtime import OnConflict

__all__ = [
    "AgentOut",
    "AmountsOut",
    "AnswerIn",
    "ArtifactOut",
    "ArtifactPage",
    "BudgetIn",
    "BudgetOut",
    "BudgetPage",
    "ChatDetail",
    "ChatMessageIn",
    "ChatMessageOut",
    "ChatMessagePage",
    "ChatOut",
    "ChatPage",
    "DiffOut",
    "EgressIn",
    "EgressOut",
    "EventPage",
    "FileOut",
    "FilePage",
    "ForkIn",
    "HealthOut",
    "KeyIn",
    "KeyMade",
    "KeyOut",
    "KeyPage",
    "MessageOut",
    "MessagePage",
    "QuestionOut",
    "QuestionPage",
    "ResumeIn",
    "RunIn",
    "RunOut",
    "RunPage",
    "SessionIn",
    "TeamDetail",
    "TeamOut",
    "TeamPage",
    "UsageOut",
    "UsagePage",
    "UsageRow",
]

#: Numbers of events, as both databases keep them.
MOST_POS = 2**31 - 1
YEAR_S = 366 * 24 * 3600

#: So many files may a run begin with.
MOST_FILES = 32

#: Text without control characters.
PLAIN = r"^[^\x00-\x1f\x7f]+$"

Pos = Annotated[int, Field(ge=1, le=MOST_POS)]
FileId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9a-f]+$")]
TeamName = Annotated[str, Field(min_length=1, max_length=64)]
BudgetName = Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SessionIn(_In):
    """The token that `autogen serve` printed, or a key."""

    token: str = Field(max_length=10_000)


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


class _Asked(_In):
    budget: BudgetIn | BudgetName | None = Field(
        default=None, description="Limits of its own; or the name of a budget that runs share."
    )
    files: list[FileId] = Field(
        default=[],
        max_length=MOST_FILES,
        description="What its code finds in its folder, by the ids that `POST /files` gave.",
    )
    timeout_s: float | None = Field(
        default=None, gt=0, le=YEAR_S, description="Wall-clock seconds for one execution."
    )
    max_turns: int | None = Field(default=None, ge=1, le=MOST_POS)
    priority: int = Field(default=0, ge=0, le=MOST_POS, description="1 is taken up before 2.")


class RunIn(_Asked):
    """A chat of a team."""

    team: TeamName
    message: str | dict[str, JsonValue] | None = Field(
        default=None, description="What is said first; none for the message of the team."
    )
    conversation: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=PLAIN,
        description="Of the runs of one conversation only one is under way.",
    )
    on_conflict: OnConflict = Field(
        default="reject",
        description="Where one is: 409; begin after it; or cancel it, and begin after that.",
    )


class ChatMessageIn(_Asked):
    """What is said next in a chat."""

    message: str | dict[str, JsonValue]
    team: TeamName | None = Field(
        default=None, description="Who goes on with it; none for the team of its newest run."
    )
    on_conflict: OnConflict = Field(
        default="enqueue",
        description="Where a run of it is under way: begin after it; 409; or cancel it.",
    )


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

    action: Literal["approve", "edit", "text", "deny", "stop"]
    text: str | None = Field(
        default=None,
        description='The words of "text"; the reason of "deny"; what "edit" has the agent do.',
    )
    by: str | None = Field(
        default=None, max_length=200, description="Who answers, where no key says so."
    )

    def words(self) -> str | None:
        """What the agent is told; None where the text is missing."""
        if self.action == "text":
            return self.text
        if self.action == "edit":
            return None if self.text is None else Edited(self.text)
        if self.action == "deny":
            return f"Denied: {self.text or 'no reason was given'}"
        return "" if self.action == "approve" else "exit"


class KeyIn(_In):
    """A key for a caller."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")
    scopes: list[str] = Field(min_length=1, max_length=20)
    owner: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=PLAIN,
        description="Whose runs are its; none for its own name. For callers with `admin` only.",
    )
    per_minute: int | None = Field(default=None, ge=1, le=10**6)
    budget: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=PLAIN,
        description="Name of the budget that all its runs draw from.",
    )
    days: float | None = Field(default=None, gt=0, le=3660)


class KeyOut(BaseModel):
    """What is known of a key."""

    id: str
    name: str
    scopes: list[str]
    owner: str
    per_minute: int | None
    budget: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


class KeyMade(KeyOut):
    """A new key; it is told here and never again."""

    key: str


class KeyPage(BaseModel):
    """Keys, the oldest first; `next` is the cursor of the next page, if there is one."""

    items: list[KeyOut]
    next: str | None


class TeamOut(BaseModel):
    """A team that runs can be asked of."""

    name: str
    description: str
    concurrency: int | None


class AgentOut(BaseModel):
    """An agent of a team."""

    name: str
    kind: Literal["assistant", "user", "manager", "agent"]
    description: str
    model: str | None
    runs_code: bool
    tools: list[str]


class TeamDetail(TeamOut):
    """A team with its agents; an edge leads from one who speaks to one who may speak next."""

    version: str
    agents: list[AgentOut]
    edges: list[tuple[str, str]]


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
    title: str
    conversation: str | None
    cost_usd: float | None = Field(description="Null where nobody knows a price.")
    n_tokens: int
    n_steps: int
    n_open_questions: int
    budget: BudgetOut | None


class DiffOut(BaseModel):
    """Where two runs begin to differ, by what was said."""

    is_same: bool
    n_same: int
    left_pos: int | None = Field(description="The first message of the run that differs.")
    right_pos: int | None = Field(description="The first message of the other one that does.")
    text: str


class EgressIn(_In):
    """A host that code was refused."""

    host: str = Field(min_length=1, max_length=253, pattern=PLAIN)
    port: int | None = Field(default=None, ge=1, le=65535)


class EgressOut(BaseModel):
    """A host that the code of a run may reach from here on."""

    run_id: str
    pattern: str


class FileOut(BaseModel):
    """A file that was handed in."""

    id: str
    name: str
    size: int
    media_type: str
    sha256: str
    created_at: datetime


class FilePage(BaseModel):
    """Files, the newest first; `next` is the cursor of the next page, if there is one."""

    items: list[FileOut]
    next: str | None


class ArtifactOut(BaseModel):
    """A file that code of a run left; `pos` is the event that tells of it."""

    id: str
    run_id: str
    pos: int
    name: str
    media_type: str
    size: int
    sha256: str


class ArtifactPage(BaseModel):
    """Files that code of a run left, in their order; `next` as for messages."""

    items: list[ArtifactOut]
    next: int | None


class AmountsOut(BaseModel):
    """Amounts of a budget; null where there is no limit."""

    usd: float | None
    tokens: int | None
    seconds: float | None
    steps: int | None
    code_seconds: float | None


class BudgetOut(BaseModel):
    """A budget: its limits, what was spent, and what is set aside for calls under way."""

    name: str
    limits: AmountsOut
    spent: AmountsOut
    held: AmountsOut
    is_spent: bool


class BudgetPage(BaseModel):
    """Budgets that runs share, by name; `next` is the cursor of the next page, if there is one."""

    items: list[BudgetOut]
    next: str | None


class UsageRow(BaseModel):
    """What models were asked, under one name."""

    key: str | None
    n_calls: int
    n_cached: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    is_cost_known: bool


class UsagePage(BaseModel):
    """Sums of usage, in the order of their names."""

    by: Literal["model", "agent", "day"]
    items: list[UsageRow]


class RunPage(BaseModel):
    """Runs, the newest first; `next` is the cursor of the page after."""

    items: list[RunOut]
    next: str | None


class ChatOut(BaseModel):
    """A chat: the runs of one conversation of the caller, taken together."""

    name: str
    team: str | None = Field(description="That of its newest run.")
    status: str = Field(description="That of its newest run.")
    n_runs: int
    updated_at: datetime
    cost_usd: float | None = Field(description="Null where nobody knows a price.")


class ChatPage(BaseModel):
    """Chats, those first in which something happened last; `next` is the cursor."""

    items: list[ChatOut]
    next: str | None


class ChatDetail(ChatOut):
    """A chat with its runs, the newest first; `next` is the cursor of the runs after."""

    runs: list[RunOut]
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


class ChatMessageOut(MessageOut):
    """A message of a run of a chat."""

    run_id: str


class ChatMessagePage(BaseModel):
    """Messages of a chat in their order; `next` is the cursor of the page after."""

    items: list[ChatMessageOut]
    next: str | None


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
    pos: int | None = Field(description="The message that it is about.")
    answer: str | None
    is_edit: bool
    answered_by: str | None
    asked_at: datetime | None
    answered_at: datetime | None


class QuestionPage(BaseModel):
    """Questions, the oldest first; `next` is the cursor of the next page, if there is one."""

    items: list[QuestionOut]
    next: str | None


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
