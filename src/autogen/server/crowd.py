"""`Crowd`: who is connected, and who has to go where there is no room for more.

Descriptors are limited. A connection that asks nothing makes room for one that comes: the one that
has waited longest first, as a server in front of others would do. Only where everybody is being
answered is somebody turned away, with words (503).
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Crowd", "Guest", "make_room", "room"]

#: So many connections are served at once, where descriptors last.
_MOST = 4000

#: So many more are being told that there is no room.
_MOST_REFUSED = 200

#: So many wait to be taken up at most, where descriptors last.
_BACKLOG = 1024

#: Descriptors that suffice for all of this.
_ENOUGH = 8192


class Guest(Protocol):
    """A connection."""

    def go(self) -> None:
        """Close it, at once."""


class Crowd:
    """The connections of a server. Used in the thread of its event loop.

    Args:
        most: So many are served at once.
    """

    def __init__(self, most: int = _MOST):
        self._most = most
        self._served: set[Guest] = set()
        self._refused: dict[Guest, None] = {}
        #: Those that ask nothing, and those in the middle of asking; the longest first.
        self._idle: dict[Guest, None] = {}
        self._asking: dict[Guest, None] = {}

    def come(self, guest: Guest) -> bool:
        """Whether a new connection is served; others may have to go for it."""
        if len(self._served) >= self._most:
            leaving = next(iter(self._idle), None) or next(iter(self._asking), None)
            if leaving is None:
                self._refused[guest] = None
                if len(self._refused) > _MOST_REFUSED:
                    self._send_away(next(iter(self._refused)))
                return False
            self._send_away(leaving)
        self._served.add(guest)
        return True

    def wait(self, guest: Guest, *, is_asking: bool) -> None:
        """Nothing is done for a connection until more of it comes."""
        self.work(guest)
        if guest in self._served:
            (self._asking if is_asking else self._idle)[guest] = None

    def work(self, guest: Guest) -> None:
        """A connection is being answered."""
        self._idle.pop(guest, None)
        self._asking.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """A connection is no more."""
        self.work(guest)
        self._served.discard(guest)
        self._refused.pop(guest, None)

    def _send_away(self, guest: Guest) -> None:
        self.leave(guest)
        guest.go()


def room() -> tuple[int, int]:
    """How many connections this process has descriptors for, and how many more may be waiting."""
    try:
        import resource
    except ModuleNotFoundError:
        # Windows.
        return 500, 100
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _MOST, _BACKLOG
    waiting = min(_BACKLOG, limit // 8)
    # The rest is for the database, and for the runs.
    return max(16, min(_MOST, limit * 3 // 4 - waiting)), waiting


def make_room() -> None:
    """Let this process have as many descriptors as it may; many systems begin with 1024."""
    try:
        import resource
    except ModuleNotFoundError:
        return
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if most == resource.RLIM_INFINITY else min(_ENOUGH, most)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
