"""Answers in boxes, compared and counted."""

from __future__ import annotations

import pytest
from tests.compat.requirements import requirement

from autogen import _pydantic, math_utils
from autogen.oai import client


@requirement("names:less-known")
@pytest.mark.parametrize(
    "text, answer",
    [
        (r"so \boxed{42}.", "42"),
        (r"\boxed{1}, or rather $\boxed{\frac{1}{2}}$", r"\frac{1}{2}"),
        (r"$\boxed 5$", "5"),
        (r"\fbox{x}", "x"),
        ("no box", None),
        (r"\boxed{open", None),
    ],
)
def test_the_answer_is_what_the_last_box_holds(text: str, answer: str | None) -> None:
    assert math_utils.get_answer(text) == answer


@requirement("names:less-known")
@pytest.mark.parametrize(
    "one, other",
    [
        ("0.5", r"\frac{1}{2}"),
        (".5", "0.5"),
        ("1/2", r"\frac12"),
        (r"\dfrac{3}{4}", r"\tfrac34"),
        (r"\sqrt3", r"\sqrt{3}"),
        (r"10\%", "10"),
        (r"\left(1, 2\right)", "(1,2)"),
        ("x=7", "7"),
        (r"5\text{ miles}", "5"),
    ],
)
def test_answers_that_are_spelt_differently_are_the_same(one: str, other: str) -> None:
    assert math_utils.is_equiv(one, other) == 1.0


@requirement("names:less-known")
def test_different_answers_are_different() -> None:
    assert math_utils.is_equiv("1", "2") == math_utils.is_equiv("1", None) == 0.0
    assert math_utils.is_equiv(None, None) == 1.0
    assert math_utils.is_equiv_chain_of_thought(r"\boxed{2}", r"It is $\boxed{ 2 }$.") == 1.0


@requirement("names:less-known")
def test_most_responses_win_the_vote() -> None:
    responses = [r"\boxed{1/2}", r"\boxed{3}", r"\boxed{0.5}", "none"]
    assert math_utils.voting_counts(responses) == {"1/2": 2, "3": 1}
    found = math_utils.eval_math_responses(responses, r"\boxed{\frac12}")
    assert (found["expected_success"], found["success"], found["votes"]) == (0.5, True, 2)
    assert (found["success_vote"], found["voted_answer"]) == (1.0, r"\boxed{1/2}")
    assert math_utils.eval_math_responses([], "x")["success"] is False


@requirement("names:less-known")
def test_helpers_over_pydantic() -> None:
    assert _pydantic.PYDANTIC_V1 is False
    assert _pydantic.type2schema(int) == {"type": "integer"}


@requirement("names:less-known")
def test_the_cache_names_of_the_client() -> None:
    assert (client.LEGACY_DEFAULT_CACHE_SEED, client.LEGACY_CACHE_DIR) == (41, ".cache")
