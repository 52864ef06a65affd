"""`autogen serve`: the HTTP server, with a worker in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .outcome import ExitCode, exit_with_words, say

if TYPE_CHECKING:
    from ..server.jwt import Tokens
    from ..server.service import Service

__all__ = ["serve_teams"]


def serve_teams(
    *,
    teams_in: str,
    database: str | None,
    host: str,
    port: int,
    is_worker: bool,
    allowed_hosts: Sequence[str],
    allow_unwalled: bool,
    per_caller: int | None,
    jwks_url: str | None,
    issuer: str | None,
    audience: str | None,
    algorithms: Sequence[str],
    scope_claim: str,
    per_minute: int | None,
    per_minute_claim: str | None,
    budget_usd: float | None,
    budget_claim: str | None,
    debug: bool,
) -> int:
    """Serve until Ctrl-C or SIGTERM; the address and the token are printed once."""
    with exit_with_words(debug=debug):
        try:
            from ..server.crowd import make_room
            from ..server.service import Service
        except ModuleNotFoundError as error:
            raise UsageError(
                'autogen serve needs the extras "server" and "durable": '
                'pip install -e ".[server,durable]" in a clone of autogen-next.'
            ) from error
        make_room()
        service = Service(
            database,
            teams_in=teams_in,
            host=host,
            port=port,
            is_worker=is_worker,
            allowed_hosts=allowed_hosts,
            allow_unwalled=allow_unwalled,
            per_caller=per_caller,
            jwt=_tokens(
                jwks_url,
                issuer,
                audience,
                algorithms=algorithms,
                scope_claim=scope_claim,
                per_minute=per_minute,
                per_minute_claim=per_minute_claim,
                budget_usd=budget_usd,
                budget_claim=budget_claim,
            ),
        )
        service.run(when_ready=lambda: _tell(service))
    return int(ExitCode.DONE)


def _tell(service: Service) -> None:
    say(
        f"serving on {service.url}",
        "who asks needs a key: autogen keys add NAME --scope SCOPE"
        if service.token is None
        else f"token: {service.token}",
        "Ctrl-C ends it; runs under way go on when it is started again.",
    )


def _tokens(
    jwks_url: str | None,
    issuer: str | None,
    audience: str | None,
    *,
    algorithms: Sequence[str],
    **more: Any,
) -> Tokens | None:
    if jwks_url is None and issuer is None and audience is None:
        limits = [name for name, value in more.items() if value is not None]
        if limits != ["scope_claim"]:
            raise UsageError(
                "the options --jwt-... limit callers with JWTs; say who makes those with "
                "--jwks-url, --issuer and --audience."
            )
        return None
    if jwks_url is None or issuer is None or audience is None:
        raise UsageError(
            "--jwks-url, --issuer and --audience belong together: whose JWTs are taken, and which "
            "of theirs are meant for this server."
        )
    from ..server.jwt import ALGORITHMS, Tokens

    return Tokens(
        jwks_url,
        issuer=issuer,
        audience=audience,
        algorithms=algorithms or ALGORITHMS,
        **more,
    )
