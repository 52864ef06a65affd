"""The commands of `autogen`, their options, and nothing else: each is carried out by a module.

Those modules load when their command runs, so that `autogen --help` stays quick.
"""

from __future__ import annotations

import io
import math
import os
import sys
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from .._version import __version__
from .outcome import ExitCode

__all__ = ["app", "main"]

_EXIT_CODES = (
    "Exit codes: 0 done, 1 error, 2 usage, 3 no wall, 4 a limit was reached, 5 loop, 6 timeout, "
    "130 Ctrl-C."
)

app = typer.Typer(
    name="autogen",
    help="Agents that talk, write code and run it in a sandbox.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Boxes and colours of the help would cost a quarter of a second: rich is loaded for them.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _not_blank(value: str | None) -> str | None:
    # `--model "$MODEL"` without that variable must not quietly choose another model.
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty; leave the option out, or give it a value.")
    return value


Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Model to use. Keys come from the environment, .env or OAI_CONFIG_LIST.",
        callback=_not_blank,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Address of an OpenAI-compatible server with the model.",
        callback=_not_blank,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Events as JSON lines on stdout, all else on stderr."),
]
Debug = Annotated[bool, typer.Option("--debug", metavar="", help="Show the traceback of an error.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"autogen-next {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="The version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Agents that talk, write code and run it in a sandbox."""


@app.command(epilog=_EXIT_CODES)
def demo(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A real model instead of the script.", callback=_not_blank
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
    from .demo import show_demo

    raise typer.Exit(
        show_demo(model=model, base_url=base_url, work_dir=work_dir, as_json=as_json, debug=debug)
    )


Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="sqlite:///PATH or postgresql://... (AUTOGEN_DATABASE_URL, .autogen/runs.db).",
        callback=_not_blank,
    ),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id; `autogen runs` lists them.")]
TeamsIn = Annotated[
    str, typer.Option("--teams", metavar="DIR", help="Folder with Python and team files.")
]


@app.command(
    epilog=_EXIT_CODES,
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
    work_dir: Annotated[
        str, typer.Option(metavar="DIR", help="Where code runs and leaves files.")
    ] = "coding",
    max_turns: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most answers of the model.")
    ] = None,
    budget_usd: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="Most US dollars for the whole run.")
    ] = None,
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
        from .team import run_team

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
        from .program import run_program

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
    from .run import run_task

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


@app.command(epilog=_EXIT_CODES)
def chat(
    model: Model = None,
    base_url: BaseUrl = None,
    work_dir: Annotated[
        str, typer.Option(metavar="DIR", help="Where code runs and leaves files.")
    ] = "coding",
    debug: Debug = False,
) -> None:
    """Talk with an assistant; its code runs when you say so."""
    from .chat import talk

    raise typer.Exit(talk(model=model, base_url=base_url, work_dir=work_dir, debug=debug))


@app.command(epilog=_EXIT_CODES)
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="As one JSON document.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Tell which walls, keys and databases work here, and why not."""
    from .doctor import report

    raise typer.Exit(report(as_json=as_json, debug=debug))


@app.command(epilog=_EXIT_CODES)
def serve(
    teams_in: Annotated[
        str, typer.Option("--teams", metavar="DIR", help="Folder with Python and team files.")
    ] = ".",
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="sqlite:///PATH or postgresql://...")
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Others than loopback need keys or JWTs.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="0 for any that is free.")
    ] = 8000,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether runs are executed here as well.")
    ] = True,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name under which others reach it; repeatable."),
    ] = None,
    allow_unwalled: Annotated[
        bool,
        typer.Option("--allow-unwalled", metavar="", help="Teams may run code without a wall."),
    ] = False,
    jwks_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the issuer of JWTs has its keys.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(metavar="ISS", help="Who makes the JWTs.")] = None,
    audience: Annotated[
        str | None, typer.Option(metavar="AUD", help="Whom they are made for: this server.")
    ] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(metavar="ALG", help="A signature that counts, such as RS256; repeatable."),
    ] = None,
    scope_claim: Annotated[
        str, typer.Option(metavar="NAME", help="The claim of JWTs with the scopes.")
    ] = "scope",
    jwt_per_minute: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Most requests of each JWT caller in a minute."),
    ] = None,
    jwt_per_minute_claim: Annotated[
        str | None, typer.Option(metavar="NAME", help="The claim that says it for its caller.")
    ] = None,
    jwt_budget_usd: Annotated[
        float | None,
        typer.Option(min=0, metavar="DOLLARS", help="A budget for each, named `jwt SUBJECT`."),
    ] = None,
    jwt_budget_claim: Annotated[
        str | None, typer.Option(metavar="NAME", help="The claim that names another budget.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve teams over HTTP; runs survive the server."""
    from .serve import serve_teams

    raise typer.Exit(
        serve_teams(
            teams_in=teams_in,
            database=database,
            host=host,
            port=port,
            is_worker=worker,
            allowed_hosts=allowed_host or (),
            allow_unwalled=allow_unwalled,
            jwks_url=jwks_url,
            issuer=issuer,
            audience=audience,
            algorithms=algorithm or (),
            scope_claim=scope_claim,
            per_minute=jwt_per_minute,
            per_minute_claim=jwt_per_minute_claim,
            budget_usd=jwt_budget_usd,
            budget_claim=jwt_budget_claim,
            debug=debug,
        )
    )


keys = typer.Typer(no_args_is_help=True, help="Who may ask the server: add, list, revoke keys.")
app.add_typer(keys, name="keys", epilog=_EXIT_CODES)


@keys.command("add", epilog=_EXIT_CODES)
def add_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    scope: Annotated[list[str], typer.Option(metavar="SCOPE", help="What it may do; repeatable.")],
    owner: Annotated[
        str | None, typer.Option(metavar="OWNER", help="Whose runs are its; its own name.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most requests in a minute.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="NAME", help="A budget that all its runs draw from.")
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(min=0, metavar="DOLLARS", help="A budget of its own, named `key NAME`."),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=3660, metavar="N", help="How long it holds.")
    ] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Make a key and print it, once."""
    from . import keys as about

    raise typer.Exit(
        about.add_key(
            name,
            scopes=scope,
            owner=owner,
            per_minute=per_minute,
            budget=budget,
            budget_usd=budget_usd,
            days=days,
            database=database,
            debug=debug,
        )
    )


@keys.command("list", epilog=_EXIT_CODES)
def list_keys(
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="As JSON, a key on each line.")
    ] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """List the keys, revoked ones included."""
    from . import keys as about

    raise typer.Exit(about.list_keys(as_json=as_json, database=database, debug=debug))


@keys.command("revoke", epilog=_EXIT_CODES)
def revoke_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A key.")],
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Have a key hold no longer."""
    from . import keys as about

    raise typer.Exit(about.revoke_key(name, database=database, debug=debug))


@app.command(epilog=_EXIT_CODES)
def studio(
    teams_in: Annotated[
        str | None,
        typer.Option(
            "--teams", metavar="DIR", help="Folder with Python and team files (teams/, examples)."
        ),
    ] = None,
    database: Database = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="PORT", help="8000, or one that is free."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether a browser is opened.")
    ] = True,
    debug: Debug = False,
) -> None:
    """Look at runs in a browser: follow, answer, fork, begin them."""
    from .studio import open_studio

    raise typer.Exit(
        open_studio(teams_in=teams_in, database=database, port=port, is_opened=browser, debug=debug)
    )


@app.command(epilog=_EXIT_CODES)
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
    from .work import work

    raise typer.Exit(
        work(
            teams_in=teams_in,
            concurrency=concurrency,
            lease_s=lease,
            database=database,
            debug=debug,
        )
    )


@app.command(epilog=_EXIT_CODES)
def submit(
    team: Annotated[str, typer.Argument(metavar="TEAM", help="A team that the workers know.")],
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="What is said first.")
    ] = None,
    run_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Names the run.")] = None,
    budget_usd: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="Most US dollars for the whole run.")
    ] = None,
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
    from . import runs as about

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


