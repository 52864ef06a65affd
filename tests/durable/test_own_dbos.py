"""Programs that use DBOS themselves: durable chats live beside their workflows, or are refused.

Each in a process of its own, because a process has one DBOS.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from dbos import DBOS

own, ours, what = sys.argv[1:]

DBOS(config={"name": "mine", "system_database_url": own, "log_level": "CRITICAL"})

@DBOS.workflow()
def flow(n: int) -> int:
    return twice(n) + 1

@DBOS.step()
def twice(n: int) -> int:
    return n * 2

DBOS.launch()
assert flow(2) == 5

from autogen import ConversableAgent, RunOptions, Runtime, team
from autogen.errors import AutogenError
from autogen.testing import ScriptedModel

@team("pair")
def pair():
    return ConversableAgent("a", human_input_mode="NEVER")

def chat(replies):
    a = ConversableAgent("a", human_input_mode="NEVER", default_auto_reply="more")
    b = ConversableAgent("b", human_input_mode="NEVER", llm_config=ScriptedModel(replies).config())
    run = RunOptions(id="run", durable=True, database=ours)
    result = a.initiate_chat(b, message="hi", max_turns=3, silent=True, run=run)
    return [message["content"] for message in result.chat_history]

def chats():
    try:
        chat(["one", KeyError("down")])
    except KeyError:
        print("failed")
    print(*chat(["two", "three"]))
    print(*chat([]))
    print(Runtime(ours).run("run").attempts)

try:
    chats() if what == "chats" else Runtime(ours).worker().start()
except AutogenError as error:
    print(type(error).__name__, error)
Runtime(ours).close()
assert flow(3) == 7
DBOS.destroy()
"""


def ran(own: str, ours: str, what: str = "chats") -> list[str]:
    """What the program prints whose DBOS keeps its workflows in `own`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, own, ours, what],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_chats_go_on_in_a_program_that_launched_dbos(url: str) -> None:
    said = "hi one more two more three"
    assert ran(url, url) == ["failed", said, said, "2"]


def test_another_way_to_write_the_address_is_no_other_database(postgres_url: str) -> None:
    otherwise = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    assert ran(f"{otherwise}?application_name=mine", postgres_url)[0] == "failed"


def test_a_dbos_on_another_database_is_not_recorded_with(url: str, tmp_path: Path) -> None:
    (line,) = ran(f"sqlite:///{tmp_path / 'own.db'}", url.replace("runs.db", "mine.db"))
    assert line.startswith("UsageError this program has launched DBOS on sqlite:///")
    assert "durable runs have to live there too: give that database" in line


def test_a_worker_wants_a_dbos_of_its_own(database: str) -> None:
    (line,) = ran(database, database, "worker")
    assert "start the worker in a process of its own: autogen worker" in line
