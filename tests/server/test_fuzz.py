"""Requests made from the description of the API: nothing breaks, and each error is a problem.

Each route by itself, and routes one after the other, with what earlier answers gave. The number of
requests grows with `AUTOGEN_TEST_SOAK` (`make soak`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky, Unsatisfiable
from tests.server.serving import Serving

with warnings.catch_warnings():
    # Imported for its requests; what it warns of at import is its own affair.
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.specs.openapi.stateful import OpenAPIStateMachine

#: How many requests are made in all.
N_CASES = int(os.environ.get("AUTOGEN_TEST_SOAK") or 1500)
SEED = int(os.environ.get("AUTOGEN_TEST_SEED") or 20)

#: Of these, so many one after the other.
SHARE_IN_TURN = 0.4
STEPS_IN_TURN = 12

TEAMS = ["talk", "odd", "alone", "ask", "none"]

pytestmark = [pytest.mark.timeout(60 + N_CASES // 5)]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of its own: what these requests leave behind is nothing for other tests."""
    serving = Serving(f"sqlite:///{tmp_path_factory.mktemp('fuzz') / 'runs.db'}")
    yield serving
    assert serving.stop() == 0
    assert serving.token not in "".join(serving.said[2:])
    assert "Traceback" not in "".join(serving.said)


def described(server: Serving) -> Any:
    description = server.get("/openapi.json")
    # Of names that nobody has nothing is learnt but that they are refused.
    for asked in ("RunIn", "ChatMessageIn"):
        description["components"]["schemas"][asked]["properties"]["team"] = {"enum": TEAMS}
    return schemathesis.openapi.from_dict(description)


def prepared(case: schemathesis.Case) -> None:
    """Let no request wait for what may never come."""
    if case.operation.path.endswith("/wait"):
        case.query = {**(case.query or {}), "timeout_s": 0}
    for name in list(case.headers or ()):
        if name.lower() == "accept":
            del case.headers[name]


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"][0] == "application/problem+json", answer.text


def limited(n_examples: int, **more: Any) -> settings:
    return settings(
        max_examples=n_examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **more,
    )


def test_no_request_breaks_the_server(fuzzed: Serving) -> None:
    operations = [found.ok() for found in described(fuzzed).get_all_operations()]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    n_each = max(1, round(N_CASES * (1 - SHARE_IN_TURN) / len(operations) / len(modes)))
    n_cases = 0

    def ask(case: schemathesis.Case) -> None:
        nonlocal n_cases
        n_cases += 1
        prepared(case)
        check(case.call(base_url=fuzzed.url, headers=fuzzed.bearer(), timeout=10))

    for operation in operations:
        for mode in modes:
            try:
                made = given(case=operation.as_strategy(generation_mode=mode))(ask)
                seed(SEED)(limited(n_each)(made))()
            except Unsatisfiable:
                # Where everything is allowed nothing can be wrong.
                assert mode is modes[1]
    assert n_cases >= N_CASES * (1 - SHARE_IN_TURN) * 0.7


def test_no_sequence_of_requests_breaks_the_server(fuzzed: Serving) -> None:
    n_cases, n_followed = 0, 0
    broken: list[str] = []
    form: type[OpenAPIStateMachine] = described(fuzzed).as_state_machine()

    class Sequences(form):
        def before_call(self, case: schemathesis.Case) -> None:
            prepared(case)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"base_url": fuzzed.url, "headers": fuzzed.bearer(), "timeout": 10}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            nonlocal n_cases, n_followed
            n_cases += 1
            n_followed += case.operation.path.count("{") > 0 and response.status_code < 300
            try:
                check(response)
            except AssertionError as error:
                broken.append(f"{case.method} {case.formatted_path}: {error}")

    wanted = N_CASES * SHARE_IN_TURN
    most = limited(round(min(wanted, 600) / STEPS_IN_TURN), stateful_step_count=STEPS_IN_TURN)
    for n in range(1000):
        if n_cases >= wanted:
            break
        with warnings.catch_warnings(), suppress(Flaky):
            # What runs have come to meanwhile makes a sequence another one when it is tried again.
            warnings.simplefilter("ignore")
            seed(SEED + n)(Sequences)
            Sequences.run(settings=most)
    assert broken == []
    assert n_cases >= wanted
    # Requests for things that earlier ones have made.
    assert n_followed >= n_cases * 0.02
