"""Teams that can't be made where the server runs: whoever asks is told why."""

from __future__ import annotations

from pathlib import Path

from tests.server.serving import Serving

TEAMS = """
import os
import autogen

@autogen.team("keyless")
def keyless():
    return {"sender": os.environ["NOT_THERE"]}
"""


def test_a_team_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "cast.py").write_text(TEAMS)
    server = Serving(f"sqlite:///{tmp_path / 'runs.db'}", teams=tmp_path)
    try:
        words = "the team 'keyless' can't be made: KeyError: 'NOT_THERE'."
        answer = server.call("GET", "/api/v1/teams/keyless")
        assert (answer.status, answer.is_problem, answer.json["detail"]) == (500, True, words)
        run = server.ended(server.begin("keyless"))
        assert run["status"] == "failed"
        assert run["error"] == {"type": "UsageError", "text": words}
    finally:
        assert server.stop() == 0
    assert "Traceback" not in "".join(server.said)
    assert words in "".join(server.said)
