"""`autogen serve`: the HTTP server, with a worker in it."""

from __future__ import annotations

from ..errors import UsageError
from .outcome import ExitCode, exit_with_words, say

__all__ = ["serve_teams"]


def serve_teams(
    *,
    teams_in: str,
    database: str | None,
    host: str,
    port: int,
    is_worker: bool,
    debug: bool,
) -> int:
    """Serve until Ctrl-C or SIGTERM; the address and the token are printed once."""
    with exit_with_words(debug=debug):
        try:
            from ..server.service import Service
        except ModuleNotFoundError as error:
            raise UsageError(
                'autogen serve needs the extras "server" and "durable": '
                'pip install -e ".[server,durable]" in a clone of autogen-next.'
            ) from error
        service = Service(database, teams_in=teams_in, host=host, port=port, is_worker=is_worker)
        service.run(
            when_ready=lambda: say(
                f"serving on {service.url}",
                f"token: {service.token}",
                "Ctrl-C ends it; runs under way go on when it is started again.",
            )
        )
    return int(ExitCode.DONE)
