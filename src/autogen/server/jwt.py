"""`Tokens`: callers who show a JWT that an identity provider signed (OpenID Connect)."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import jwt

from ..errors import UsageError
from .budgets import OF_JWTS
from .callers import SCOPES, Caller
from .guard import LOOPBACK_NAMES

__all__ = ["ALGORITHMS", "Tokens"]

logger = logging.getLogger("autogen")

#: Signatures with a key pair. With a shared secret (HS256) whoever reads the provider's public
#: keys could sign; without a signature (none) anybody could.
ALGORITHMS = (
    *("EdDSA", "ES256", "ES384", "ES512"),
    *("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
)

#: The longest name of a budget.
_MOST_NAME = 100

#: How far clocks may be apart.
_LEEWAY_S = 30

_TIMEOUT_S = 5

#: How long keys of the issuer are taken to hold: one that it withdraws holds so long at most.
_KEYS_S = 300

#: An issuer that could not be reached is left alone for so long.
_PAUSE_S = 10.0


class Tokens:
    """Checks JWTs by the public keys of their issuer.

    Args:
        jwks_url: Where the keys are; https, but on this machine.
        issuer: What `iss` has to be.
        audience: What `aud` has to be or hold.
        algorithms: The signatures that count, of `ALGORITHMS`.
        scope_claim: The claim with the scopes, as a list or separated by spaces.
        per_minute: How many requests each caller may make in a minute; None for any number.
        per_minute_claim: The claim that says so for its caller; `per_minute` where it is missing.
        budget_usd: What all runs of a caller may cost together, each caller's own; None for any
            amount.
        budget_claim: The claim that names the budget which all runs of its caller draw from, in
            place of one of its own.

    Raises:
        UsageError: The address is not of a kind that can be trusted, or an algorithm is not.
    """

    def __init__(
        self,
        jwks_url: str,
        *,
        issuer: str,
        audience: str,
        algorithms: Collection[str] = ALGORITHMS,
        scope_claim: str = "scope",
        per_minute: int | None = None,
        per_minute_claim: str | None = None,
        budget_usd: float | None = None,
        budget_claim: str | None = None,
    ):
        parts = urlsplit(jwks_url)
        is_local = parts.scheme == "http" and parts.hostname in LOOPBACK_NAMES
        if parts.scheme != "https" and not is_local:
            raise UsageError(
                f"the keys of JWTs would come from {jwks_url!r}, which anybody on the way could "
                "replace; give an https address."
            )
        for algorithm in algorithms:
            if algorithm not in ALGORITHMS:
                raise UsageError(
                    f"the algorithm {algorithm!r} lets others than the issuer sign; use some of: "
                    f"{', '.join(ALGORITHMS)}."
                )
        self._keys = _Keys(jwks_url)
        self._algorithms = frozenset(algorithms)
        self._issuer = issuer
        self._audience = audience
        self._scope_claim = scope_claim
        self._per_minute = per_minute
        self._per_minute_claim = per_minute_claim
        self._budget_usd = budget_usd
        self._budget_claim = budget_claim

    def caller_of(self, token: str) -> tuple[Caller, float] | None:
        """Who shows it, and until when it holds, in seconds since the epoch; None for no more.

        Asks the issuer for its keys where they are not known, and blocks for that.
        """
        try:
            # Before the issuer is asked: a token with another algorithm is not worth it.
            algorithm = jwt.get_unverified_header(token).get("alg")
            if algorithm not in self._algorithms:
                return None
            key = self._keys.get_signing_key_from_jwt(token)
            if key.algorithm_name not in self._algorithms:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            caller = self._caller(claims)
        except (jwt.PyJWTError, RecursionError, ValueError):
            return None
        return caller, float(claims["exp"])

    def _caller(self, claims: dict[str, Any]) -> Caller:
        """Who the claims are about.

        Raises:
            ValueError: One of them cannot be used. A limit that is not understood is none to pass.
        """
        name = _plain(str(claims["sub"]), most=1000)
        per_minute = self._claimed(claims, self._per_minute_claim)
        if per_minute is None:
            per_minute = self._per_minute
        elif type(per_minute) is not int or per_minute < 1:
            raise ValueError("no number of requests")
        budget, budget_usd = self._claimed(claims, self._budget_claim), None
        if budget is not None:
            budget = _plain(budget, most=_MOST_NAME)
        elif self._budget_usd is not None:
            budget, budget_usd = _own_budget(name), self._budget_usd
        return Caller(
            id=f"jwt:{name}",
            name=name,
            scopes=self._scopes(claims),
            budget=budget,
            budget_usd=budget_usd,
            per_minute=per_minute,
        )

    @staticmethod
    def _claimed(claims: dict[str, Any], claim: str | None) -> Any:
        return None if claim is None else claims.get(claim)

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        given = claims.get(self._scope_claim, "")
        names = given.split() if isinstance(given, str) else given
        if not isinstance(names, list):
            return frozenset()
        return frozenset(SCOPES) & frozenset(name for name in names if isinstance(name, str))


def _plain(text: Any, *, most: int) -> str:
    """A name, if it is one."""
    if not isinstance(text, str) or not 0 < len(text) <= most:
        raise ValueError("no name")
    if any(ord(letter) < 32 for letter in text):
        raise ValueError("control characters")
    text.encode()
    return text


def _own_budget(name: str) -> str:
    """The name of the budget of a caller; names of budgets are limited, those of callers less."""
    own = f"{OF_JWTS}{name}"
    return own if len(own) <= _MOST_NAME else OF_JWTS + hashlib.sha256(name.encode()).hexdigest()


class _Keys(jwt.PyJWKClient):
    """The keys of an issuer; callers do not wait for one that could not be reached just now."""

    def __init__(self, url: str):
        # Not the cache of single keys, in which one that was withdrawn would hold for ever.
        super().__init__(url, timeout=_TIMEOUT_S, lifespan=_KEYS_S)
        self._failed_at: float | None = None

    def fetch_data(self) -> Any:
        """Ask the issuer."""
        if self._failed_at is not None and time.monotonic() - self._failed_at < _PAUSE_S:
            raise jwt.PyJWKClientConnectionError("the issuer could not be reached just now.")
        try:
            found = super().fetch_data()
        except (jwt.PyJWTError, OSError, ValueError) as error:
            self._failed_at = time.monotonic()
            logger.warning("The keys of JWTs can't be fetched from %s: %s", self.uri, error)
            raise jwt.PyJWKClientConnectionError("the keys can't be fetched.") from error
        self._failed_at = None
        return found
