"""`autogen studio`: the server, and its page in the browser."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..runtime.folder import find_teams
from ..runtime.teams import teams
from .outcome import ExitCode, exit_with_words, say

if TYPE_CHECKING:
    from ..server.service import Service

__all__ = ["address_of", "open_studio", "shown_beside"]

#: Where it is looked for first, so that a bookmark of it holds.
PORT = 8000

#: Where teams are looked for that nobody named.
TEAMS = "teams"


def open_studio(
    *, teams_in: str | None, database: str | None, port: int | None, is_opened: bool, debug: bool
) -> int:
    """Serve the studio until Ctrl-C or SIGTERM, and open it in the browser."""
    with exit_with_words(debug=debug):
        service = _service(database, teams_in=teams_in, port=port, is_worker=True)
        service.run(when_ready=lambda: _show(service, is_opened=is_opened, until="Ctrl-C"))
    return int(ExitCode.DONE)


@contextmanager
def shown_beside(database: str | None, *, is_opened: bool = True) -> Iterator[None]:
    """Inside the `with` block the studio shows the runs of `database`, and begins none itself."""
    service = _service(database, teams_in=None, port=None, is_worker=False)
    ready = threading.Event()

    def show() -> None:
        _show(service, is_opened=is_opened, until="the program ends")
        ready.set()

    serving = threading.Thread(
        target=lambda: service.run(when_ready=show), name="autogen-studio", daemon=True
    )
    serving.start()
    try:
        ready.wait(10)
        yield
    finally:
        service.stop()
        serving.join(10)


def address_of(service: Service) -> str:
    """The address that lets a browser in: it gives the token away for a cookie at once."""
    return f"{service.url}/#token={service.token}"


def _service(
    database: str | None, *, teams_in: str | None, port: int | None, is_worker: bool
) -> Service:
    try:
        from ..server.service import Service
    except ModuleNotFoundError as error:
        raise UsageError(
            'the studio needs the extras "server" and "durable": '
            'pip install -e ".[server,durable]" in a clone of autogen-next.'
        ) from error
    if is_worker:
        _find_teams(teams_in)
    if port is not None:
        return Service(database, port=port, is_worker=is_worker)
    try:
        return Service(database, port=PORT, is_worker=is_worker)
    except UsageError:
        # Somebody else has the port; whatever else is wrong is said by the second try.
        return Service(database, port=0, is_worker=is_worker)


def _find_teams(teams_in: str | None) -> None:
    if teams_in is not None:
        find_teams(teams_in)
    elif Path(TEAMS).is_dir():
        find_teams(TEAMS)
    if not teams():
        from .demo_teams import add_demo_teams

        add_demo_teams()
        where = teams_in or f"{TEAMS}/"
        say(f"there are no teams in {where}, so the studio has those of the demo.")


def _show(service: Service, *, is_opened: bool, until: str) -> None:
    address = address_of(service)
    is_open = is_opened and _has_screen() and webbrowser.open(address)
    say(
        f"the studio is at {address} until {until}"
        if is_open
        else f"open {address} in a browser; the studio is there until {until}"
    )


def _has_screen() -> bool:
    """Whether a browser would have a window: one for terminals would take this one over."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
