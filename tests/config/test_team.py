"""Team files: what is wrong with one is told in words."""

from __future__ import annotations

from typing import Any

import pytest

from autogen.config.team import parsed_team
from autogen.errors import UsageError


def team(**changes: Any) -> dict[str, Any]:
    agents = [{"name": "writer"}, {"name": "user", "kind": "user"}]
    chat = {"from": "user", "to": "writer"}
    return {"schema_version": 1, "name": "pair", "agents": agents, "chat": chat, **changes}


def test_a_team_file_is_read() -> None:
    assert [agent.kind for agent in parsed_team(team()).agents] == ["assistant", "user"]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"agnets": []}, "agnets is no known key; did you mean 'agents'?"),
        ({"agents": [{"name": "a", "system_mesage": "x"}]}, "did you mean 'system_message'?"),
        ({"agents": [{"name": "a", "kind": "os.system"}]}, "agents.0.kind"),
        ({"schema_version": 2}, "schema_version 2"),
        ({"llm": {"model": "m", "api_key": "sk-x"}}, "holds a secret under 'api_key'"),
        ({"chat": {"from": "user", "to": "nobody"}}, "chat names 'nobody'"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed_team(team(**changes), where="x.team.yaml")
    assert said in str(caught.value)
    assert "x.team.yaml" in str(caught.value)
