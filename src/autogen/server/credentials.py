"""`Credentials`: finds out who shows a token, a key, a JWT, or the cookie one was exchanged for.

Nothing of them is kept as it is: tokens and cookies as digests in memory, keys as digests in the
database, JWTs not at all.
"""

from __future__ import annotations

import hmac
import math
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from starlette.concurrency import run_in_threadpool

from ..store.base import KeyRecord
from ..store.keys import PREFIX, digest_of
from .callers import ADMIN, Caller
from .problems import Problem

__all__ = ["Bearers", "Credentials", "KeyFinder"]

#: A key that was found is taken to hold for so long before it is looked for again.
_FRESH_S = 1.5

#: So many cookies hold at once, and so many keys are remembered; the oldest goes first.
_MOST = 1000

_MINUTE_S = 60.0

#: The requests of so many callers are counted at once; whoever came first is forgotten first.
_MOST_COUNTED = 100_000


class KeyFinder(Protocol):
    """Where keys are looked for: `store.keys.Keys`."""

    def find(self, digest: str) -> KeyRecord | None:
        """What is kept of the key with this digest, if it holds."""


class Bearers(Protocol):
    """Who checks JWTs: `jwt.Tokens`."""

    def caller_of(self, token: str) -> tuple[Caller, float] | None:
        """Who shows it, and until when it holds, in seconds since the epoch; None for no more."""


class _Found(NamedTuple):
    caller: Caller | None
    at_s: float


class _Session(NamedTuple):
    """What a cookie stands for: a caller until some time, or whoever has a key."""

    caller: Caller | None
    until: float
    digest: str


class Credentials:
    """Who may ask a server.

    Args:
        token: What callers on this machine show; None for none.
        keys: Where keys are looked for; None for nowhere.
        bearers: Who checks JWTs; None for nobody.
        open_budget: Sees to it that the budget of a caller with a JWT is there, and says whether it
            is; called once for each.
    """

    def __init__(
        self,
        token: str | None,
        *,
        keys: KeyFinder | None = None,
        bearers: Bearers | None = None,
        open_budget: Callable[[str, float | None], bool] | None = None,
    ):
        self._token = None if token is None else digest_of(token)
        self._keys = keys
        self._bearers = bearers
        self._open_budget = open_budget
        self._opened: OrderedDict[str, None] = OrderedDict()
        self._local = Caller(id=None, name="this machine", scopes=frozenset({ADMIN}))
        self._found: OrderedDict[str, _Found] = OrderedDict()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._times: OrderedDict[tuple[str | None, str], deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    async def caller_of(self, shown: str) -> Caller | None:
        """Who shows `shown`; None where it does not hold.

        Raises:
            JournalError: The database of the keys cannot be read.
            Problem: 403; a JWT names a budget that there is none of.
        """
        session = await self._of(shown)
        return None if session is None else session.caller

    async def _of(self, shown: str) -> _Session | None:
        digest = digest_of(shown)
        # As long whatever was shown.
        if self._token is not None and hmac.compare_digest(digest, self._token):
            return _Session(self._local, math.inf, digest)
        if self._keys is not None and shown.startswith(PREFIX):
            caller = await self._of_key(digest)
            return None if caller is None else _Session(caller, 0.0, digest)
        if self._bearers is not None and shown.count(".") == 2:
            found = await run_in_threadpool(self._bearers.caller_of, shown)
            if found is None:
                return None
            await self._see_to_budget(found[0])
            return _Session(*found, digest)
        return None

    async def _see_to_budget(self, caller: Caller) -> None:
        """Have the budget of a caller be there: a name that nobody set limits for limits nothing.

        Raises:
            Problem: 403; it is not.
        """
        name = caller.budget
        if name is None or self._open_budget is None or name in self._opened:
            return
        if not await run_in_threadpool(self._open_budget, name, caller.budget_usd):
            raise Problem(
                403,
                f"the JWT names the budget {name!a}, which is not there; make it with "
                "PUT /api/v1/budgets/NAME.",
            )
        with self._lock:
            self._opened[name] = None
            if len(self._opened) > _MOST:
                self._opened.popitem(last=False)

    async def _of_key(self, digest: str) -> Caller | None:
        assert self._keys is not None
        found = self._found.get(digest)
        if found is None or time.monotonic() - found.at_s > _FRESH_S:
            record = await run_in_threadpool(self._keys.find, digest)
            found = _Found(None if record is None else _caller(record), time.monotonic())
            with self._lock:
                self._found[digest] = found
                if len(self._found) > _MOST:
                    self._found.popitem(last=False)
        return found.caller

    # -- cookies

    async def new_session(self, shown: str) -> str | None:
        """The value of a cookie that stands for what was shown; None where that does not hold."""
        session = await self._of(shown)
        if session is None:
            return None
        value = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[digest_of(value)] = session
            if len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        return value

    async def caller_of_session(self, value: str) -> Caller | None:
        """Who has the cookie; None where it, or the key that it stands for, holds no longer."""
        session = self._sessions.get(digest_of(value))
        if session is None:
            return None
        if session.until > time.time():
            return session.caller
        return await self._of_key(session.digest) if self._keys is not None else None

    # -- how often

    def count(self, caller: Caller) -> None:
        """Note a request of a caller.

        Raises:
            Problem: 429; it has made too many.
        """
        if caller.per_minute is None:
            return
        now = time.monotonic()
        with self._lock:
            times = self._times.setdefault((caller.id, caller.name), deque())
            if len(self._times) > _MOST_COUNTED:
                self._times.popitem(last=False)
            while times and now - times[0] >= _MINUTE_S:
                times.popleft()
            if len(times) >= caller.per_minute:
                wait_s = int(_MINUTE_S - (now - times[0])) + 1
                raise Problem(
                    429,
                    f"{caller.name!a} may make {caller.per_minute} requests a minute; wait "
                    f"{wait_s} s.",
                    headers={"Retry-After": str(wait_s)},
                )
            times.append(now)


def _caller(record: KeyRecord) -> Caller:
    return Caller(
        id=record.owner,
        name=record.name,
        scopes=record.scopes,
        budget=record.budget,
        per_minute=record.per_minute,
    )
