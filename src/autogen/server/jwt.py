"""`Tokens`: callers who show a JWT that an identity provider signed (OpenID Connect)."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import jwt

from ..errors import UsageError
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
        except (jwt.PyJWTError, RecursionError, ValueError):
            return None
        name = str(claims["sub"])
        if not name or any(ord(letter) < 32 for letter in name):
            return None
        caller = Caller(id=f"jwt:{name}", name=name, scopes=self._scopes(claims))
        return caller, float(claims["exp"])

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        given = claims.get(self._scope_claim, "")
        names = given.split() if isinstance(given, str) else given
        if not isinstance(names, list):
            return frozenset()
        return frozenset(SCOPES) & frozenset(name for name in names if isinstance(name, str))


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