@app.command(epilog=_EXIT_CODES)
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
    from .runs import list_runs

    raise typer.Exit(
        list_runs(
            status=status, team=team, limit=limit, as_json=as_json, database=database, debug=debug
        )
    )


@app.command(epilog=_EXIT_CODES)
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
    from . import runs as about

    raise typer.Exit(
        about.show(run_id, is_followed=follow, as_json=as_json, database=database, debug=debug)
    )


@app.command(epilog=_EXIT_CODES)
def cancel(run_id: RunId, database: Database = None, debug: Debug = False) -> None:
    """Have a run stop, wherever it is executed."""
    from . import runs as about

    raise typer.Exit(about.cancel(run_id, database=database, debug=debug))


@app.command(epilog=_EXIT_CODES)
def pause(run_id: RunId, database: Database = None, debug: Debug = False) -> None:
    """Have a run stop for a while; resume lets it go on."""
    from . import runs as about

    raise typer.Exit(about.pause(run_id, database=database, debug=debug))


@app.command(epilog=_EXIT_CODES)
def resume(
    run_id: RunId,
    budget_usd: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="A new limit for the whole run.")
    ] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Have workers go on with a run that was stopped, or failed."""
    from . import runs as about

    raise typer.Exit(about.resume(run_id, budget_usd=budget_usd, database=database, debug=debug))


@app.command(epilog=_EXIT_CODES)
def answer(
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="Its id; none lists the open ones.")
    ] = None,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The answer.")] = None,
    approve: Annotated[
        bool, typer.Option("--approve", metavar="", help="Let the agent do what it wants to do.")
    ] = False,
    deny: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do not let it, and say why.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", metavar="", help="End the chat.")] = False,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers.")] = None,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Answer what an agent asks, or list what is asked."""
    from . import runs as about

    raise typer.Exit(
        about.answer(
            question,
            text,
            is_approved=approve,
            denial=deny,
            is_stopped=stop,
            by=by,
            database=database,
            debug=debug,
        )
    )


