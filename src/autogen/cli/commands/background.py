"""Commands that have others work: worker, submit, answer, cancel, pause, resume."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import EXIT_CODES, BudgetUsd, Database, Debug, RunId, TeamsIn

__all__ = ["background"]

background = typer.Typer()


@background.command(epilog=EXIT_CODES)
def worker(
    teams_in: TeamsIn = ".",
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Most chats of each team at once in one worker."),
    ] = None,
    lease: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Silent for so long, it loses its chats to others (10)."
        ),
    ] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Run chats that were submitted, on as many machines as there are."""
    from ..work import work

    raise typer.Exit(
        work(
            teams_in=teams_in,
            concurrency=concurrency,
            lease_s=lease,
            database=database,
            debug=debug,
        )
    )


@background.command(epilog=EXIT_CODES)
def submit(
    team: Annotated[str, typer.Argument(metavar="TEAM", help="A team that the workers know.")],
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="What is said first.")
    ] = None,
    run_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Names the run.")] = None,
    budget_usd: BudgetUsd = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Most time for one execution.")
    ] = None,
    priority: Annotated[
        int, typer.Option(min=0, metavar="N", help="1 is taken up before 2; 0 before all.")
    ] = 0,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Wait for its end and print the summary.")
    ] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Have workers run a chat of a team."""
    from .. import runs as about

    raise typer.Exit(
        about.submit(
            team,
            message,
            run_id=run_id,
            budget_usd=budget_usd,
            timeout_s=timeout,
            priority=priority,
            is_waited_for=wait,
            database=database,
            debug=debug,
        )
    )


@background.command(epilog=EXIT_CODES)
def answer(
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="Its id; none lists the open ones.")
    ] = None,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The answer.")] = None,
    approve: Annotated[
        bool, typer.Option("--approve", metavar="", help="Let the agent do what it wants to do.")
    ] = False,
    edit: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Let it, with this for its code or its arguments."),
    ] = None,
    deny: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do not let it, and say why.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", metavar="", help="End the chat.")] = False,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers.")] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Answer what an agent asks, or list what is asked."""
    from .. import runs as about

    raise typer.Exit(
        about.answer(
            question,
            text,
            is_approved=approve,
            edited=edit,
            denial=deny,
            is_stopped=stop,
            by=by,
            database=database,
            debug=debug,
        )
    )


@background.command(epilog=EXIT_CODES)
def cancel(run_id: RunId, database: Database = None, debug: Debug = False) -> None:
    """Have a run stop, wherever it is executed."""
    from .. import runs as about

    raise typer.Exit(about.cancel(run_id, database=database, debug=debug))


@background.command(epilog=EXIT_CODES)
def pause(run_id: RunId, database: Database = None, debug: Debug = False) -> None:
    """Have a run stop for a while; resume lets it go on."""
    from .. import runs as about

    raise typer.Exit(about.pause(run_id, database=database, debug=debug))


@background.command(epilog=EXIT_CODES)
def resume(
    run_id: RunId,
    budget_usd: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="A new limit for the whole run.")
    ] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Have workers go on with a run that was stopped, or failed."""
    from .. import runs as about

    raise typer.Exit(about.resume(run_id, budget_usd=budget_usd, database=database, debug=debug))
