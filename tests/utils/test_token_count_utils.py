"""Counting tokens without a network."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.requirements import requirement

from autogen.token_count_utils import (
    count_token,
    estimated_tokens,
    get_max_token_limit,
    num_tokens_from_functions,
    percentile_used,
    token_left,
)

PROSE = "The quick brown fox jumps over the lazy dog, and nobody asked it to. "


@given(st.text())
def test_estimate_lies_between_nothing_and_the_bytes(text):
    n_tokens = estimated_tokens(text)
    assert 0 <= n_tokens <= len(text.encode("utf-8", "surrogatepass"))
    assert isinstance(n_tokens, int)
    assert n_tokens > 0 or not text.strip()


def test_estimate_of_prose_stays_below_half_its_letters():
    # Exact in o200k_base: 17 tokens.
    assert 17 <= estimated_tokens(PROSE) <= 30


@requirement("tokens:count")
@pytest.mark.parametrize(
    "text, exact",
    # Counted with the data of o200k_base and cl100k_base, the larger of both.
    [
        ("Hello, world!", 4),
        ("def f(x):\n    return x * 2\n", 11),
        ('{"name": "convert", "arguments": "{\\"amount\\": 3}"}', 16),
        ("1234567890", 4),
        ("人工智能是计算机科学的一个分支", 15),
        ("Donaudampfschifffahrtsgesellschaftskapitän", 17),
        ("9f86d081884c7d659a2feaa0c55ad015", 19),
        ("Искусственный интеллект", 12),
    ],
)
def test_estimate_is_no_less_than_the_exact_count(text, exact):
    assert estimated_tokens(text) >= exact


def test_estimate_of_random_letters_knows_that_they_are_no_words():
    letters = "".join(random.Random(1).choices(string.ascii_lowercase, k=3000))
    # Exact in cl100k_base: 1622 tokens.
    assert estimated_tokens(letters) > 1622


@requirement("tokens:count")
def test_messages_cost_more_than_their_texts():
    text = count_token("hi there", "unknown-model")
    one = count_token({"role": "user", "content": "hi there"}, "unknown-model")
    named = count_token([{"role": "user", "content": "hi there", "name": "bob"}], "unknown-model")
    assert text < one < named
    assert count_token([], "unknown-model") == 3


def test_calls_are_counted_and_nothing_is_not():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    without = count_token({"role": "assistant", "content": None}, "m")
    assert count_token({"role": "assistant", "content": None, "tool_calls": [call]}, "m") > without
    assert without == count_token({"role": "assistant"}, "m")


def test_picture_has_a_price_of_its_own_whatever_its_data():
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}},
    ]
    assert 1105 < count_token({"role": "user", "content": parts}, "m") < 1200


@requirement("tokens:bad")
def test_other_input_is_refused():
    with pytest.raises(ValueError, match="input is a int"):
        count_token(3)  # type: ignore[arg-type]


@requirement("tokens:functions")
def test_functions_cost_their_schemas():
    function = {"name": "f", "description": "Do it.", "parameters": {"type": "object"}}
    assert num_tokens_from_functions([]) == 0
    assert num_tokens_from_functions([function] * 2) > num_tokens_from_functions([function]) > 12


@requirement("tokens:limit")
@pytest.mark.parametrize(
    "model, limit",
    [
        ("gpt-3.5-turbo-0613", 4096),
        ("gpt-35-turbo", 16385),
        ("gpt35-turbo", 16385),
        ("gpt4-32k", 32768),
        ("gpt-4", 8192),
        ("gpt-4-turbo-2024-04-09", 128_000),
        ("gpt-4o-2024-08-06", 128_000),
        ("openai/gpt-4o-mini", 128_000),
        ("claude-3-5-sonnet-20241022", 200_000),
        ("claude-sonnet-4-5-20250929", 200_000),
        ("o3-mini", 200_000),
        ("gpt-5.4-mini", 400_000),
    ],
)
def test_limit_is_known(model, limit):
    assert get_max_token_limit(model) == limit


@requirement("tokens:limit")
@pytest.mark.parametrize("model", ["gpt-9", "gpt-4-something-new", "", "llama"])
def test_limit_that_is_not_known_is_a_key_error(model):
    with pytest.raises(KeyError):
        get_max_token_limit(model)


@requirement("tokens:left")
def test_what_is_used_and_what_is_left():
    used = count_token(PROSE, "gpt-4")
    assert token_left(PROSE, "gpt-4") == 8192 - used
    assert percentile_used(PROSE, "gpt-4") == used / 8192


@requirement("tokens:count")
def test_count_is_exact_where_the_tokenizer_has_its_data(monkeypatch, require_part):
    try:
        import tiktoken.registry
    except ImportError as error:
        require_part("tiktoken", because=str(error), do="pip install tiktoken")
    by_byte = tiktoken.Encoding(
        "cl100k_base",
        pat_str=r"[\s\S]",
        mergeable_ranks={bytes([i]): i for i in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "cl100k_base", by_byte)
    assert count_token("hello", "gpt-4") == 5
    assert count_token("hello", "gpt-35-turbo") == 5
    assert count_token("<|endoftext|>", "gpt-4") == 13
    assert count_token("hello", "some-other-model") == estimated_tokens("hello")


@requirement("tokens:count")
def test_nothing_is_downloaded(monkeypatch, tmp_path):
    # The network is blocked in tests: a download would raise.
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert count_token("hello", "gpt-4o") == estimated_tokens("hello")
