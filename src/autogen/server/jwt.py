"""`Tokens`: callers who show a JWT that an identity provider signed (OpenID Connect)."""

from __future__ import annotations

import logging
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
ALGORITHMS = ("EdDSA", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384")

#: How far clocks may be apart.
_LEEWAY_S = 30

_TIMEOUT_S = 5


class Tokens:
    """Checks JWTs by the public keys of their issuer.

    Args:
        jwks_url: Where the keys are; https, but on this machine.
        issuer: What `iss` has to be.
        audience: What `aud` has to be or hold.
        scope_claim: The claim with the scopes, as a list or separated by spaces.

    Raises:
        UsageError: The address is not of a kind that can be trusted.
    """

    def __init__(self, jwks_url: str, *, issuer: str, audience: str, scope_claim: str = "scope"):
        parts = urlsplit(jwks_url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK_NAMES:
            raise UsageError(
                f"the keys of JWTs would come from {jwks_url!r}, which anybody on the way could "
                "replace; give an https address."
            )
        self._keys = jwt.PyJWKClient(jwks_url, timeout=_TIMEOUT_S, cache_keys=True)
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
            if algorithm not in ALGORITHMS:
                return None
            claims = jwt.decode(
                token,
                self._keys.get_signing_key_from_jwt(token),
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWKClientConnectionError as error:
            logger.warning("The keys of JWTs can't be fetched: %s", error)
            return None
        except jwt.PyJWTError:
            return None
        name = str(claims["sub"])
        if not name or any(ord(letter) < 32 for letter in name):
            return None
        caller = Caller(id=f"jwt:{name}", name=name, scopes=self._scopes(claims))
        return caller, float(claims["exp"])

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        given = claims.get(self._scope_claim, "")
        names = given.split() if isinstance(given, str) else given
        return frozenset(SCOPES) & frozenset(n for n in names or () if isinstance(n, str))
