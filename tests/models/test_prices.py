"""What a call costs."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen.models import prices
from autogen.models.prices import cost_usd, known_prices, price_table


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A stand-in for `genai-prices`, and what it was asked."""
    asked: list[Any] = []

    def calc_price(used: Any, model: str, **where: Any) -> Any:
        asked.append((used, model, where))
        if model == "unheard-of" or (where and "known" not in where["provider_api_url"]):
            raise LookupError(model)
        return SimpleNamespace(total_price=0.5)

    made = SimpleNamespace(Usage=lambda **tokens: tokens, calc_price=calc_price)
    monkeypatch.setattr(prices, "_genai_prices", lambda: made)
    return asked


def cost(model: str, prompt: int = 1_000_000, completion: int = 0, **more: Any) -> float | None:
    return cost_usd(model, prompt_tokens=prompt, completion_tokens=completion, **more)


def test_table_says_where_it_comes_from_and_when():
    table = price_table()
    assert table["source"].startswith("genai-prices")
    assert dt.date.fromisoformat(table["date"]) > dt.date(2026, 1, 1)
    assert len(table["models"]) > 100


def test_every_row_has_a_price_in_and_out_and_growing_tiers():
    for model, row in price_table()["models"].items():
        assert all(isinstance(p, float) and p >= 0 for p in row[:2]), model
        starts = [tier[0] for tier in row[3:]]
        assert starts == sorted(starts), model
        assert all(len(tier) == 4 for tier in row[3:]), model


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4.1",
        "GPT-4.1",
        "openai/gpt-4.1",
        "gpt-4.1-2025-04-14",
        "gpt-41",
    ],
)
def test_model_is_found_under_the_names_it_goes_by(model):
    assert cost(model) == pytest.approx(2.0)


def test_variant_that_is_priced_otherwise_is_not_taken_for_its_kin(library):
    assert cost("gpt-4.1-unheard-of") == 0.5
    assert cost("unheard-of") is None


def test_price_of_the_entry_comes_first():
    assert cost("gpt-4", 1000, 1000, price=(1.0, 2.0)) == 3.0


def test_cached_tokens_have_their_own_price():
    assert cost("gpt-4o", cached_prompt_tokens=400_000) == pytest.approx(0.6 * 2.5 + 0.4 * 1.25)


def test_cached_tokens_cost_as_others_where_no_price_is_given():
    assert cost("gpt-4", cached_prompt_tokens=400_000) == pytest.approx(30.0)


def test_long_prompt_pays_the_higher_price_for_all_of_it():
    assert cost("gemini-2.5-pro", 200_000) == pytest.approx(0.25)
    assert cost("gemini-2.5-pro", 200_001) == pytest.approx(200_001 * 2.5e-6)


def test_library_knows_what_the_table_does_not(library):
    assert cost("rare-model", 10, 5, cached_prompt_tokens=3, base_url="http://known") == 0.5
    tokens = {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 3}
    assert library == [(tokens, "rare-model", {"provider_api_url": "http://known"})]


def test_library_is_asked_by_name_where_the_address_says_nothing(library):
    assert cost("rare-model", base_url="http://localhost") == 0.5
    assert [where for _, _, where in library] == [{"provider_api_url": "http://localhost"}, {}]


def test_without_the_library_a_rare_model_is_unknown(monkeypatch):
    monkeypatch.setattr(prices, "_genai_prices", lambda: None)
    assert cost("rare-model") is None
    assert cost("") is None


def test_library_of_the_extra_agrees_with_the_table():
    genai_prices = pytest.importorskip("genai_prices")
    used = genai_prices.Usage(input_tokens=1_000_000, output_tokens=0)
    for model in ("gpt-4o", "gpt-4.1-mini", "claude-sonnet-4-5"):
        theirs = float(genai_prices.calc_price(used, model).total_price)
        assert cost(model) == pytest.approx(theirs), model


@requirement("price:table")
def test_prices_per_thousand_tokens_have_the_old_shape():
    assert known_prices()["gpt-4o"] == (0.0025, 0.01)
