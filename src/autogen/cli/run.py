"""`autogen run "TASK"`: two agents work on a task until it is done."""

from __future__ import annotations

from typing import Any

from .._chat.durable import begun_by
from ..agentchat.assistant_agent import AssistantAgent
from ..agentchat.user_proxy_agent import UserProxyAgent
from ..errors import UsageError
from ..limits.budget import Budget
from .model import choose_model
from .outcome import exit_with_words
from .recording import Recording, recording
from .session import closing, code_of_result, open_session

__all__ = ["agents_for_task", "run_task"]

#: Sent where an answer has no code to run and does not say that the task is done.
_NUDGE = (
    "There was no code to run in that. Please go on; if everything is done, end with the word "
    "TERMINATE on a line of its own."
)
#: Where `run` gives up if nobody said when: far more than a task takes.
_MOST_STEPS = 100


def run_task(
    task: str,
    *,
    model: str | None,
    base_url: str | None,
    work_dir: str,
    run_id: str | None,
    database: str | None,
    max_turns: int | None,
    budget_usd: float | None,
    timeout_s: float | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Work on `task`; the exit code.

    Where durable runs are installed it is one: run again with its id it goes on, and once it is
    over it is told from its record.
    """
    secrets: list[str] = []
    with exit_with_words(debug=debug, secrets=secrets):
        if not task.strip():
            raise UsageError('there is no task; write it in quotes: autogen run "Count to ten".')
        choice = choose_model(model, base_url)
        secrets += choice.secrets
        record = recording("task", run_id=run_id, database=database)
        session = open_session(thinker="assistant", as_json=as_json, secrets=choice.secrets)
        session.pen.title("autogen run", choice.label)
        user, assistant = agents_for_task(choice.llm_config, work_dir=work_dir)
        with begun_by(task=True):
            result, seconds = session.talk(
                user,
                assistant,
                task,
                max_turns=max_turns,
                timeout_s=timeout_s,
                budget=_budget(budget_usd, max_turns),
                record_as=record.run_id,
                database=record.database,
            )
        code = code_of_result(result)
        rows = closing(result, seconds, n_runs=session.transcript.n_runs)
        session.pen.facts([*rows, *_run_row(record)], ok=code == 0)
        return int(code)


def agents_for_task(
    llm_config: dict[str, Any], *, work_dir: str
) -> tuple[UserProxyAgent, AssistantAgent]:
    """Who gives the task and runs code, and who works on it."""
    user = UserProxyAgent(
        "user",
        human_input_mode="NEVER",
        code_execution_config={"work_dir": work_dir},
        default_auto_reply=_NUDGE,
    )
    return user, AssistantAgent("assistant", llm_config=llm_config)


def _run_row(record: Recording) -> list[tuple[str, str]]:
    return [] if record.run_id is None else [("run", record.run_id)]


def _budget(usd: float | None, max_turns: int | None) -> Budget | None:
    steps = _MOST_STEPS if max_turns is None else None
    return None if usd is None and steps is None else Budget(usd=usd, steps=steps)
