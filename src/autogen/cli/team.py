"""`autogen run TEAM`: one chat of a team, in this process."""

from __future__ import annotations

import os

from .._chat.durable import begun_by
from ..limits.budget import Budget
from ..runtime.folder import find_teams
from ..runtime.teamfiles import SUFFIX, team_of_file
from ..runtime.teams import Team, team_named
from .outcome import exit_with_words
from .recording import recording
from .session import closing, code_of_result, open_session

__all__ = ["run_team", "team_at"]


def run_team(
    name: str,
    message: str | None,
    *,
    teams_in: str | None,
    run_id: str | None,
    database: str | None,
    max_turns: int | None,
    budget_usd: float | None,
    timeout_s: float | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Run one chat of the team; people are asked on this terminal. The exit code.

    `name` is a file `*.team.yaml`, or the name of a team of the folder `teams_in`.
    """
    with exit_with_words(debug=debug):
        team = team_at(name, teams_in)
        chat = team.chat()
        sender, recipient = chat.pop("sender"), chat.pop("recipient")
        chat.pop("silent", None)
        given = {"message": message, "max_turns": max_turns}
        asked = {key: value for key, value in given.items() if value is not None}
        chat |= asked
        record = recording(team.name, run_id=run_id, database=database)
        session = open_session(thinker=recipient.name, as_json=as_json)
        session.pen.title("autogen run", team.name)
        with begun_by(team_at=_place(name, teams_in), asked=asked):
            result, seconds = session.talk(
                sender,
                recipient,
                chat.pop("message", None),
                timeout_s=timeout_s,
                budget=None if budget_usd is None else Budget(usd=budget_usd),
                record_as=record.run_id,
                database=record.database,
                **chat,
            )
        code = code_of_result(result)
        rows = closing(result, seconds, n_runs=session.transcript.n_runs)
        if record.run_id is not None:
            rows.append(("run", record.run_id))
        session.pen.facts(rows, ok=code == 0)
        return int(code)


def team_at(name: str, teams_in: str | None) -> Team:
    """The team of the file `name`, or the one of that name in the folder `teams_in`."""
    if _is_file(name, teams_in):
        return team_of_file(name)
    find_teams(teams_in or ".")
    return team_named(name)


def _is_file(name: str, teams_in: str | None) -> bool:
    return name.endswith(SUFFIX) and (teams_in is None or os.path.isfile(name))


def _place(name: str, teams_in: str | None) -> list[str | None]:
    """Arguments of `team_at` that mean the same wherever one stands."""
    if _is_file(name, teams_in):
        return [os.path.abspath(name), None]
    return [name, os.path.abspath(teams_in or ".")]
