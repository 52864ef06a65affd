"""The door of AG-UI, gone through by the official client of browsers, in node."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from tests.server.serving import Serving

CLIENT = Path(__file__).parent / "ag_ui_client"
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "studio.py"

WAIT_S = 60.0

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("ag-ui-client")]


def _script() -> ModuleType:
    """What finds node, and installs packages as a lock file names them, for the studio's page."""
    spec = importlib.util.spec_from_file_location("scripts_studio", SCRIPT)
    assert spec is not None and spec.loader is not None
    found = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def node(require_part: Callable[..., NoReturn]) -> Path:
    """A node, beside which the client is installed."""
    script = _script()
    try:
        found = script.find_node()
        with script.packages(found, CLIENT):
            return Path(found.program)
    except script.NoPackages:
        require_part(
            "the client of AG-UI",
            because="no registry of npm could be reached",
            do="connect to the network, or configure a mirror for npm",
        )
    except script.StudioError as error:
        require_part("node", because=str(error), do="install a newer node")


@pytest.fixture
def talk(node: Path, doors: Serving) -> Callable[..., list[dict[str, Any]]]:
    def talk(team: str, *turns: Any, token: str | None = None) -> list[dict[str, Any]]:
        """What the client tells of each turn of a thread."""
        task = {
            "url": f"{doors.url}/ag-ui/{team}",
            "token": token or doors.token,
            "thread": uuid.uuid4().hex,
            "turns": turns,
        }
        done = subprocess.run(
            [node, CLIENT / "talk.mjs", json.dumps(task)],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        # It complains there of whatever is not as the protocol has it, and of refusals.
        assert done.stderr == "" or token is not None
        return [json.loads(line) for line in done.stdout.splitlines()]

    return talk


def test_client_hears_a_run_message_by_message(talk: Callable[..., list[dict[str, Any]]]) -> None:
    (told,) = talk("two", {"say": "hello"})
    assert (told["error"], told["outcome"]) == (None, "success")
    assert told["types"][0] == "RUN_STARTED"
    assert told["types"][-1] == "RUN_FINISHED"
    assert [text for role, text in told["said"] if role == "assistant"] == [
        "first words",
        "go on",
        "last words TERMINATE",
    ]
    assert told["result"]["summary"] == "last words "


def test_client_reads_text_as_it_is_made(talk: Callable[..., list[dict[str, Any]]]) -> None:
    (told,) = talk("stream", {"say": "hello"})
    assert told["error"] is None
    assert told["said"][-1] == ["assistant", "one two three four"]
    assert told["types"].count("TEXT_MESSAGE_CONTENT") >= 1


def test_client_answers_an_interrupt_and_goes_on(
    talk: Callable[..., list[dict[str, Any]]], doors: Serving
) -> None:
    asked, again, done = talk(
        "ask",
        {"say": "hello"},
        {"resume": {"status": "resolved", "payload": {"approved": True}}},
        {"resume": {"status": "resolved", "payload": {"answer": "my own words"}}},
    )
    assert (asked["error"], asked["outcome"]) == (None, "interrupt")
    assert "asker asks: " in asked["interrupts"][0]["message"]
    assert (again["error"], again["outcome"]) == (None, "interrupt")
    assert [text for role, text in again["said"] if role == "assistant"] == ["a proposal", "go on"]
    assert (done["error"], done["outcome"]) == (None, "success")
    assert done["result"]["summary"] == "my own words"
    assert len({told["result"]["run_id"] for told in (asked, again, done)}) == 1
    run = doors.get(f"/api/v1/runs/{done['result']['run_id']}")
    assert (run["status"], run["n_open_questions"]) == ("finished", 0)


def test_client_abandons_an_interrupt(talk: Callable[..., list[dict[str, Any]]]) -> None:
    asked, done = talk("ask", {"say": "hello"}, {"resume": {"status": "cancelled"}})
    assert asked["outcome"] == "interrupt"
    assert done["error"] is None
    assert done["result"]["stop_reason"] == "human_exit"


def test_client_goes_on_talking_in_a_thread(talk: Callable[..., list[dict[str, Any]]]) -> None:
    first, second = talk("echo", {"say": "my name is Ann"}, {"say": "who am I?"})
    assert first["error"] is None and second["error"] is None
    (heard,) = [text for role, text in second["said"] if role == "assistant"]
    assert "who am I?" in heard
    assert "my name is Ann" in heard


def test_client_sees_calls_of_tools(talk: Callable[..., list[dict[str, Any]]]) -> None:
    (told,) = talk("tool", {"say": "hello"})
    assert told["error"] is None
    assert ["tool", "42"] in told["said"]


def test_client_is_told_why_it_gets_nothing(talk: Callable[..., list[dict[str, Any]]]) -> None:
    (failed,) = talk("broken", {"say": "hello"})
    assert "the wheel came off" in failed["error"]
    (refused,) = talk("two", {"say": "hello"}, token="wrong")
    assert "401" in refused["error"]


def test_lock_names_no_registry() -> None:
    lock = json.loads((CLIENT / "package-lock.json").read_text())
    assert not [name for name, one in lock["packages"].items() if "resolved" in one]
    assert all("integrity" in one for name, one in lock["packages"].items() if name)
