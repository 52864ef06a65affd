"""The token that a Jupyter server asks its callers for."""

from __future__ import annotations

import secrets

from ...errors import UsageError

__all__ = ["GENERATE_TOKEN", "GenerateToken", "Token", "checked_token"]


class GenerateToken:
    """Stands for a token that nobody knows before."""


GENERATE_TOKEN = GenerateToken()
Token = str | GenerateToken


def checked_token(token: Token) -> str:
    """The token to use.

    Raises:
        UsageError: It is empty, which would leave the server open to everybody who can reach it.
    """
    if isinstance(token, GenerateToken):
        return secrets.token_hex(32)
    if not token:
        raise UsageError(
            f"token {token!r} is no token; leave it out, and one is made. A server without one "
            "would run the code of everybody who can reach it."
        )
    return token
