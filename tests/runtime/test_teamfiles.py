"""Teams of files and folders: which agents they make, and what is wrong told in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import autogen
from autogen import AssistantAgent, GroupChatManager, UserProxyAgent
from autogen.config.team import read_team
from autogen.errors import NoWallError, UsageError
from autogen.runtime.folder import find_teams
from autogen.runtime.teamfiles import team_of, team_of_file
from autogen.runtime.teams import team_named, teams

PAGE = Path(__file__).parents[2] / "docs" / "teams.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autogen.runtime import teams as register

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    monkeypatch.setattr(register, "_teams", {})


def team_file(text: str, name: str = "x.team.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", EXAMPLES, ids=["reviewers", "coders", "panel"])
def test_the_files_of_the_documentation_make_teams(text: str) -> None:
    team = team_of_file(team_file(text))
    one, other = team.chat(), team.chat()
    assert one["sender"] is not other["sender"], "agents are made anew for each chat"
    assert one["recipient"] is not other["recipient"]


def test_agents_are_what_the_file_says() -> None:
    chat = team_of_file(team_file(EXAMPLES[1])).chat()
    coder, runner = chat["recipient"], chat["sender"]
    assert isinstance(coder, AssistantAgent)
    assert isinstance(runner, UserProxyAgent)
    assert coder.llm_config["config_list"][0]["api_key"] == "sk-of-this-test"
    assert runner.llm_config is False
    assert chat["max_turns"] == 20


def test_a_group_has_its_members_and_who_may_follow_whom() -> None:
    manager = team_of_file(team_file(EXAMPLES[2])).chat()["recipient"]
    assert isinstance(manager, GroupChatManager)
    group = manager.groupchat
    after = group.allowed_speaker_transitions_dict
    assert [agent.name for agent in group.agents] == ["person", "planner", "writer"]
    assert {one.name: [a.name for a in others] for one, others in after.items()} == {
        "person": ["planner"],
        "planner": ["writer"],
        "writer": ["planner", "person"],
    }


def test_a_key_that_the_environment_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    team = team_of(read_team(team_file(EXAMPLES[0])))
    with pytest.raises(UsageError, match="in the environment variable OPENAI_API_KEY"):
        team.chat()


def test_text_that_is_no_yaml_is_told_with_its_line() -> None:
    path = team_file("schema_version: 1\nname: [pair\nagents: []\n")
    with pytest.raises(UsageError, match=r"'x.team.yaml' is not YAML: line 3: "):
        read_team(path)


@pytest.mark.parametrize(
    "old, new, line, said",
    [
        ("max_turns: 6", "max_trns: 6", 14, "did you mean 'max_turns'?"),
        ("kind: assistant", "kind: robot", 7, "agents.0.kind"),
        ("to: writer", "to: nobody", 14, "chat names 'nobody'"),
        ("name: writer", "nme: writer", 6, "agents.0.name: Field required"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, said: str) -> None:
    path = team_file(EXAMPLES[0].replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_team(path)
    assert said in str(caught.value)
    if "chat names" not in said:
        assert f"line {line}" in str(caught.value)


# -- folders ---------------------------------------------------------------------------------------

PROGRAM = """
import autogen
from autogen import ConversableAgent

@autogen.team({name!r})
def make():
    \"\"\"Two of a program.\"\"\"
    return ConversableAgent("a"), ConversableAgent("b")
"""


def test_a_folder_has_teams_of_programs_and_of_files() -> None:
    Path("made.py").write_text(PROGRAM.format(name="made"))
    Path("_hidden.py").write_text("raise SystemExit('must not be imported')")
    team_file(EXAMPLES[0], "reviewers.team.yaml")
    assert [team.name for team in find_teams(".")] == ["made", "reviewers"]
    assert team_named("made").description == "Two of a program."
    assert team_named("made").chat()["recipient"].name == "b"


def test_a_folder_may_be_looked_at_again() -> None:
    team_file(EXAMPLES[0], "reviewers.team.yaml")
    find_teams(".")
    find_teams(".")
    assert list(teams()) == ["reviewers"]


@pytest.mark.parametrize(
    "suffix, text", [(".py", PROGRAM.format(name="same")), (".team.yaml", EXAMPLES[0])]
)
def test_two_teams_with_one_name_are_refused(suffix: str, text: str) -> None:
    for name in ("one", "two"):
        Path(f"{name}{suffix}").write_text(text.replace("name: reviewers", "name: same"))
    with pytest.raises(UsageError, match="two teams have the name 'same'"):
        find_teams(".")


@pytest.mark.parametrize(
    "text, said",
    [("import nothing_like_this", "No module named"), ("x = ", "SyntaxError"), ("1 / 0", "Zero")],
)
def test_a_program_that_cannot_be_loaded_is_named(text: str, said: str) -> None:
    Path("broken.py").write_text(text)
    with pytest.raises(UsageError, match=r"broken\.py' cannot be loaded") as caught:
        find_teams(".")
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "-a", "x" * 65, None])
def test_a_name_that_cannot_be_used_is_refused(name: Any) -> None:
    with pytest.raises(UsageError, match="can't be used"):
        autogen.team(name)


def test_a_function_that_makes_no_agents_is_told_what_to_return() -> None:
    autogen.team("odd")(lambda: "hello")
    with pytest.raises(UsageError, match="team 'odd' made 'hello'; return a dict"):
        team_named("odd").chat()


def test_a_function_that_fails_is_told_with_its_error() -> None:
    cause = LookupError("nothing there")

    def make() -> None:
        raise cause

    autogen.team("lost")(make)
    words = "the team 'lost' can't be made: LookupError: nothing there"
    with pytest.raises(UsageError, match=words) as caught:
        team_named("lost").chat()
    assert caught.value.__cause__ is cause


def test_an_error_of_ours_is_told_as_it_is() -> None:
    def make() -> None:
        raise NoWallError("no wall here")

    autogen.team("bare")(make)
    with pytest.raises(NoWallError, match=r"^no wall here$"):
        team_named("bare").chat()


def test_an_unknown_team_is_told_with_those_that_are_known() -> None:
    team_file(EXAMPLES[0], "reviewers.team.yaml")
    find_teams(".")
    with pytest.raises(UsageError, match="known are: reviewers"):
        team_named("reviewer")
