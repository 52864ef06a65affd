"""Commands to begin a project with: new, schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from .options import EXIT_CODES, Debug

__all__ = ["making"]

making = typer.Typer()


class Project(StrEnum):
    """What `autogen new` makes."""

    BLUEPRINT = "blueprint"


@making.command(epilog=EXIT_CODES)
def new(
    what: Annotated[Project, typer.Argument(metavar="blueprint", help="A production project.")],
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Made; must not have files yet.")],
    debug: Debug = False,
) -> None:
    """Write a project to begin from: agents, their API, deployment."""
    from ..new import new_blueprint

    raise typer.Exit(new_blueprint(folder, debug=debug))


class Schema(StrEnum):
    """What `autogen schema` describes."""

    TEAM = "team"
    EVENT = "event"


@making.command(epilog=EXIT_CODES)
def schema(
    what: Annotated[
        Schema, typer.Argument(metavar="team|event", help="Team files, or lines of --json.")
    ],
) -> None:
    """Print the JSON Schema of team files, or of events."""
    from ..schema import print_schema

    raise typer.Exit(print_schema(what.value))
