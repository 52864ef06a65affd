"""The API: our server, and one route that triggers the conversation.

POST /conversation {"task": "..."} begins it and says where it can be followed. Everything else of
the server (events, questions, budgets, the studio) is there as well. Callers show the token that
is printed at the start, or a key (`autogen keys add`). Elsewhere than on loopback there are keys
only, and ALLOWED_HOSTS says under which names the server answers. With --no-worker the runs are
left to `autogen worker`, so no Docker is needed here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import BaseModel, Field

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autogen.errors import AutogenError  # noqa: E402
from autogen.server import CallerOf, Service, needs  # noqa: E402
from src.agents import group_chat  # noqa: E402  registers the team

is_worker = "--no-worker" not in sys.argv
if is_worker:
    group_chat.require_docker()
try:
    service = Service(
        os.environ.get("AUTOGEN_DATABASE_URL", f"sqlite:///{ROOT}/.autogen/runs.db"),
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8000")),
        allowed_hosts=os.environ.get("ALLOWED_HOSTS", "").split(),
        is_worker=is_worker,
    )
except AutogenError as error:
    raise SystemExit(f"The server cannot start: {error}") from None


class Task(BaseModel):
    """What the agents are to do."""

    task: str = Field(min_length=1, max_length=20_000)


class Started(BaseModel):
    """The run that was begun, and where its events are."""

    run_id: str
    events: str


@service.app.post("/conversation", status_code=202, dependencies=[needs("runs:write")])
def converse(asked: Task, caller: CallerOf) -> Started:
    """Have the agents work on a task, for the caller and on the budget of its key."""
    run_id = service.runtime.submit(
        "group_chat",
        asked.task,
        budget={"usd": float(os.environ.get("BUDGET_USD", "1"))},
        belongs_to=caller.id,
        shared_budget=caller.budget,
    )
    return Started(run_id=run_id, events=f"/api/v1/runs/{run_id}/events")


if __name__ == "__main__":
    words = f"Listening on {service.url}"
    if service.token is not None:
        words += f"; the token is {service.token}"
    service.run(when_ready=lambda: print(words, flush=True))
