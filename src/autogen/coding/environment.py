"""The environment variables that code on the host may see."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

__all__ = ["looks_secret", "without_secrets"]

SECRET_NAMES = re.compile(
    r"(^|_)(API_?)?KEYS?(_ID|_PATH|_FILE|_BASE64)?$"
    r"|(^|_)(TOKEN|PAT|JWT|COOKIE)S?(_|$)"
    r"|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE_KEY|APIKEY|ACCESS_KEY"
    r"|^(AWS|AZURE|GOOGLE|GCP|GCLOUD|GOOGLE_CLOUD|ALIBABA|DIGITALOCEAN)_"
    r"|^(OAI_CONFIG_LIST|SSH_AUTH_SOCK|GPG_AGENT_INFO|KUBECONFIG|DOCKER_CONFIG|NETRC|PGPASSFILE)$"
    r"|(^|_)(DSN|DATABASE_URL|CONNECTION_STRING)$",
    re.IGNORECASE,
)
#: An address with a password in it, whatever the variable is called.
SECRET_VALUES = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable probably holds a key, a password or a way to one."""
    return bool(SECRET_NAMES.search(name) or SECRET_VALUES.search(value))


def without_secrets(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """`environment` (this program's, if None) less what looks like a secret."""
    source = os.environ if environment is None else environment
    return {name: value for name, value in source.items() if not looks_secret(name, value)}