@app.command(epilog=_EXIT_CODES)
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
    from .replaying import replay

    raise typer.Exit(
        replay(run_id, program, arguments or (), teams_in=teams_in, database=database, debug=debug)
    )


@app.command(epilog=_EXIT_CODES)
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
    from . import runs as about

    raise typer.Exit(
        about.fork(run_id, at=at, edit=edit, new_id=new_id, database=database, debug=debug)
    )


@app.command(epilog=_EXIT_CODES)
def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="A run.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Tell where two runs begin to differ."""
    from . import runs as about

    raise typer.Exit(about.diff(left, right, database=database, debug=debug))


@app.command(epilog=_EXIT_CODES)
def verify(run_id: RunId, database: Database = None, debug: Debug = False) -> None:
    """Tell whether the events of a run are as they were written."""
    from . import runs as about

    raise typer.Exit(about.verify(run_id, database=database, debug=debug))


@app.command(epilog=_EXIT_CODES)
def prune(
    older_than: Annotated[str, typer.Option(metavar="PERIOD", help="Such as 30d, 12h, 90m.")],
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Delete runs that ended long ago."""
    from . import runs as about

    raise typer.Exit(about.prune(older_than, is_sure=yes, database=database, debug=debug))


class Schema(StrEnum):
    """What `autogen schema` describes."""

    TEAM = "team"
    EVENT = "event"


@app.command(epilog=_EXIT_CODES)
def schema(
    what: Annotated[
        Schema, typer.Argument(metavar="team|event", help="Team files, or lines of --json.")
    ],
) -> None:
    """Print the JSON Schema of team files, or of events."""
    from .schema import print_schema

    raise typer.Exit(print_schema(what.value))


class Project(StrEnum):
    """What `autogen new` makes."""

    BLUEPRINT = "blueprint"


@app.command(epilog=_EXIT_CODES)
def new(
    what: Annotated[Project, typer.Argument(metavar="blueprint", help="A production project.")],
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Made; must not have files yet.")],
    debug: Debug = False,
) -> None:
    """Write a project to begin from: agents, their API, deployment."""
    from .new import new_blueprint

    raise typer.Exit(new_blueprint(folder, debug=debug))


def _make_streams_safe() -> None:
    """Give the process streams it can write any text to."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started us (`autogen ... >&-`).
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character is no reason to lose a conversation.
            stream.reconfigure(errors="backslashreplace")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; ends the program with an exit code.

    A reader that goes away (`| head`) ends it quietly.

    Args:
        arguments: Without the name of the program; None takes those of the process.
    """
    _make_streams_safe()
    code = 0
    try:
        app(args=arguments, prog_name="autogen")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        code = int(ExitCode.ERROR)
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes once more when it ends, and would complain about the reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
