"""Commands about what was recorded: runs, show, fork, diff, replay, verify, prune."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import EXIT_CODES, Database, Debug, RunId, TeamsIn

__all__ = ["recorded"]

recorded = typer.Typer()


@recorded.command(epilog=EXIT_CODES)
def runs(
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only those: running, waiting, ...")
    ] = None,
    team: Annotated[
        str | None, typer.Option(metavar="TEAM", help="Only those of this team.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The most to list.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="One JSON object a line.")
    ] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """List durable runs, the newest first."""
    from ..runs import list_runs

    raise typer.Exit(
        list_runs(
            status=status, team=team, limit=limit, as_json=as_json, database=database, debug=debug
        )
    )


@recorded.command(epilog=EXIT_CODES)
def show(
    run_id: RunId,
    follow: Annotated[
        bool, typer.Option("--follow", metavar="", help="Go on until the run stops.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="The events, one JSON object a line.")
    ] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Show what was said in a run; the numbers are those to fork at."""
    from .. import runs as about

    raise typer.Exit(
        about.show(run_id, is_followed=follow, as_json=as_json, database=database, debug=debug)
    )


@recorded.command(epilog=EXIT_CODES)
def fork(
    run_id: RunId,
    at: Annotated[int, typer.Option(min=1, metavar="POS", help="Number of the last shared event.")],
    edit: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What that message says instead.")
    ] = None,
    new_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Names the new run.")
    ] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Make a run that shares the steps of another, up to an event."""
    from .. import runs as about

    raise typer.Exit(
        about.fork(run_id, at=at, edit=edit, new_id=new_id, database=database, debug=debug)
    )


@recorded.command(epilog=EXIT_CODES)
def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="A run.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Tell where two runs begin to differ."""
    from .. import runs as about

    raise typer.Exit(about.diff(left, right, database=database, debug=debug))


@recorded.command(epilog=EXIT_CODES)
def replay(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="Its id, or that of a program's runs.")
    ],
    program: Annotated[
        str | None,
        typer.Argument(metavar="[PROGRAM.py]", help="The program; else the one that is recorded."),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="Arguments of the program.")
    ] = None,
    teams_in: TeamsIn = ".",
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Run a team or a program again against the record of a run; calls nothing."""
    from ..replaying import replay

    raise typer.Exit(
        replay(run_id, program, arguments or (), teams_in=teams_in, database=database, debug=debug)
    )


@recorded.command(epilog=EXIT_CODES)
def verify(run_id: RunId, database: Database = None, debug: Debug = False) -> None:
    """Tell whether the events of a run are as they were written."""
    from .. import runs as about

    raise typer.Exit(about.verify(run_id, database=database, debug=debug))


@recorded.command(epilog=EXIT_CODES)
def prune(
    older_than: Annotated[str, typer.Option(metavar="PERIOD", help="Such as 30d, 12h, 90m.")],
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Delete runs that ended long ago."""
    from .. import runs as about

    raise typer.Exit(about.prune(older_than, is_sure=yes, database=database, debug=debug))
