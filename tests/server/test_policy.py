"""Code of runs that a server was asked for keeps to its policy, whoever executes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import autogen
from autogen import ConversableAgent, Runtime
from autogen.coding import LocalCommandLineCodeExecutor, SandboxCommandLineCodeExecutor
from autogen.coding.policy import CodePolicy

BLOCK = "```python\nopen('left.txt', 'w').write('x')\nprint('ran')\n```"
QUIET: dict[str, Any] = {"human_input_mode": "NEVER", "llm_config": False}


def submitted(folder: Path, team: str, policy: CodePolicy | None) -> Any:
    """What becomes of a run that one process submits and another's worker executes."""
    database = f"sqlite:///{folder}/runs.db"
    with Runtime(database) as asking, Runtime(database) as working:
        asking.policy = policy
        worker = working.worker()
        worker.start()
        try:
            return asking.wait(asking.submit(team, BLOCK), timeout_s=40)
        finally:
            worker.stop()


def pair(executor: Any) -> dict[str, Any]:
    return {
        "sender": ConversableAgent("asker", **QUIET),
        "recipient": ConversableAgent(
            "runner", code_execution_config={"executor": executor}, **QUIET
        ),
        "max_turns": 1,
    }


def test_a_worker_runs_no_code_without_a_wall_for_a_server(tmp_path: Path) -> None:
    @autogen.team("policy-local")
    def local() -> dict[str, Any]:
        return pair(LocalCommandLineCodeExecutor(work_dir=tmp_path))

    ended = submitted(tmp_path, "policy-local", CodePolicy(network="none", is_walled=True))
    assert not (tmp_path / "left.txt").exists()
    assert "has no wall" in str([ended.error, ended.result])
    ended = submitted(tmp_path, "policy-local", None)
    assert ended.status == "finished", ended.error
    assert (tmp_path / "left.txt").exists()


def test_a_worker_gives_code_no_network_for_a_server(tmp_path: Path) -> None:
    made: list[Any] = []

    @autogen.team("policy-network")
    def networks() -> dict[str, Any]:
        made.append(SandboxCommandLineCodeExecutor(work_dir=tmp_path).network)
        made.append(SandboxCommandLineCodeExecutor(work_dir=tmp_path, network="public").network)
        return {**pair(None), "recipient": ConversableAgent("quiet", **QUIET)}

    submitted(tmp_path, "policy-network", CodePolicy(network="none"))
    submitted(tmp_path, "policy-network", None)
    assert made == ["none", "public", "public", "public"]
