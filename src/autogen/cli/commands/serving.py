"""Commands that serve: serve, studio, and keys for whoever may ask."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import EXIT_CODES, Database, Debug, TeamsIn

__all__ = ["serving"]

serving = typer.Typer()


@serving.command(epilog=EXIT_CODES)
def serve(
    teams_in: TeamsIn = ".",
    database: Database = None,
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
    per_caller: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Most requests and streams of each caller at once (half)."
        ),
    ] = None,
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
    from ..serve import serve_teams

    raise typer.Exit(
        serve_teams(
            teams_in=teams_in,
            database=database,
            host=host,
            port=port,
            is_worker=worker,
            allowed_hosts=allowed_host or (),
            allow_unwalled=allow_unwalled,
            per_caller=per_caller,
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


@serving.command(epilog=EXIT_CODES)
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
    from ..studio import open_studio

    raise typer.Exit(
        open_studio(teams_in=teams_in, database=database, port=port, is_opened=browser, debug=debug)
    )


keys = typer.Typer(no_args_is_help=True, help="Who may ask the server: add, list, revoke keys.")
serving.add_typer(keys, name="keys", epilog=EXIT_CODES)


@keys.command("add", epilog=EXIT_CODES)
def add_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="SCOPE",
            help="What it may do, such as runs:read, runs:write, questions:answer, files:write, "
            "or admin for everything; repeatable.",
        ),
    ],
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
    from .. import keys as about

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


@keys.command("list", epilog=EXIT_CODES)
def list_keys(
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="As JSON, a key on each line.")
    ] = False,
    database: Database = None,
    debug: Debug = False,
) -> None:
    """List the keys, revoked ones included."""
    from .. import keys as about

    raise typer.Exit(about.list_keys(as_json=as_json, database=database, debug=debug))


@keys.command("revoke", epilog=EXIT_CODES)
def revoke_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A key.")],
    database: Database = None,
    debug: Debug = False,
) -> None:
    """Have a key hold no longer."""
    from .. import keys as about

    raise typer.Exit(about.revoke_key(name, database=database, debug=debug))
