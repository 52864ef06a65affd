"""What went wrong at a model service, as the exception that says who must act.

Statuses, codes and the words of error bodies, as OpenAI, Azure and compatible servers use them.
Nothing made here holds a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...config.secrets import is_secret_name, redact
from ...errors import (
    AuthenticationError,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    MalformedAnswer,
    NotFound,
    PermissionDenied,
    ProviderError,
    RateLimited,
    ServerFault,
)
from ..base import Endpoint

__all__ = ["EXCERPT_CHARS", "excerpt", "fault", "host", "inner_fault", "malformed"]

#: The most that an error quotes of what a service said.
EXCERPT_CHARS = 300
_TOO_LONG = re.compile(
    r"(?i)context[_ ]length|context window|maximum context|(prompt|input|request)( is| was)? too "
    r"(long|large)|too many (input )?tokens|exceeds? the (model's )?(max\w*|available) "
    r"(context|input|number of tokens)"
)
_TOO_LONG_CODES = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
)
_FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "responsibleaipolicyviolation"}
)
#: 429 that waiting does not cure.
_NO_MONEY = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "quota_exceeded"}
)
#: Statuses for errors that come inside a response of success, by their code or type.
_MEANT = {
    "authentication_error": 401,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "overloaded_error": 503,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
}
_HALF_HIDDEN = re.compile(r"\S*\*{3,}\S*")


def host(endpoint: Endpoint) -> str:
    """Who answers, for people."""
    return urlsplit(endpoint.base_url).hostname or endpoint.base_url


class _Told(NamedTuple):
    """What an error body says: the provider's words, its code, its type, the inner code."""

    text: str
    code: str | None = None
    type: str | None = None
    inner: str | None = None
    filters: tuple[str, ...] = ()


def fault(
    status: int, headers: Mapping[str, str], body: bytes, endpoint: Endpoint
) -> ProviderError:
    """The exception that an error response amounts to. It holds no key.

    Args:
        status: Any but 2xx.
        headers: Names in any case.
        body: As far as it was read.
        endpoint: Who answered.
    """
    low = {name.lower(): value for name, value in headers.items()}
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    told = _told(data) if isinstance(data, dict | list | str) else _Told(excerpt(body, endpoint))
    if 300 <= status < 400 and (to := urlsplit(low.get("location", "")).hostname):
        told = told._replace(text=f"it redirects to {to}; put the address it means into base_url")
    error = _fault(status, told, endpoint)
    error.retry_after_s = _retry_after_s(low)
    wish = low.get("x-should-retry", "").strip().lower()
    if wish in ("true", "false"):
        error.retryable = wish == "true"
    return error


def inner_fault(error: Any, endpoint: Endpoint) -> ProviderError:
    """The exception for an error object where an answer should be."""
    told = _told({"error": error})
    status = next((_MEANT[w] for w in (told.code, told.type) if w in _MEANT), None)
    if status is None and told.code is not None and re.fullmatch(r"[45]\d\d", told.code):
        status = int(told.code)
    if status is None and _TOO_LONG.search(told.text):
        status = 400
    return _fault(status or 500, told, endpoint, is_inner=True)


def _told(data: Any) -> _Told:
    # Google wraps its errors in a list, others leave the wrapping out.
    if isinstance(data, list):
        data = data[0] if data else {}
    error = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(error, dict):
        return _Told(str(error))
    inner = error.get("innererror") or error.get("inner_error")
    inner = inner if isinstance(inner, dict) else {}
    results = inner.get("content_filter_result") or inner.get("content_filter_results")
    filters = tuple(
        name
        for name, result in (results.items() if isinstance(results, dict) else ())
        if isinstance(result, dict) and result.get("filtered")
    )
    text = next(
        (v for k in ("message", "detail", "msg", "error") if (v := error.get(k))), None
    ) or json.dumps(error, ensure_ascii=False)
    return _Told(
        text if isinstance(text, str) else json.dumps(text, ensure_ascii=False),
        _word(error.get("code")),
        _word(error.get("type")),
        _word(inner.get("code")),
        filters,
    )


