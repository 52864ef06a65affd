"""What a call of a model may cost at worst, what is sent for it, and what is booked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autogen import Budget, RunOptions, options
from autogen.errors import (
    AuthenticationError,
    BadRequest,
    BudgetExceeded,
    ConnectionFault,
    ProviderError,
    ServerFault,
    UsageError,
)
from autogen.limits.base import Ceiling
from autogen.messages import Message
from autogen.models.worst_case import Seen, claim_of
from autogen.oai.client import OpenAIWrapper
from autogen.testing import LoopbackLLM, Reply
from autogen.testing.face import Face

HELLO = [{"role": "user", "content": "hello there"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}


def claim(**params: Any) -> Any:
    model = params.pop("model", "gpt-4o")
    seen = params.pop("seen", None)
    price = params.pop("price", None)
    params = {"messages": HELLO, **params}
    return claim_of(
        model,
        params,
        price=price,
        base_url="",
        is_openai=params.pop("is_openai", False),
        in_dollars=True,
        seen=seen,
    )


def wrapper(server: LoopbackLLM, model: str = "gpt-4o", **base: Any) -> OpenAIWrapper:
    entry = {"model": model, "api_key": "k", "base_url": server.base_url}
    made = OpenAIWrapper(config_list=[entry], timeout=5, **base)
    made._router._jitter = lambda: 0.0
    return made


# ---------------------------------------------------------------------------------------- the bound


@pytest.mark.parametrize(
    "text", ["hello", "Ünïcödé", "你好世界", "🙂🙃", '\n\t\\"', "a" * 1000, "\ud800", "\0"]
)
def test_the_bound_of_a_text_is_at_least_its_bytes(text: str) -> None:
    n_bytes = len(text.encode("utf-8", "replace").replace(b"\0", b""))
    assert claim(messages=[{"role": "user", "content": text}]).input_tokens >= n_bytes


def test_what_was_counted_before_is_not_bounded_again() -> None:
    first = [Message(role="system", content="s" * 4000), Message(role="user", content="u" * 4000)]
    before = claim(messages=first)
    assert before.input_tokens > 8000
    seen = before.seen._replace(tokens=2000)
    answer = Message(role="assistant", content="a" * 100)
    after = claim(messages=[*first, answer], seen=seen)
    assert 2000 < after.input_tokens < 2300
    # The summary of the same conversation, which leaves the system message out.
    summary = claim(messages=[first[1], answer], seen=seen)
    assert 2000 < summary.input_tokens < 2300


def test_another_conversation_is_bounded_by_its_bytes() -> None:
    seen = Seen([b"something else"], b"{}", 5)
    assert claim(seen=seen).input_tokens == claim().input_tokens


def test_a_message_that_was_changed_is_counted_anew() -> None:
    message = Message(role="user", content="short")
    seen = claim(messages=[message]).seen._replace(tokens=3)
    message["content"] = "l" * 1000
    assert claim(messages=[message], seen=seen).input_tokens > 1000


def test_pictures_have_a_bound_of_their_own_whatever_their_bytes() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "what is it"}, PICTURE]}
    assert 5_000 < claim(messages=[message]).input_tokens < 5_500
    assert 50_000 < claim(messages=[message], model="gpt-4o-mini").input_tokens < 50_500


def test_schemas_of_tools_are_bounded_by_their_bytes() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 500}}
    more = claim(tools=[tool]).input_tokens - claim().input_tokens
    assert 1_500 < more < 1_700


def test_every_answer_asked_for_counts() -> None:
    one, three = claim(max_tokens=100), claim(max_tokens=100, n=3)
    assert three.most.tokens - three.input_tokens == 3 * (one.most.tokens - one.input_tokens) == 300


def test_the_price_is_that_of_the_entry_or_of_the_table() -> None:
    own = claim(max_tokens=100, price=(1.0, 2.0))
    assert own.most.nano_usd == own.input_tokens * 1_000_000 + 100 * 2_000_000
    table = claim(max_tokens=100)
    assert table.most.nano_usd == table.input_tokens * 2_500 + 100 * 10_000


@pytest.mark.parametrize(
    "more, named",
    [
        ({"tools": [{"type": "web_search"}]}, "'web_search'"),
        ({"tools": [{"type": "code_interpreter"}]}, "'code_interpreter'"),
        ({"web_search_options": {}}, "'web_search_options'"),
        ({"extra_body": {"plugins": [{"id": "web"}]}}, "'plugins'"),
        ({"prediction": {"type": "content", "content": "x"}}, "'prediction'"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "'file'"),
        ({"n": "many"}, "'many'"),
        ({"model": "nobody-knows"}, "'nobody-knows'"),
        ({"price": (-1.0, 1.0)}, "price is"),
    ],
)
def test_what_has_no_bound_is_refused_by_name(more: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        claim(**more)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "model, most", [("gpt-4o-2024-08-06", 16_384), ("openai/gpt-4.1-mini", 32_768), ("o3", 100_000)]
)
def test_the_longest_answer_is_that_of_the_model(model: str, most: int) -> None:
    assert claim(model=model).output_tokens == most


def test_the_answer_gets_what_the_room_allows() -> None:
    made = claim()
    room = Ceiling(nano_usd=made.input_nano_usd + 1000 * 10_000 + 1)
    found = made.within(room)
    assert found is not None and made.output_of(found) == 1000
    assert found.nano_usd < (room.nano_usd or 0)
    assert made.within(Ceiling(tokens=made.input_tokens + 255)) is None
    least = made.within(Ceiling(tokens=made.input_tokens + 256))
    assert least == made.least


# ------------------------------------------------------------------------------- what is sent


def test_an_answer_without_a_limit_gets_the_largest_that_is_left(face: Face) -> None:
    with LoopbackLLM(["hi"] * 2) as server, options(RunOptions(budget=Budget(usd=0.01))):
        client = wrapper(server)
        face.create(client, messages=HELLO)
        face.create(client, messages=HELLO)
        sent = [request.json["max_tokens"] for request in server.requests]
    # 0.01 dollars are 1,000 tokens of output, less what the input may cost.
    assert 900 < sent[0] < 1000
    assert sent[1] == pytest.approx(sent[0], abs=60)


def test_there_is_no_more_than_the_model_can_say(face: Face) -> None:
    with LoopbackLLM(["hi"]) as server, options(RunOptions(budget=Budget(usd=100))):
        face.create(wrapper(server), messages=HELLO)
        assert server.requests[0].json["max_tokens"] == 16_384


def test_below_256_tokens_nothing_is_sent(face: Face) -> None:
    with LoopbackLLM([]) as server, options(RunOptions(budget=Budget(usd=0.0025))):
        with pytest.raises(BudgetExceeded, match="room for at least 256 tokens"):
            face.create(wrapper(server), messages=HELLO)
        assert server.requests == []


@pytest.mark.parametrize("more", [{"usd": 1.0}, {"tokens": 50_000}])
def test_a_shorter_answer_does_not_help_where_steps_are_short(
    face: Face, more: dict[str, Any]
) -> None:
    with (
        LoopbackLLM([]) as server,
        options(RunOptions(budget=Budget(steps=0, **more))),
        pytest.raises(BudgetExceeded, match="0 steps"),
    ):
        face.create(wrapper(server, "o3"), messages=HELLO)


def test_a_limit_of_the_callers_own_is_sent_as_it_is(face: Face) -> None:
    with LoopbackLLM(["hi"] * 2) as server, options(RunOptions(budget=Budget(usd=1))):
        face.create(wrapper(server, max_tokens=7), messages=HELLO)
        face.create(wrapper(server, max_completion_tokens=9), messages=HELLO)
        first, second = (request.json for request in server.requests)
    assert (first["max_tokens"], "max_completion_tokens" in first) == (7, False)
    assert (second["max_completion_tokens"], "max_tokens" in second) == (9, False)


def test_newer_models_get_the_newer_name(face: Face) -> None:
    with LoopbackLLM(["hi"]) as server, options(RunOptions(budget=Budget(usd=1))):
        face.create(wrapper(server, "o3"), messages=HELLO)
        body = server.requests[0].json
    assert "max_completion_tokens" in body and "max_tokens" not in body


def test_only_steps_change_nothing_that_is_sent(face: Face) -> None:
    with LoopbackLLM(["hi"]) as server, options(RunOptions(budget=Budget(steps=1))):
        face.create(wrapper(server, "nobody-knows"), messages=HELLO)
        assert server.requests[0].json == {"model": "nobody-knows", "messages": HELLO}


# ----------------------------------------------------------------------------- what is booked


def booked(face: Face, script: Any, **more: Any) -> tuple[Budget, BaseException | None]:
    """What one call leaves on a budget, and how it failed."""
    budget, failed = Budget(tokens=100_000), None
    stream = more.pop("stream", False)
    with LoopbackLLM(script) as server, options(RunOptions(budget=budget)):
        client = wrapper(server, max_tokens=50, **{"max_retries": 0, **more})
        try:
            face.create(client, messages=HELLO, stream=stream)
        except ProviderError as error:
            failed = error
    assert budget.left.tokens == 100_000 - (budget.spent.tokens or 0)
    return budget, failed


def test_a_call_is_booked_at_what_it_used(face: Face) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    budget, _ = booked(face, [Reply("hi", usage=usage)])
    assert (budget.spent.tokens, budget.spent.steps) == (16, 1)


def test_a_call_that_says_nothing_of_its_use_is_booked_at_its_worst(face: Face) -> None:
    budget, _ = booked(face, [Reply("hi", usage={})])
    assert (budget.spent.tokens or 0) > 50 + len(json.dumps(HELLO))


def test_a_stream_is_booked_at_what_it_used(face: Face) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    budget, failed = booked(face, [Reply("one two three", usage=usage)], stream=True)
    assert (failed, budget.spent.tokens) == (None, 16)


@pytest.mark.parametrize("fault", ["drop_stream", "bad_sse", "drop", "drop_headers", "malformed"])
def test_a_call_that_broke_is_booked_at_its_worst(face: Face, fault: Any) -> None:
    budget, failed = booked(face, [Reply("one two three", fault=fault)], stream=True)
    assert failed is not None
    assert (budget.spent.tokens or 0) > 50 + len(json.dumps(HELLO))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
def test_a_call_that_was_refused_costs_nothing(face: Face, status: int) -> None:
    budget, failed = booked(face, [Reply(status=status, retry_after_s=0)])
    assert failed is not None and failed.unbilled  # type: ignore[attr-defined]
    assert (budget.spent.tokens, budget.spent.steps) == (0, 0)


def test_a_service_that_failed_may_have_charged(face: Face) -> None:
    budget, failed = booked(face, [503])
    assert isinstance(failed, ServerFault)
    assert (budget.spent.tokens or 0) > 50


def test_an_error_inside_a_stream_is_paid_for(face: Face) -> None:
    raw = (
        b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n'
        b'data: {"error":{"message":"too many","code":"429"}}\n\n'
    )
    reply = Reply(raw=raw, headers={"content-type": "text/event-stream"})
    budget, failed = booked(face, [reply], stream=True)
    assert failed is not None
    assert (budget.spent.tokens or 0) > 50


def test_a_connection_that_was_refused_costs_nothing(face: Face) -> None:
    with LoopbackLLM([]) as server:
        gone = wrapper(server, max_retries=0)
    budget = Budget(tokens=100_000)
    with options(RunOptions(budget=budget)), pytest.raises(ConnectionFault):
        face.create(gone, messages=HELLO)
    assert budget.spent.tokens == 0


def test_a_missing_key_costs_nothing(face: Face) -> None:
    budget, client = Budget(usd=1), OpenAIWrapper(config_list=[{"model": "gpt-4o"}])
    with options(RunOptions(budget=budget)), pytest.raises(AuthenticationError):
        face.create(client, messages=HELLO)
    assert budget.spent.steps == 0


def test_what_cannot_be_sent_costs_nothing(face: Face) -> None:
    budget = Budget(steps=5)
    with (
        LoopbackLLM([]) as server,
        options(RunOptions(budget=budget)),
        pytest.raises(UsageError, match="cannot be sent as JSON"),
    ):
        face.create(wrapper(server), messages=[{"role": "user", "content": {1, 2}}])
    assert budget.spent.steps == 0


def test_each_attempt_sets_aside_anew(face: Face) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    script = [Reply(status=429, retry_after_s=0), Reply("hi", usage=usage)]
    budget, failed = booked(face, script, max_retries=2)
    assert (failed, budget.spent.tokens, budget.spent.steps) == (None, 16, 1)


def test_an_attempt_that_no_longer_fits_is_not_made(face: Face) -> None:
    budget = Budget(tokens=300)
    with LoopbackLLM([503]) as server, options(RunOptions(budget=budget)):
        with pytest.raises(BudgetExceeded):
            face.create(wrapper(server, max_tokens=100, max_retries=3), messages=HELLO)
        assert len(server.requests) == 1


def test_the_next_entry_is_paid_for_too(face: Face) -> None:
    budget = Budget(steps=2)
    with LoopbackLLM([503]) as first, LoopbackLLM(["hi"]) as second:
        entries = [
            {"model": "gpt-4o", "api_key": "k", "base_url": s.base_url, "max_retries": 0}
            for s in (first, second)
        ]
        with options(RunOptions(budget=budget)):
            face.create(OpenAIWrapper(config_list=entries), messages=HELLO)
    assert budget.spent.steps == 2


def test_a_conversation_grows_tighter_with_every_answer(face: Face) -> None:
    """Long texts fit a budget that their bytes would not, once the model counted them."""
    messages = [Message(role="user", content="word " * 1000)]
    usage = {"prompt_tokens": 1000, "completion_tokens": 5, "total_tokens": 1005}
    budget = Budget(tokens=8000)
    with LoopbackLLM([Reply("hi", usage=usage)] * 2) as server, options(RunOptions(budget=budget)):
        client = wrapper(server, max_tokens=100)
        face.create(client, messages=list(messages))
        messages.append(Message(role="assistant", content="hi"))
        face.create(client, messages=list(messages))
    assert budget.spent.tokens == 2010


def test_a_client_of_ones_own_is_held_to_a_price(face: Face) -> None:
    class Own:
        def __init__(self, config: Any, **_: Any) -> None: ...

        def create(self, params: dict[str, Any]) -> Any:
            raise AssertionError("nothing may be sent")

        def message_retrieval(self, response: Any) -> list[Any]:
            return []

        def cost(self, response: Any) -> float:
            return 0.5

        @staticmethod
        def get_usage(response: Any) -> dict[str, Any]:
            return {}

    client = OpenAIWrapper(config_list=[{"model": "mine", "model_client_cls": "Own"}])
    client.register_model_client(Own)
    with (
        options(RunOptions(budget=Budget(usd=1))),
        pytest.raises(UsageError, match="the price of 'mine' is not known"),
    ):
        face.create(client, messages=HELLO)


def test_a_refused_request_is_still_told(face: Face) -> None:
    with (
        LoopbackLLM([Reply(status=400, error="no such option")]) as server,
        options(RunOptions(budget=Budget(usd=1))),
        pytest.raises(BadRequest, match="no such"),
    ):
        face.create(wrapper(server), messages=HELLO)
