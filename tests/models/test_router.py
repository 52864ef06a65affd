"""The router: order, fallback, retry, rate, price, filter, ledgers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen._kernel.drive import drive_sync
from autogen._kernel.drive_async import drive_async
from autogen._kernel.ops import Call, Core, Sleep
from autogen.config.entry import parse_entries
from autogen.errors import (
    AuthenticationError,
    BadRequest,
    ConnectionFault,
    ContentFiltered,
    ContextTooLong,
    MalformedAnswer,
    NotFound,
    PermissionDenied,
    ProviderError,
    ProviderTimeout,
    RateLimited,
    RunCancelled,
    ServerFault,
    UsageError,
)
from autogen.models.base import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    CompletionUsage,
    Endpoint,
    FunctionCall,
    ModelRequest,
    ToolCall,
)
from autogen.models.custom import CustomClient
from autogen.models.request import instantiate
from autogen.models.router import Router
from autogen.usage import Usage

HELLO = [{"role": "user", "content": "hello"}]


def answer(
    text: str | None = "hi", *, model: str = "gpt-4o", prompt: int = 1000, completion: int = 100
) -> ChatCompletion:
    return ChatCompletion(
        [Choice(ChatCompletionMessage(text), "stop")],
        model=model,
        usage=CompletionUsage(prompt, completion, prompt + completion),
    )


class Transport:
    """A transport that gives one thing after the other: answers, or errors to raise."""

    def __init__(self, *things: Any):
        self.things = list(things)
        self.asked: list[tuple[Endpoint, ModelRequest]] = []

    async def complete(self, endpoint: Endpoint, request: ModelRequest) -> ChatCompletion:
        self.asked.append((endpoint, request))
        thing = self.things.pop(0) if self.things else answer()
        if isinstance(thing, Exception):
            raise thing
        return thing


def router(
    transport: Transport,
    *entries: dict[str, Any],
    clock: Any = None,
    jitter: float = 0.0,
    **base: Any,
) -> Router:
    named = [{"model": "gpt-4o", "api_key": "sk-test", **entry} for entry in entries or ({},)]
    return Router(
        parse_entries(named, base),
        transport=lambda: transport,
        open_cache=lambda seed: pytest.fail("no cache was asked for"),
        clock=clock or (lambda: 0.0),
        jitter=lambda: jitter,
    )


@pytest.fixture(params=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Callable[[Core[Any]], Any]:
    """Runs a core coroutine on the face under test."""
    if request.param == "sync":
        return drive_sync
    return lambda core: asyncio.run(drive_async(core))


def pauses(core: Core[Any]) -> tuple[Any, list[float]]:
    """Runs a core coroutine without sleeping: its result or error, and the sleeps it asked for."""
    slept: list[float] = []
    try:
        op = core.send(None)
        while True:
            try:
                value = None
                if type(op) is Sleep:
                    slept.append(op.seconds)
                elif type(op) is Call and op.sync is not None:
                    value = op.sync(*op.args, **op.kwargs)
                else:
                    value = asyncio.run(_awaited(op))
            except Exception as error:
                op = core.throw(error)
            else:
                op = core.send(value)
    except StopIteration as stop:
        return stop.value, slept
    except Exception as error:
        return error, slept


async def _awaited(op: Any) -> Any:
    return await op.async_(*op.args, **op.kwargs)


# ------------------------------------------------------------------------------- order and fallback


@requirement("wrapper:order", "wrapper:marks")
def test_first_entry_answers_and_marks_its_response(drive):
    response = drive(router(Transport(answer("hi")), {}, {}).create({"messages": HELLO}))
    assert response.choices[0].message.content == "hi"
    assert (response.config_id, response.pass_filter, response.is_cached) == (0, True, False)
    assert response.message_retrieval_function(response) == ["hi"]


@requirement("wrapper:fallback")
@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("no", status=401),
        PermissionDenied("no", status=403),
        NotFound("no", status=404),
        BadRequest("no", status=400),
        ContextTooLong("no", status=400),
        RateLimited("no", status=429),
        ServerFault("no", status=500),
        ConnectionFault("no"),
        ProviderTimeout("no"),
        MalformedAnswer("no"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_next_entry_is_asked_after_a_fault_of_the_service(drive, error):
    transport = Transport(error, answer("from the second"))
    made = router(transport, {"max_retries": 0}, {"base_url": "http://other/v1"})
    response = drive(made.create({"messages": HELLO}))
    assert response.config_id == 1
    assert [e.base_url for e, _ in transport.asked] == [
        "https://api.openai.com/v1",
        "http://other/v1",
    ]


@requirement("wrapper:content-filter")
def test_content_filter_ends_it_at_once(drive):
    transport = Transport(ContentFiltered("refused", status=400))
    with pytest.raises(ContentFiltered):
        drive(router(transport, {}, {}).create({"messages": HELLO}))
    assert len(transport.asked) == 1


@requirement("wrapper:fallback:any")
def test_mistake_in_a_client_is_not_hidden_by_the_next_entry(drive):
    made = router(Transport(), {}, {})
    made.entries[0].client = CustomClient(SimpleNamespace(create=lambda params: params["nothing"]))
    with pytest.raises(KeyError, match="nothing"):
        drive(made.create({"messages": HELLO}))


class APIError(Exception):
    """Shaped like the one of the openai package."""


class APITimeoutError(APIError):
    pass


@requirement("wrapper:fallback:any")
@pytest.mark.parametrize("error", [APIError("down"), ConnectionError("down"), TimeoutError("slow")])
def test_service_errors_of_other_libraries_fall_back(drive, error):
    def create(params: Any) -> Any:
        raise error

    made = router(Transport(answer("second")), {}, {})
    made.entries[0].client = CustomClient(SimpleNamespace(create=create))
    assert drive(made.create({"messages": HELLO})).config_id == 1


def test_limits_and_cancelling_do_not_fall_back(drive):
    def create(params: Any) -> Any:
        raise RunCancelled

    made = router(Transport(), {}, {})
    made.entries[0].client = CustomClient(SimpleNamespace(create=create))
    with pytest.raises(RunCancelled):
        drive(made.create({"messages": HELLO}))


@requirement("wrapper:timeout")
def test_timeout_of_another_library_on_the_last_entry_is_a_timeout_error(drive):
    def create(params: Any) -> Any:
        raise APITimeoutError("too slow")

    made = router(Transport())
    made.entries[0].client = CustomClient(SimpleNamespace(create=create))
    with pytest.raises(TimeoutError, match="too slow"):
        drive(made.create({"messages": HELLO}))


@requirement("wrapper:fallback:last", "wrapper:secrets")
def test_last_error_tells_of_the_earlier_ones_without_their_secrets(drive):
    key = "sk-abcdefghijklmnop1234"
    transport = Transport(AuthenticationError(f"wrong key {key}"), NotFound("no such model"))
    with pytest.raises(NotFound, match="no such model") as caught:
        drive(router(transport, {"api_key": key}, {}).create({"messages": HELLO}))
    (note,) = caught.value.__notes__
    assert "config entry 0 (gpt-4o at api.openai.com)" in note
    assert "wrong key" in note
    assert key not in note


@pytest.mark.parametrize("messages", ["hello", HELLO[0], ["hello"], ("hello",)])
def test_texts_or_one_message_where_messages_are_wanted_are_refused(drive, messages):
    transport = Transport()
    with pytest.raises(UsageError, match="give a list of messages"):
        drive(router(transport).create({"messages": messages}))
    assert transport.asked == []


@requirement("wrapper:prompt")
@pytest.mark.parametrize("request_", [{}, {"messages": HELLO, "prompt": "x"}, {"messages": None}])
def test_messages_and_prompt_are_one_or_the_other(drive, request_):
    transport = Transport()
    with pytest.raises(UsageError, match="either 'messages' or 'prompt'"):
        drive(router(transport).create(dict(request_)))
    assert transport.asked == []


@requirement("wrapper:prompt")
def test_prompt_becomes_a_user_message(drive):
    transport = Transport()
    drive(router(transport).create({"prompt": "hello"}))
    assert list(transport.asked[0][1].messages) == HELLO


@requirement("wrapper:no-key")
def test_missing_key_shows_at_the_first_call_and_names_the_place(drive):
    made = router(Transport(), {"api_key": None})
    with pytest.raises(
        AuthenticationError, match=r"'api_key' into its config entry.*OPENAI_API_KEY"
    ):
        drive(made.create({"messages": HELLO}))


def test_entry_without_a_key_is_passed_over(drive):
    made = router(Transport(), {"api_key": None}, {})
    assert drive(made.create({"messages": HELLO})).config_id == 1


# -------------------------------------------------------------------------------------------- retry


@requirement("wrapper:retry")
@pytest.mark.parametrize(
    "error",
    [
        RateLimited("x"),
        ServerFault("x"),
        ConnectionFault("x"),
        ProviderTimeout("x"),
        MalformedAnswer("x"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_passing_fault_is_retried(drive, error):
    transport = Transport(error, error, answer("third time"))
    response = drive(router(transport).create({"messages": HELLO}))
    assert response.choices[0].message.content == "third time"
    assert len(transport.asked) == 3


def test_lasting_fault_is_not_retried(drive):
    transport = Transport(BadRequest("x"))
    with pytest.raises(BadRequest):
        drive(router(transport).create({"messages": HELLO}))
    assert len(transport.asked) == 1


@requirement("wrapper:retry")
@pytest.mark.parametrize("retries, attempts", [(0, 1), (1, 2), (4, 5)])
def test_max_retries_counts_the_attempts_after_the_first(drive, retries, attempts):
    transport = Transport(*[ServerFault(f"fault {i}") for i in range(9)])
    with pytest.raises(ServerFault, match=f"fault {attempts - 1}"):
        drive(router(transport, {"max_retries": retries}).create({"messages": HELLO}))
    assert len(transport.asked) == attempts


@requirement("wrapper:retry")
def test_pauses_grow_and_are_a_random_part_of_their_limit():
    transport = Transport(*[ServerFault("x") for _ in range(9)])
    made = router(transport, {"max_retries": 6}, jitter=0.5)
    error, slept = pauses(made.create({"messages": HELLO}))
    assert isinstance(error, ServerFault)
    assert slept == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]


def test_retry_after_is_honoured():
    transport = Transport(RateLimited("x", retry_after_s=7.0), answer())
    response, slept = pauses(router(transport, jitter=0.5).create({"messages": HELLO}))
    assert response.config_id == 0
    assert slept == [7.0]


def test_retry_after_beyond_the_timeout_is_not_waited_for():
    transport = Transport(RateLimited("x", retry_after_s=61.0))
    error, slept = pauses(router(transport, {"timeout": 60}).create({"messages": HELLO}))
    assert isinstance(error, RateLimited)
    assert slept == []


def test_no_attempt_starts_after_the_deadline():
    # Two attempts of 10 s each: what took longer than 20 s in all is over.
    times = iter([0.0, 20.5])
    transport = Transport(ConnectionFault("x"))
    made = router(transport, {"timeout": 10, "max_retries": 1}, clock=lambda: next(times, 20.5))
    error, slept = pauses(made.create({"messages": HELLO}))
    assert isinstance(error, ConnectionFault)
    assert (len(transport.asked), slept) == (1, [])


def test_nothing_is_retried_or_asked_elsewhere_once_tokens_were_shown(drive):
    class Broken(ConnectionFault):
        shown = True

    transport = Transport(Broken("cut off"))
    with pytest.raises(Broken):
        drive(router(transport, {}, {}).create({"messages": HELLO}))
    assert len(transport.asked) == 1


def test_client_of_the_user_that_reports_a_passing_fault_is_retried(drive):
    things: list[Any] = [RateLimited("x"), answer("again")]

    def create(params: Any) -> Any:
        thing = things.pop(0)
        if isinstance(thing, Exception):
            raise thing
        return thing

    made = router(Transport())
    made.entries[0].client = CustomClient(SimpleNamespace(create=create))
    assert drive(made.create({"messages": HELLO})).choices[0].message.content == "again"


# ------------------------------------------------------------------------------------------ options


@requirement("wrapper:precedence")
def test_explicit_argument_beats_entry_beats_top_level(drive):
    transport = Transport()
    made = router(transport, {"temperature": 0.2, "top_p": 0.2}, temperature=0.1, top_p=0.1, seed=1)
    drive(made.create({"messages": HELLO, "temperature": 0.3}))
    assert transport.asked[0][1].options == {"temperature": 0.3, "top_p": 0.2, "seed": 1}


@requirement("wrapper:options")
def test_only_request_options_reach_the_model(drive):
    transport = Transport()
    made = router(
        transport,
        {"tags": ["x"], "price": [1, 2], "api_rate_limit": 1e9, "organization": "o", "timeout": 3},
        cache_seed=None,
        allow_format_str_template=True,
        max_retries=1,
    )
    drive(
        made.create({"messages": HELLO, "agent": object(), "context": None, "cache": None, "n": 2})
    )
    endpoint, request = transport.asked[0]
    assert request.options == {"n": 2}
    assert (endpoint.timeout_s, endpoint.max_retries, endpoint.organization) == (3.0, 1, "o")


def test_model_and_client_options_of_a_call_change_the_endpoint(drive):
    transport = Transport()
    made = router(transport)
    drive(
        made.create(
            {"messages": HELLO, "model": "gpt-4o-mini", "timeout": 5, "base_url": "http://x"}
        )
    )
    drive(made.create({"messages": HELLO}))
    first, second = (endpoint for endpoint, _ in transport.asked)
    assert (first.model, first.timeout_s, first.base_url) == ("gpt-4o-mini", 5.0, "http://x")
    assert (second.model, second.timeout_s) == ("gpt-4o", 600.0)


def test_unset_options_and_empty_tools_are_left_out(drive):
    transport = Transport()
    made = router(transport, tools=[{"type": "function"}], stop=None)
    drive(made.create({"messages": HELLO, "tools": [], "seed": None, "stream": True}))
    request = transport.asked[0][1]
    assert request.options == {}
    assert request.stream is True


def test_message_list_reaches_the_transport_as_it_is(drive):
    transport = Transport()
    drive(router(transport).create({"messages": HELLO}))
    assert transport.asked[0][1].messages is HELLO


@requirement("wrapper:templates")
def test_templates_are_filled_in_where_there_is_context(drive):
    transport = Transport()
    plain = {"role": "user", "content": "{x}"}
    messages = [plain, {"role": "user", "content": lambda c: f"got {c['x']}"}]
    drive(router(transport).create({"messages": messages, "context": {"x": 1}}))
    sent = transport.asked[0][1].messages
    assert [m["content"] for m in sent] == ["{x}", "got 1"]
    assert sent[0] is plain
    drive(
        router(transport, allow_format_str_template=True).create(
            {"messages": [plain], "context": {"x": 1}}
        )
    )
    assert [m["content"] for m in transport.asked[1][1].messages] == ["1"]
    assert plain == {"role": "user", "content": "{x}"}


@requirement("wrapper:templates")
def test_template_that_the_context_does_not_fill_in_is_shown(drive):
    message = {"role": "user", "content": "hello {name}"}
    request = {"messages": [message], "context": {"place": 1}, "allow_format_str_template": True}
    with pytest.raises(KeyError, match="name") as caught:
        drive(router(Transport()).create(request))
    assert "'hello {name}'" in caught.value.__notes__[0]
    assert "['place']" in caught.value.__notes__[0]


def test_instantiate_leaves_what_is_no_template():
    assert instantiate(None, {"x": 1}) is None
    assert instantiate("{x}", None, True) == "{x}"
    assert instantiate([{"type": "text"}], {"x": 1}, True) == [{"type": "text"}]


# ------------------------------------------------------------------------------------------- filter


@requirement("wrapper:filter")
def test_filter_moves_on_to_the_next_entry(drive):
    transport = Transport(answer("no"), answer("yes"))
    seen = []

    def accept(*, context: Any, response: Any) -> bool:
        seen.append((context, response.config_id))
        return response.choices[0].message.content == "yes"

    made = router(transport, {}, {}, filter_func=accept)
    response = drive(made.create({"messages": HELLO, "context": {"a": 1}}))
    assert (response.config_id, response.pass_filter) == (1, True)
    assert seen == [({"a": 1}, 0), ({"a": 1}, 1)]


@requirement("wrapper:filter:last")
def test_answer_of_the_last_entry_is_returned_even_if_rejected(drive):
    made = router(Transport(answer("no")), filter_func=lambda context, response: False)
    response = drive(made.create({"messages": HELLO}))
    assert (response.choices[0].message.content, response.pass_filter) == ("no", False)


# -------------------------------------------------------------------------------- price and ledgers


@requirement("price:entry")
@pytest.mark.parametrize(
    "price, cost", [([1, 2], 1.2), (0.5, 0.55), (0, 0.0)], ids=["pair", "one number", "free"]
)
def test_price_of_the_entry_beats_the_table(drive, price, cost):
    response = drive(router(Transport(), {"price": price}).create({"messages": HELLO}))
    assert response.cost == pytest.approx(cost)
    assert response.cost_usd == pytest.approx(cost)


def test_known_model_is_priced_by_the_table(drive):
    response = drive(router(Transport()).create({"messages": HELLO}))
    assert response.cost == pytest.approx(1000 * 2.5e-6 + 100 * 10e-6)


@requirement("price:unknown")
def test_unknown_price_is_unknown_counts_as_zero_and_is_said_once(drive, caplog, request):
    model = f"nobody-knows-{request.node.callspec.id}"
    transport = Transport(answer(model=model), answer(model=model))
    made = router(transport)
    with caplog.at_level(logging.WARNING, "autogen"):
        first = drive(made.create({"messages": HELLO}))
        drive(made.create({"messages": HELLO}))
    assert (first.cost, first.cost_usd) == (0.0, None)
    assert made.ledger.unpriced == [model]
    assert made.ledger.total["total_cost"] == 0.0
    assert [r.getMessage() for r in caplog.records if model in r.getMessage()] == [
        f"The price of model {model!r} is not known, so its cost is shown as unknown "
        "and counts as 0; add 'price': [prompt, completion] in US dollars per 1,000 tokens to "
        "its config entry."
    ]


def test_every_answer_is_accounted_even_a_rejected_one(drive):
    told: list[Usage] = []
    made = router(
        Transport(answer("no"), answer("yes", prompt=7, completion=3)),
        {},
        {},
        filter_func=lambda context, response: response.config_id == 1,
    )
    drive(made.create({"messages": HELLO, "on_usage": told.append}))
    assert [(u.prompt_tokens, u.completion_tokens, u.is_cached) for u in told] == [
        (1000, 100, False),
        (7, 3, False),
    ]
    assert made.ledger.total["gpt-4o"]["total_tokens"] == 1110
    assert made.ledger.total == made.ledger.actual


@requirement("usage:untold")
def test_answer_without_usage_is_counted_here(drive):
    transport = Transport(ChatCompletion([Choice(ChatCompletionMessage("hi"))]))
    made = router(transport)
    response = drive(made.create({"messages": HELLO}))
    assert response.usage.prompt_tokens > 0 and response.usage.completion_tokens == 1
    assert response.cost_usd == made.ledger.total["total_cost"] > 0


# --------------------------------------------------------------------------------------------- rate


@requirement("wrapper:rate")
def test_rate_limit_spaces_the_requests_of_all_who_use_the_endpoint():
    url = "http://rate.test/v1"
    one = router(Transport(), {"api_rate_limit": 2, "base_url": url})
    two = router(Transport(), {"api_rate_limit": 2, "base_url": url})
    slept = [pauses(made.create({"messages": HELLO}))[1] for made in (one, two, one)]
    assert slept == [[], [0.5], [1.0]]


def test_rate_limit_counts_retries():
    transport = Transport(ServerFault("x"))
    made = router(transport, {"api_rate_limit": 1, "base_url": "http://retries.test/v1"})
    assert pauses(made.create({"messages": HELLO}))[1] == [0.0, 1.0]


# ---------------------------------------------------------------------------------- texts and calls


@requirement("wrapper:texts")
def test_called_tools_come_back_as_the_whole_message(drive):
    message = ChatCompletionMessage(None, tool_calls=[ToolCall("c1", FunctionCall("f", "{}"))])
    made = router(Transport(ChatCompletion([Choice(message)], model="gpt-4o")))
    response = drive(made.create({"messages": HELLO}))
    assert response.message_retrieval_function(response) == [message]


def test_transport_handed_in_as_http_client_is_used(drive):
    mine = Transport(answer("mine"))
    made = router(Transport(), {"http_client": mine})
    assert drive(made.create({"messages": HELLO})).choices[0].message.content == "mine"


def test_http_client_of_another_library_is_said_to_be_unused_once(drive, caplog, request):
    foreign = type(f"Foreign{request.node.callspec.id}", (), {})()
    made = router(Transport(), {"http_client": foreign})
    with caplog.at_level(logging.WARNING, "autogen"):
        drive(made.create({"messages": HELLO}))
        drive(made.create({"messages": HELLO}))
    said = [r.getMessage() for r in caplog.records if type(foreign).__name__ in r.getMessage()]
    assert len(said) == 1
    assert "is not used" in said[0]


def test_provider_errors_are_raised_unwrapped(drive):
    error = ServerFault("down", status=503, provider="api.openai.com")
    with pytest.raises(ProviderError) as caught:
        drive(router(Transport(error), {"max_retries": 0}).create({"messages": HELLO}))
    assert caught.value is error
