"""Commands that talk and run: demo, run, chat, doctor."""

from __future__ import annotations

import math
import os
import sys
from typing import Annotated

import typer

from .options import (
    EXIT_CODES,
    BaseUrl,
    BudgetUsd,
    Database,
    Debug,
    Json,
    Model,
    WorkDir,
    not_blank,
)

__all__ = ["talking"]

talking = typer.Typer()


@talking.command(epilog=EXIT_CODES)
def demo(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A real model instead of the script.", callback=not_blank
        ),
    ] = None,
    base_url: BaseUrl = None,
    work_dir: Annotated[
        str, typer.Option(metavar="DIR", help="Where the chart goes.")
    ] = "autogen-demo",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Two agents write, run and repair a program that draws a chart. Costs nothing."""
    from ..demo import show_demo

    raise typer.Exit(
        show_demo(model=model, base_url=base_url, work_dir=work_dir, as_json=as_json, debug=debug)
    )


@talking.command(
    epilog=EXIT_CODES,
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": True},
)
def run(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK|PROGRAM.py|TEAM",
            help='What is to be done, in quotes ("-" reads stdin); a program to run; or a team: '
            "a name with --teams, or a file *.team.yaml.",
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ARGS", help="Arguments of the program, or what is said to the team."
        ),
    ] = None,
    teams_in: Annotated[
        str | None,
        typer.Option("--teams", metavar="DIR", help="Folder with the team, and TEAM is its name."),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Names the run; with the same one it goes on."),
    ] = None,
    database: Database = None,
    model: Model = None,
    base_url: BaseUrl = None,
    work_dir: WorkDir = "coding",
    max_turns: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most answers of the model.")
    ] = None,
    budget_usd: BudgetUsd = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Most time for the whole run.")
    ] = None,
    is_shown: Annotated[
        bool, typer.Option("--studio", metavar="", help="Show the program's chats in a browser.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Have two agents, a program or a team work until they are done.

    With the extra `durable` it survives its death: run again with the same --id, it goes on.
    """
    if timeout is not None and not timeout > 0:
        raise typer.BadParameter("it must be a positive number of seconds.", param_hint="--timeout")
    if budget_usd is not None and not 0 <= budget_usd < math.inf:
        raise typer.BadParameter("it must be a number of dollars.", param_hint="--budget-usd")
    if teams_in is not None or task.endswith(".team.yaml"):
        for value, name in ((model, "--model"), (base_url, "--base-url"), (is_shown, "--studio")):
            if value:
                raise typer.BadParameter("a team brings its own.", param_hint=name)
        if len(arguments or ()) > 1:
            raise typer.BadParameter("a message is one text; put it in quotes.", param_hint="ARGS")
        from ..team import run_team

        raise typer.Exit(
            run_team(
                task,
                arguments[0] if arguments else None,
                teams_in=teams_in,
                run_id=run_id,
                database=database,
                max_turns=max_turns,
                budget_usd=budget_usd,
                timeout_s=timeout,
                as_json=as_json,
                debug=debug,
            )
        )
    if task.endswith(".py") and not os.path.isfile(task) and len(task.split()) == 1:
        raise typer.BadParameter(f"there is no program {task!r}.", param_hint="PROGRAM.py")
    if task.endswith(".py") and os.path.isfile(task):
        from ..program import run_program

        raise typer.Exit(
            run_program(
                task,
                arguments or (),
                run_id=run_id,
                database=database,
                budget_usd=budget_usd,
                timeout_s=timeout,
                is_shown=is_shown,
                debug=debug,
            )
        )
    if is_shown:
        raise typer.BadParameter(
            "only programs are shown: autogen run PROGRAM.py --studio.", param_hint="--studio"
        )
    if arguments:
        raise typer.BadParameter("a task is one text; put it in quotes.", param_hint="TASK")
    from ..run import run_task

    raise typer.Exit(
        run_task(
            sys.stdin.read() if task == "-" else task,
            model=model,
            base_url=base_url,
            work_dir=work_dir,
            run_id=run_id,
            database=database,
            max_turns=max_turns,
            budget_usd=budget_usd,
            timeout_s=timeout,
            as_json=as_json,
            debug=debug,
        )
    )


@talking.command(epilog=EXIT_CODES)
def chat(
    model: Model = None,
    base_url: BaseUrl = None,
    work_dir: WorkDir = "coding",
    debug: Debug = False,
) -> None:
    """Talk with an assistant; its code runs when you say so."""
    from ..chat import talk

    raise typer.Exit(talk(model=model, base_url=base_url, work_dir=work_dir, debug=debug))


@talking.command(epilog=EXIT_CODES)
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="As one JSON document.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Tell which walls, keys and databases work here, and why not."""
    from ..doctor import report

    raise typer.Exit(report(as_json=as_json, debug=debug))
