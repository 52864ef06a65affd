"""docs/commands.md has every command and every option that there is, and none that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from autogen.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def commands(group: Any, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """The name and the options of every command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} ")
        else:
            options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
            yield above + name, {option for option in options if option.startswith("--")}


COMMANDS = dict(commands(typer.main.get_command(app)))


def section_of(name: str) -> str:
    """What the page says below the heading that names a command."""
    for heading, text in re.findall(r"^### (.*?)$(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.M):
        if name.split()[0] in heading.split(", "):
            return str(text)
    raise AssertionError(f"docs/commands.md has no heading for {name!r}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described_with_an_example_and_its_options(name: str) -> None:
    section = section_of(name)
    assert f"    $ autogen {name}" in section
    # Said of all commands at the top of the page.
    told = {"--debug", "--database", "--help"}
    assert {o for o in COMMANDS[name] - told if not re.search(f"{o}\\b", section)} == set()


def test_no_option_is_described_that_is_not_there() -> None:
    known = set.union(*COMMANDS.values()) | {"--help", "--for-the-program"}
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", PAGE)) - known == set()
