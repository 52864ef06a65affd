"""JWTs of an identity provider: which are taken, and what becomes of the others."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.server.issuer import AUDIENCE, ISSUER, Issuer

from autogen.errors import UsageError
from autogen.server.jwt import Tokens


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


def _tokens(issuer: Issuer, **more: Any) -> Tokens:
    return Tokens(issuer.url, issuer=ISSUER, audience=AUDIENCE, **more)


def test_caller_is_who_the_issuer_says(issuer: Issuer) -> None:
    found = _tokens(issuer).caller_of(issuer.token())
    assert found is not None
    caller, until = found
    assert (caller.id, caller.name) == ("jwt:ann", "ann")
    assert caller.scopes == {"runs:read", "runs:write"}
    assert caller.budget is None
    assert until > time.time()


@pytest.mark.parametrize(
    "given, scopes",
    [
        ("runs:read unknown", {"runs:read"}),
        (["runs:read", 5, "admin"], {"runs:read", "admin"}),
        (None, set()),
        (7, set()),
        ({"runs:read": True}, set()),
    ],
)
def test_scopes_come_from_the_claim_that_was_named(
    issuer: Issuer, given: Any, scopes: set[str]
) -> None:
    tokens = _tokens(issuer, scope_claim="permissions")
    found = tokens.caller_of(issuer.token(permissions=given))
    assert found is not None
    assert found[0].scopes == scopes


def test_limits_come_from_options_and_claims(issuer: Issuer) -> None:
    tokens = _tokens(
        issuer, per_minute=60, per_minute_claim="rate", budget_usd=5, budget_claim="purse"
    )
    cases: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
        "neither": ({}, (60, "jwt ann", 5)),
        "a rate": ({"rate": 3}, (3, "jwt ann", 5)),
        "a budget": ({"purse": "june"}, (60, "june", None)),
        "a long name": ({"sub": "a" * 150}, (60, "jwt " + sha256(b"a" * 150).hexdigest(), 5)),
    }
    for why, (claims, wanted) in cases.items():
        found = tokens.caller_of(issuer.token(**claims))
        assert found is not None, why
        caller = found[0]
        assert (caller.per_minute, caller.budget, caller.budget_usd) == wanted, why
    # A limit that is not understood is no way around it.
    odd = [{"rate": rate} for rate in (0, -1, "3", True, 1.5, [3])]
    odd += [{"purse": purse} for purse in ("", 7, ["june"], "a\nb", "x" * 101)]
    for claims in odd:
        assert tokens.caller_of(issuer.token(**claims)) is None, claims


WRONG: dict[str, dict[str, Any]] = {
    "of another issuer": {"iss": "http://other.example"},
    "of nobody": {"iss": None},
    "for others": {"aud": "others"},
    "for anybody": {"aud": None},
    "expired": {"exp": 1},
    "for ever": {"exp": None},
    "not yet": {"nbf": 4102444800},
    "about nobody": {"sub": None},
    "about an empty name": {"sub": ""},
    "about a name with a line break": {"sub": "a\nb"},
    "of an unknown key": {"kid": "other"},
}


@pytest.mark.parametrize("why", WRONG)
def test_token_is_refused(issuer: Issuer, why: str) -> None:
    assert _tokens(issuer).caller_of(issuer.token(**WRONG[why])) is None


def test_forged_tokens_are_refused(issuer: Issuer) -> None:
    tokens = _tokens(issuer)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    deep = base64.urlsafe_b64encode(b"[" * 40_000).decode()
    for token in (
        issuer.token(key=other),
        issuer.unsigned(),
        *map(issuer.mixed_up, ("HS256", "HS512", "ES256", "RS256")),
        f"{deep}.{deep}.x",
        "a.b.c",
        "..",
        "\udcff.x.y",
    ):
        assert tokens.caller_of(token) is None, token[:60]


def test_only_listed_algorithms_count(issuer: Issuer) -> None:
    assert _tokens(issuer, algorithms=["ES256"]).caller_of(issuer.token()) is None
    assert _tokens(issuer, algorithms=["RS256"]).caller_of(issuer.token()) is not None
    for algorithm in ("none", "HS256", "rs256"):
        with pytest.raises(UsageError, match="lets others than the issuer sign"):
            _tokens(issuer, algorithms=[algorithm])


@pytest.mark.parametrize(
    "url", ["http://keys.example/", "ftp://127.0.0.1/keys", "file:///etc/passwd", ""]
)
def test_keys_come_from_where_nobody_replaces_them(url: str) -> None:
    with pytest.raises(UsageError, match="https"):
        Tokens(url, issuer=ISSUER, audience=AUDIENCE)


def test_shared_secret_among_the_keys_is_no_key(issuer: Issuer) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    issuer.answer = (
        json.dumps({"keys": [{"kty": "oct", "kid": "k", "alg": "HS256", "k": secret}]})
    ).encode()
    try:
        forged = jwt.encode(issuer.claims(), b"s" * 32, "HS256", headers={"kid": "k"})
        assert _tokens(issuer).caller_of(forged) is None
        assert _tokens(issuer).caller_of(issuer.token()) is None
    finally:
        issuer.answer = None


def test_issuer_that_makes_no_sense_is_left_alone_for_a_while(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    tokens, token = _tokens(issuer), issuer.token()
    issuer.answer = b"<html>"
    before = issuer.n_asked
    try:
        with caplog.at_level(logging.WARNING, "autogen"):
            assert [tokens.caller_of(token) for _ in range(20)] == [None] * 20
    finally:
        issuer.answer = None
    assert issuer.n_asked - before == 1
    assert len(caplog.records) == 1
    assert token not in caplog.text


def test_unknown_keys_do_not_send_the_server_asking_each_time(issuer: Issuer) -> None:
    tokens = _tokens(issuer)
    before = issuer.n_asked
    for n in range(20):
        assert tokens.caller_of(issuer.token(kid=f"k{n}")) is None
    assert issuer.n_asked - before <= 2
