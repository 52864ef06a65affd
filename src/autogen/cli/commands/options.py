"""Options that several commands have, and what every help ends with."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "EXIT_CODES",
    "BaseUrl",
    "BudgetUsd",
    "Database",
    "Debug",
    "Json",
    "Model",
    "RunId",
    "TeamsIn",
    "WorkDir",
    "not_blank",
]

EXIT_CODES = (
    "Exit codes: 0 done, 1 error, 2 usage, 3 no wall, 4 a limit was reached, 5 loop, 6 timeout, "
    "130 Ctrl-C."
)


def not_blank(value: str | None) -> str | None:
    """The value of an option, which must not be empty."""
    # `--model "$MODEL"` without that variable must not quietly choose another model.
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty; leave the option out, or give it a value.")
    return value


Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Model to use. Keys come from the environment, .env or OAI_CONFIG_LIST.",
        callback=not_blank,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Address of an OpenAI-compatible server with the model.",
        callback=not_blank,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Events as JSON lines on stdout, all else on stderr."),
]
Debug = Annotated[bool, typer.Option("--debug", metavar="", help="Show the traceback of an error.")]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="sqlite:///PATH or postgresql://... (AUTOGEN_DATABASE_URL, .autogen/runs.db).",
        callback=not_blank,
    ),
]
BudgetUsd = Annotated[
    float | None, typer.Option(metavar="DOLLARS", help="Most US dollars for the whole run.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id; `autogen runs` lists them.")]
TeamsIn = Annotated[
    str, typer.Option("--teams", metavar="DIR", help="Folder with Python and team files.")
]
WorkDir = Annotated[str, typer.Option(metavar="DIR", help="Where code runs and leaves files.")]
