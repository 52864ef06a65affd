"""Requests made from the description of the API: nothing breaks, and each error is a problem."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.server.serving import Serving

with warnings.catch_warnings():
    # Imported for its requests; what it warns of at import is its own affair.
    warnings.simplefilter("ignore")
    import schemathesis

CASES_PER_ROUTE = 12


@pytest.mark.slow
def test_no_request_breaks_the_server(server: Serving) -> None:
    described = schemathesis.openapi.from_dict(server.get("/openapi.json"))
    n_cases = 0

    def ask(case: schemathesis.Case) -> None:
        nonlocal n_cases
        n_cases += 1
        if case.operation.path.endswith("/wait"):
            case.query = {**(case.query or {}), "timeout_s": 0}
        answer = case.call(base_url=server.url, headers=server.bearer(), timeout=10)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0] == "application/problem+json"

    for result in described.get_all_operations():
        made = given(case=result.ok().as_strategy())(ask)
        limited = settings(
            max_examples=CASES_PER_ROUTE,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(20)(limited(made))()
    assert n_cases >= 100
