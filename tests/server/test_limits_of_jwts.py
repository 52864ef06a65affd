"""Callers with JWTs are held to a rate and a budget of their own, on a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.server.issuer import AUDIENCE, ISSUER, Issuer
from tests.server.serving import START_S, Answer, Serving

pytestmark = pytest.mark.xdist_group("limits of jwts")

WORK = "runs:read runs:write"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Serving]:
    words = ["--jwks-url", issuer.url, "--issuer", ISSUER, "--audience", AUDIENCE]
    words += ["--jwt-per-minute", "50", "--jwt-per-minute-claim", "rate"]
    words += ["--jwt-budget-usd", "2", "--jwt-budget-claim", "purse"]
    serving = Serving(f"sqlite:///{tmp_path_factory.mktemp('jwts') / 'runs.db'}", *words)
    yield serving
    assert serving.stop() == 0
    assert "Traceback" not in "".join(serving.said)


def _begin(server: Serving, token: str, **more: Any) -> Answer:
    return server.call(
        "POST", "/api/v1/runs", {"team": "talk", "message": "hi", **more}, token=token
    )


def test_each_subject_has_a_rate_of_its_own(server: Serving, issuer: Issuer) -> None:
    eager = issuer.token(sub="eager", scope=WORK, rate=3)
    answers = [server.call("GET", "/api/v1/runs", token=eager) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert (answers[-1].is_problem, "Retry-After" in answers[-1].headers) == (True, True)
    # A new token is the same caller.
    again = issuer.token(sub="eager", scope=WORK, rate=3, jti="another")
    assert server.call("GET", "/api/v1/runs", token=again).status == 429
    other = issuer.token(sub="other", scope=WORK)
    assert server.call("GET", "/api/v1/runs", token=other).status == 200
    # So is the cookie that a token was exchanged for.
    opened = server.call("POST", "/api/v1/session", {"token": again}, token=None)
    cookie = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}
    assert server.call("GET", "/api/v1/runs", headers=cookie, token=None).status == 429


def test_each_subject_has_a_budget_of_its_own(server: Serving, issuer: Issuer) -> None:
    ann = issuer.token(sub="thrifty", scope=WORK)
    assert _begin(server, ann).status == 201
    own = server.get("/api/v1/budgets/jwt%20thrifty")
    assert own["limits"]["usd"] == 2
    # Whoever administrates may change it; it is not made anew.
    server.call("PUT", "/api/v1/budgets/jwt%20thrifty", {"usd": 0})
    assert _begin(server, ann).status == 402
    assert server.get("/api/v1/budgets/jwt%20thrifty")["limits"]["usd"] == 0
    assert _begin(server, issuer.token(sub="rich", scope=WORK)).status == 201
    # Nobody draws from somebody else's.
    rich = issuer.token(sub="rich", scope=WORK)
    assert _begin(server, rich, budget="jwt thrifty").status == 422
    assert _begin(server, rich, budget="jwt rich").status == 201


def test_a_claim_names_a_budget_that_has_to_be_there(server: Serving, issuer: Issuer) -> None:
    token = issuer.token(sub="sharing", scope=WORK, purse="team purse")
    refused = _begin(server, token)
    assert (refused.status, refused.is_problem) == (403, True)
    assert "team purse" in refused.text
    server.call("PUT", "/api/v1/budgets/team%20purse", {"steps": 1})
    made = _begin(server, token)
    assert made.status == 201
    path = f"/api/v1/runs/{made.json['id']}/wait?timeout_s=10"
    run = server.call("GET", path, token=token).json
    assert (run["status"], run["stop_reason"]) == ("paused", "budget"), run
    assert _begin(server, token).status == 402
    # Through the doors as well.
    said = {"model": "talk", "messages": [{"role": "user", "content": "hi"}]}
    assert server.call("POST", "/v1/chat/completions", said, token=token).status == 402


def test_limits_of_nobody_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autogen.cli", "serve", "--jwt-per-minute", "5"],
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 2
    assert "--jwks-url" in done.stderr
