"""Runs the chat once, here: `python test_autogen.py [TASK]`.

RUN_ID names the run. Killed, it goes on where it was when it is started again with the same name;
what was paid for is not paid for twice.
"""

from __future__ import annotations

import os
import sys
import uuid

import autogen
from autogen import Budget, RunOptions
from autogen.errors import AuthenticationError
from src.agents.group_chat import ROOT, TASK, group_chat, require_docker


def main() -> None:
    """Run the chat and say what it cost and left behind."""
    require_docker()
    task = " ".join(sys.argv[1:]) or TASK
    run_id = os.environ.get("RUN_ID") or f"test-{uuid.uuid4().hex[:8]}"
    print(f"Run {run_id}; to go on with it: RUN_ID={run_id} python test_autogen.py {task!r}")
    limits = Budget(usd=float(os.environ.get("BUDGET_USD", "1")))
    chat = group_chat() | {"message": task}
    sender = chat.pop("sender")
    database = os.environ.get("AUTOGEN_DATABASE_URL", f"sqlite:///{ROOT}/.autogen/runs.db")
    with autogen.options(RunOptions(id=run_id, durable=True, database=database, budget=limits)):
        result = sender.initiate_chat(**chat)
    print(f"\nEnded by: {result.stop_reason}. Messages: {len(result.chat_history)}.")
    print(f"Cost: {result.cost[0]}")
    for artifact in result.artifacts:
        print(f"File: work_dir/{artifact.name} ({artifact.size_bytes} bytes)")


if __name__ == "__main__":
    try:
        main()
    except AuthenticationError as error:
        raise SystemExit(f"{error} In this project keys belong into .env.") from None
