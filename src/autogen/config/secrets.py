"""Secrets: which names hold them, and how to keep them out of logs, events and errors.

`is_secret_name` is the one rule for environment variables, config keys and HTTP headers alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["MASK", "is_secret_name", "masked", "redact"]

MASK = "***"

_SECRET_NAME = re.compile(
    r"""
      _KEY$ | _KEYS$ | _KEY_(ID|FILE|PATH|BASE64|PEM)$ | ^KEYS?_ | API_?KEY | ACCESS_?KEY
    | TOKEN$ | _TOKEN_(FILE|PATH)$ | SECRET | PASSWORD | PASSWD | PASSPHRASE | CREDENTIAL
    | _(PASS|PWD|PAT|AUTH)$ | ^(PGPASS|MYSQL_PWD) | AUTHORIZATION | (^|_)COOKIES?$
    | _DSN$ | DATABASE_UR[LI]$ | CONNECTION_STRING | ^CONN_STR
    | ^KUBECONFIG$ | ^NETRC$ | ^DOCKER_(AUTH_)?CONFIG$ | ^(SSH|GPG)_A(UTH|GENT)_
    | ^OAI_CONFIG_LIST$ | ^AWS_(PROFILE|CONTAINER_|WEB_IDENTITY_|ROLE_)
    """,
    re.VERBOSE,
)

# Each keeps its group 1 (what stands before the secret) and loses the rest of the match.
_SECRET_TEXT = (
    re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{6,}"),
    re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,200}:)[^\s/@]{1,200}(?=@)"),
    re.compile(
        r"(?i)(\b[\w-]{0,40}(?:api[_-]?key|access[_-]?key|secret|passw(?:or)?d|[_-]token)"
        r"['\"]?\s{0,3}[=:]\s{0,3}['\"]?)[^\s'\",;&)}\]]{4,}"
    ),
    re.compile(r"\b(sk-)[\w-]{8,}"),
    re.compile(
        r"\b((?:gsk|hf|ghp|gho|ghs|github_pat|glpat|xai|xox[abprs]|nvapi|r8|pplx)[_-])[\w-]{12,}"
    ),
    re.compile(r"\b(AKIA|ASIA|AIza)[\w-]{12,}"),
    re.compile(r"\b(eyJ)[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),
)


def is_secret_name(name: str) -> bool:
    """Whether a variable, key or header of this name holds a secret.

    True for `*_KEY`, `*_TOKEN`, `*SECRET*`, `*PASSWORD*`, cloud credentials and what else is known
    to carry one, in any case and with `-` for `_`. Counts of tokens (`max_tokens`) are no secrets.
    """
    return _SECRET_NAME.search(name.upper().replace("-", "_")) is not None


def redact(text: str, secrets: Iterable[str | None] = ()) -> str:
    """`text` with what looks like a key, a password or a bearer token replaced by `***`.

    Args:
        text: Anything on its way to a person or a file.
        secrets: Values known to be secret; replaced wherever they stand.
    """
    for secret in secrets:
        # Shorter ones would blank out ordinary words.
        if secret and len(secret) >= 4:
            text = text.replace(secret, MASK)
    for pattern in _SECRET_TEXT:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def masked(value: Any) -> Any:
    """A copy of nested dicts and lists whose secrets are `***`: by key name, and inside texts."""
    if isinstance(value, Mapping):
        return {
            k: MASK if v and isinstance(k, str) and is_secret_name(k) else masked(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(v) for v in value]
    return redact(value) if isinstance(value, str) else value