def _word(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _fault(
    status: int, told: _Told, endpoint: Endpoint, *, is_inner: bool = False
) -> ProviderError:
    words = {w.lower() for w in (told.code, told.type, told.inner) if w}
    kind, advice = _kind(status, told, words, endpoint)
    said = _hidden(told.text, endpoint).strip()
    if len(said) > EXCERPT_CHARS:
        said = said[: EXCERPT_CHARS - 3] + "..."
    where = "an error inside its answer" if is_inner else str(status)
    code = f", {told.code}" if told.code and told.code != str(status) else ""
    detail = f": {said}" if said else ""
    made = kind(
        f"{host(endpoint)} did not answer for model {endpoint.model!r} ({where}{code}){detail}"
        + (f" {advice}" if said[-1:] in (".", "!", "?") or not advice else f". {advice}"),
        provider=host(endpoint),
        status=200 if is_inner else status,
        code=told.code or told.type,
    )
    if not words.isdisjoint(_NO_MONEY):
        made.retryable = False
    return made


def _kind(
    status: int, told: _Told, words: set[str], endpoint: Endpoint
) -> tuple[type[ProviderError], str]:
    """The class of an error, and what its reader can do."""
    if status == 401:
        return AuthenticationError, (
            "Check 'api_key' in the config entry, or the environment variable it comes from."
        )
    if status in (402, 403, 407):
        return PermissionDenied, "Ask the provider for access, or use another key or model."
    if status == 404:
        what = "deployment" if endpoint.api_type.startswith("azure") else "model"
        return NotFound, (
            f"Check the {what} name {endpoint.model!r} and 'base_url' (most end with /v1)."
            if what == "model"
            else f"Check that a deployment named {endpoint.model!r} exists, and 'api_version'."
        )
    if status == 429:
        if not words.isdisjoint(_NO_MONEY):
            return RateLimited, "Waiting does not help: the account has no quota left."
        return RateLimited, (
            "Try again later, ask less often ('api_rate_limit' of the config entry), or name "
            "further entries to fall back to."
        )
    is_too_long = not words.isdisjoint(_TOO_LONG_CODES)
    if (status in (408, 409) or status >= 500) and not is_too_long:
        return ServerFault, ""
    if not words.isdisjoint(_FILTER_CODES):
        why = f" ({', '.join(told.filters)})" if told.filters else ""
        return ContentFiltered, f"Its content policy refused the messages{why}; change them."
    if is_too_long or _TOO_LONG.search(told.text):
        return ContextTooLong, "Send fewer or shorter messages, or use a model that takes more."
    return BadRequest, ""


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds the service asks us to wait. `headers` has lower-case names."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        try:
            seconds = float(value) * unit_s
        except ValueError:
            continue
        # Neither NaN nor endless.
        return max(0.0, seconds) if abs(seconds) < 1e9 else None
    # A tenth of what it costs to import an agent, for the few services that name a date.
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
        # The service's own clock, where it tells it, so that a wrong one here does no harm.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    aware_at, aware_now = (t if t.tzinfo else t.replace(tzinfo=UTC) for t in (at, now))
    return max(0.0, (aware_at - aware_now).total_seconds())


def malformed(endpoint: Endpoint, what: str, body: bytes) -> MalformedAnswer:
    """The exception for an answer that is `what` instead of a completion."""
    seen = excerpt(body, endpoint)
    if not body.strip():
        what, shown = "an empty body", ""
    elif body.lstrip()[:1] == b"<":
        what, shown = "an HTML page; check 'base_url' (most end with /v1)", f": {seen}"
    else:
        shown = f": {seen}"
    return MalformedAnswer(
        f"{host(endpoint)} answered {what} instead of a completion of {endpoint.model!r}{shown}",
        provider=host(endpoint),
        status=200,
    )


def excerpt(body: bytes, endpoint: Endpoint) -> str:
    """The beginning of `body` on one line, without keys."""
    # More is read than shown: hiding needs whole secrets.
    text = " ".join(body[: 4 * EXCERPT_CHARS].decode("utf-8", "replace").split())
    text = _hidden(text, endpoint)
    return text if len(text) <= EXCERPT_CHARS else text[: EXCERPT_CHARS - 3] + "..."


def _hidden(text: str, endpoint: Endpoint) -> str:
    """`text` without keys; those that the service half hid are hidden whole."""
    secrets = [endpoint.api_key]
    for name, value in endpoint.headers.items():
        if is_secret_name(name):
            secrets += [value, value.rpartition(" ")[2]]
    return _HALF_HIDDEN.sub("***", redact(text, secrets))
