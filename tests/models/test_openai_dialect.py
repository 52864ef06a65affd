"""The OpenAI wire form: requests built, answers parsed, streams folded, faults named."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.requirements import requirement

from autogen.errors import (
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
    UsageError,
)
from autogen.messages import Message
from autogen.models.base import ChatCompletion, CompletionUsage, Endpoint, ModelRequest
from autogen.models.dialects.openai import Delta, StreamFold, build, fault, parse

KEY = "sk-test-0123456789abcdef"
USER = {"role": "user", "content": "hi"}


def endpoint(**fields: Any) -> Endpoint:
    given = {"model": "gpt-4o", "api_key": KEY, "base_url": "https://models.example/v1", **fields}
    return Endpoint(**given)


def azure(**fields: Any) -> Endpoint:
    given = {
        "api_type": "azure",
        "model": "gpt-4o",
        "base_url": "https://me.openai.example",
        "api_version": "2024-02-01",
        **fields,
    }
    return endpoint(**given)


def request(*messages: dict[str, Any], stream: bool = False, **options: Any) -> ModelRequest:
    return ModelRequest(messages=messages or (USER,), options=options, stream=stream)


def sent(*messages: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The body of a request, read back."""
    body: dict[str, Any] = json.loads(build(endpoint(), request(*messages, **options)).body)
    return body


# -- requests --------------------------------------------------------------------------------------


def test_request_names_model_messages_and_options() -> None:
    made = build(endpoint(organization="org"), request(temperature=0.5))
    assert made.url == "https://models.example/v1/chat/completions"
    assert json.loads(made.body) == {"model": "gpt-4o", "messages": [USER], "temperature": 0.5}
    assert made.headers["Authorization"] == f"Bearer {KEY}"
    assert made.headers["OpenAI-Organization"] == "org"
    assert made.headers["Content-Type"] == "application/json"
    assert KEY not in repr(made)


def test_options_of_the_endpoint_are_defaults() -> None:
    made = build(endpoint(options={"temperature": 1, "seed": 2}), request(temperature=0))
    assert json.loads(made.body) | {"messages": []} == {
        "model": "gpt-4o",
        "messages": [],
        "temperature": 0,
        "seed": 2,
    }


def test_without_key_no_authorization_is_sent() -> None:
    assert "Authorization" not in build(endpoint(api_key=None), request()).headers


def test_headers_of_the_user_win_in_any_case() -> None:
    made = build(
        endpoint(headers={"authorization": "Basic x", "X-Team": "a"}),
        request(extra_headers={"x-call": 1}, extra_body={"top_k": 5}),
    )
    assert made.headers["authorization"] == "Basic x"
    assert "Authorization" not in made.headers
    assert made.headers["X-Team"] == "a" and made.headers["x-call"] == "1"
    assert json.loads(made.body)["top_k"] == 5


@pytest.mark.parametrize("key", ["sk-line\nend", "sk-nul\0", "sk-…"])
def test_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UsageError, match="the API key has a character") as caught:
        build(endpoint(api_key=key), request())
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "base_url,url",
    [
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1?tenant=a", "http://h/v1/chat/completions?tenant=a"),
    ],
)
def test_url_of_compatible_servers(base_url: str, url: str) -> None:
    assert build(endpoint(base_url=base_url), request()).url == url


DEPLOYMENT = "https://h/openai/deployments/gpt-4o/chat/completions?api-version=2024-02-01"


@requirement("provider:azure")
@pytest.mark.parametrize(
    "base_url,url",
    [
        ("https://h", DEPLOYMENT),
        ("https://h/", DEPLOYMENT),
        ("https://h/openai", DEPLOYMENT),
        (
            "https://h/openai/deployments/other",
            "https://h/openai/deployments/other/chat/completions?api-version=2024-02-01",
        ),
        (
            "https://h?api-version=2025-01-01",
            "https://h/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01",
        ),
        ("https://h/openai/v1", "https://h/openai/v1/chat/completions"),
    ],
)
def test_url_of_azure(base_url: str, url: str) -> None:
    assert build(azure(base_url=base_url), request()).url == url


def test_azure_version_preview_belongs_to_its_v1_address() -> None:
    made = build(azure(base_url="https://h/openai/v1", api_version="preview"), request())
    assert made.url == "https://h/openai/v1/chat/completions?api-version=preview"


def test_azure_takes_a_key_header_or_a_bearer_token() -> None:
    keyed = build(azure(), request()).headers
    assert keyed["api-key"] == KEY and "Authorization" not in keyed
    signed = build(azure(), request(), bearer="token").headers
    assert signed["Authorization"] == "Bearer token" and "api-key" not in signed


def test_stream_asks_for_usage_unless_the_caller_decided() -> None:
    made = build(endpoint(), request(stream=True))
    assert json.loads(made.body)["stream"] is True
    assert json.loads(made.body)["stream_options"] == {"include_usage": True}
    assert made.headers["Accept"] == "text/event-stream"
    own = build(endpoint(), request(stream=True, stream_options={"include_usage": False}))
    assert json.loads(own.body)["stream_options"] == {"include_usage": False}
    assert "stream" not in sent()


@pytest.mark.parametrize(
    "name,wire",
    [
        ("coder", "coder"),
        ("Agent-7_b", "Agent-7_b"),
        ("the coder", "the_coder"),
        ("Grüße.x", "Gr__e_x"),
        ("a" * 70, "a" * 64),
        ("line\n", "line_"),
        ("", None),
        (None, None),
    ],
)
def test_names_are_made_fit_for_the_wire_only(name: Any, wire: str | None) -> None:
    message = Message(role="user", content="x", name=name)
    assert sent(message)["messages"][0].get("name") == wire
    assert message["name"] == name


def test_keys_that_are_not_for_the_wire_are_dropped() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "s", "context": {"a": object()}, "override_role": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call], "function_call": None},
        {"role": "tool", "tool_call_id": "1", "content": "2", "tool_responses": [{}]},
        {"role": "user", "content": "x", "tool_calls": []},
    ]
    assert sent(*messages)["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "2"},
        {"role": "user", "content": "x"},
    ]


def test_content_parts_pass_through() -> None:
    parts = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    assert sent({"role": "user", "content": parts})["messages"][0]["content"] == parts


@pytest.mark.parametrize(
    "text,wire",
    [
        ("nul \0 here", "nul  here"),
        ("half \ud800 here", "half \ufffd here"),
        ("two halves \ud83d\ude00", "two halves 😀"),
        ("back\\u0000slash", "back\\u0000slash"),
        ("Grüße 😀\u2028", "Grüße 😀\u2028"),
    ],
)
def test_text_that_servers_refuse_is_made_safe(text: str, wire: str) -> None:
    messages = sent({"role": "user", "content": text})["messages"]
    assert messages[0]["content"] == wire
    nested = sent(USER, tools=[{"description": text}])["tools"]
    assert nested == [{"description": wire}]


def test_a_message_is_encoded_once_and_anew_after_a_change() -> None:
    message = Message(role="user", content="one")
    build(endpoint(), request(message))
    assert message.wire is not None
    kept = message.wire[1]
    build(endpoint(), request(message))
    assert message.wire[1] is kept
    message["content"] = "two"
    assert sent(message)["messages"][0]["content"] == "two"


def test_a_change_inside_nested_values_is_seen() -> None:
    message = Message(role="user", content=[{"type": "text", "text": "one"}])
    sent(message)
    message["content"][0]["text"] = "two"
    assert sent(message)["messages"][0]["content"][0]["text"] == "two"


def test_function_as_content_is_refused() -> None:
    with pytest.raises(UsageError, match="is a function"):
        sent({"role": "user", "content": lambda context: "x"})


@pytest.mark.parametrize("value", [object(), float("nan"), b"bytes", {1, 2}])
def test_option_that_json_cannot_say_is_named(value: Any) -> None:
    with pytest.raises(UsageError, match="request option 'seed'"):
        sent(USER, temperature=0, seed=value)


def test_message_key_that_json_cannot_say_is_named() -> None:
    with pytest.raises(UsageError, match="message key 'content' of a 'user' message"):
        sent({"role": "user", "content": [{"type": "text", "text": b"x"}]})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UsageError, match="message key 'content'"):
        sent({"role": "user", "content": loop})


def test_class_of_pydantic_becomes_a_response_format() -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        text: str

    made = sent(USER, response_format=Answer)["response_format"]
    assert made["type"] == "json_schema"
    assert made["json_schema"]["name"] == "Answer"
    assert made["json_schema"]["schema"]["properties"] == {
        "text": {"title": "Text", "type": "string"}
    }


# -- answers ---------------------------------------------------------------------------------------


def body(message: Any = None, **fields: Any) -> bytes:
    message = {"role": "assistant", "content": "hello"} if message is None else message
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "model": "gpt-4o-x", "choices": [choice], **fields}).encode()


def test_answer_has_the_shape_of_the_official_client() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    answer = parse(body(usage=usage, created=7, system_fingerprint="fp"), endpoint())
    assert answer.choices[0].message.content == "hello"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.id, answer.model, answer.created) == ("c1", "gpt-4o-x", 7)
    assert answer.system_fingerprint == "fp"
    assert answer.usage == CompletionUsage(10, 5, 15, 4, 3)


def test_tool_calls_of_an_answer() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
        {"function": {"name": "g", "arguments": {"x": 1}}},
        {"id": "c", "function": {"name": "h"}},
    ]
    made = parse(body({"content": None, "tool_calls": calls}), endpoint()).choices[0].message
    assert made.content is None and made.tool_calls is not None
    assert [(c.id, c.type, c.function.name, c.function.arguments) for c in made.tool_calls] == [
        ("a", "function", "f", '{"x": 1}'),
        (None, "function", "g", '{"x": 1}'),
        ("c", "function", "h", ""),
    ]


def test_what_services_add_is_understood() -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    parts = [*thinking, {"type": "text", "text": "yes"}]
    made = parse(body({"content": parts}), endpoint()).choices[0].message
    assert (made.content, made.reasoning_content) == ("yes", "hm")
    made = parse(body({"content": "x", "reasoning": "why"}), endpoint()).choices[0].message
    assert made.reasoning_content == "why"
    made = parse(body({"content": None, "refusal": "no"}), endpoint()).choices[0].message
    assert made.refusal == "no"
    call = {"name": "f", "arguments": "{}"}
    made = parse(body({"content": None, "function_call": call}), endpoint()).choices[0].message
    assert made.function_call is not None and made.function_call.name == "f"


def test_older_completions_and_missing_fields_are_filled_in() -> None:
    answer = parse(b'{"choices": [{"text": "old"}], "usage": "?"}', endpoint())
    assert answer.choices[0].message.content == "old"
    assert (answer.model, answer.usage, answer.id) == ("gpt-4o", None, "")


@pytest.mark.parametrize(
    "wrong,words",
    [
        (b"", "an empty body"),
        (b"  \n", "an empty body"),
        (b"<!doctype html><p>Welcome", "HTML page.*base_url.*Welcome"),
        (b'{"choices": [{"mess', "not JSON.*mess"),
        (b"\xff\xfe\x00binary", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"null", "without 'choices'"),
        (b"[]", "without 'choices'"),
        (b'{"choices": []}', "without 'choices'"),
        (b'{"choices": null}', "without 'choices'"),
        (b'{"choices": "x"}', "not a list"),
        (b'{"choices": [1]}', "not an object"),
        (b'{"choices": [{}]}', "without a message"),
        (b'{"choices": [{"message": "x"}]}', "without a message"),
        (b'{"choices": [{"message": {"content": 5}}]}', "not text"),
        (b'{"choices": [{"message": {"tool_calls": [1]}}]}', "tool_calls"),
        (b'{"choices": [{"message": {"tool_calls": {"a": 1}}}]}', "tool_calls"),
        (b'{"choices": [{"message": {"tool_calls": [{"id": "a"}]}}]}', "function name"),
    ],
)
def test_garbage_is_a_malformed_answer(wrong: bytes, words: str) -> None:
    with pytest.raises(MalformedAnswer, match=f"(?s)models.example.*{words}") as caught:
        parse(wrong, endpoint())
    assert caught.value.retryable and len(str(caught.value)) < 500


def test_excerpt_of_a_wrong_answer_holds_no_key() -> None:
    with pytest.raises(MalformedAnswer) as caught:
        parse(f"you said {KEY} and Bearer abcdefghijkl".encode(), endpoint())
    assert KEY not in str(caught.value) and "abcdefghijkl" not in str(caught.value)


def test_error_inside_a_success_is_raised_as_what_it_is() -> None:
    with pytest.raises(RateLimited) as caught:
        parse(b'{"error": {"message": "slow down", "code": 429}}', endpoint())
    assert caught.value.status == 200 and caught.value.code == "429"
    with pytest.raises(ServerFault, match="slow"):
        parse(b'{"error": "slow"}', endpoint())


def test_answer_that_a_policy_emptied_is_a_refusal() -> None:
    choice = {"message": {"content": ""}, "finish_reason": "content_filter"}
    with pytest.raises(ContentFiltered, match="withheld"):
        parse(json.dumps({"choices": [choice]}).encode(), endpoint())
    choice["message"] = {"content": "a part"}
    assert parse(json.dumps({"choices": [choice]}).encode(), endpoint()).choices


def test_stream_that_nobody_asked_for_is_read() -> None:
    assert parse(TEXT_STREAM, endpoint()).choices[0].message.content == "Grüße 😀 you"


def junk(*names: str, **inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object some of whose fields are right in name and wrong in kind; or no object at all."""
    fields = dict.fromkeys(names, SCALARS) | inner
    return SCALARS | st.fixed_dictionaries({}, optional=fields) | st.lists(SCALARS, max_size=2)


SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 10**30, 0.5, float("nan"), float("inf"), "", "x", {}]
)
FUNCTIONS = junk("name", "arguments")
CALLS = junk("index", "id", "type", function=FUNCTIONS)
MESSAGES = junk(
    "role",
    "refusal",
    "reasoning",
    content=junk() | st.lists(junk("type", "text", "thinking"), max_size=2),
    tool_calls=junk() | st.lists(CALLS, max_size=3),
    function_call=FUNCTIONS,
)
CHOICES = junk(
    "index", "finish_reason", "text", message=MESSAGES, delta=MESSAGES, logprobs=junk("content")
)
USAGES = junk("prompt_tokens", "total_tokens", prompt_tokens_details=junk("cached_tokens"))
ERRORS = junk(
    "message", "code", "type", innererror=junk("code", content_filter_result=junk("hate"))
)
ANSWERS = junk(
    "id",
    "model",
    "created",
    choices=junk() | st.lists(CHOICES, max_size=3),
    usage=USAGES,
    error=ERRORS,
)


@given(st.lists(ANSWERS, min_size=1, max_size=3))
def test_any_json_is_an_answer_or_a_provider_error(values: list[Any]) -> None:
    texts = [json.dumps(value).encode() for value in values]
    reads: list[Callable[[], ChatCompletion]] = [
        lambda: parse(texts[0], endpoint()),
        lambda: fold([*(b"data: " + text + b"\n\n" for text in texts), DONE])[0],
    ]
    for read in reads:
        try:
            answer = read()
        except ProviderError:
            continue
        assert isinstance(answer, ChatCompletion)
        assert json.loads(answer.model_dump_json()) == json.loads(json.dumps(answer.model_dump()))
    assert isinstance(fault(400, {}, texts[0], endpoint()), ProviderError)


# -- streams ---------------------------------------------------------------------------------------


def event(delta: Any = None, *, finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish}
    return data({"id": "s1", "model": "gpt-4o-x", "created": 9, "choices": [choice], **fields})


def data(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
USAGE = data({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
TEXT_STREAM = b"".join(
    [
        b": a comment\n\n",
        event({"role": "assistant", "content": ""}),
        event({"content": "Grüße "}),
        event({"content": "😀 you"}),
        event({}, finish="stop"),
        USAGE,
        DONE,
    ]
)
THINKING_STREAM = b"".join(
    [
        event({"reasoning_content": "let me "}),
        event({"reasoning_content": "see"}),
        event({"content": "42"}),
        event(finish="stop"),
    ]
)


def call(
    index: Any = 0, id: Any = None, name: Any = None, arguments: Any = None, **more: Any
) -> dict[str, Any]:
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    made = {"index": index, "id": id, "function": function, **more}
    return {"tool_calls": [{k: v for k, v in made.items() if v is not None}]}


TOOL_STREAM = b"".join(
    [
        event(call(0, "a", "add", "", type="function")),
        event(call(0, None, None, '{"x":')),
        event(call(1, "b", "sub", '{"y": 2}')),
        event(call(0, None, None, " 1}")),
        event(finish="tool_calls"),
        DONE,
    ]
)


def fold(chunks: Sequence[bytes]) -> tuple[ChatCompletion, list[Delta]]:
    folding = StreamFold(endpoint())
    deltas = [delta for chunk in chunks for delta in folding.feed(chunk)]
    return folding.finish(), deltas


def calls(answer: ChatCompletion) -> list[tuple[str | None, str | None, str, str]]:
    found = answer.choices[0].message.tool_calls
    assert found is not None
    return [(c.id, c.type, c.function.name, c.function.arguments) for c in found]


def test_text_stream_is_folded_and_shown() -> None:
    answer, deltas = fold([TEXT_STREAM])
    assert answer.choices[0].message.content == "Grüße 😀 you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage == CompletionUsage(3, 2, 5)
    assert (answer.id, answer.model, answer.created) == ("s1", "gpt-4o-x", 9)
    assert answer.object == "chat.completion"
    assert deltas == [("text", "Grüße "), ("text", "😀 you")]


def test_reasoning_is_kept_apart() -> None:
    answer, deltas = fold([THINKING_STREAM])
    assert answer.choices[0].message.reasoning_content == "let me see"
    assert answer.choices[0].message.content == "42"
    assert deltas == [("reasoning", "let me "), ("reasoning", "see"), ("text", "42")]


def test_refusal_is_folded() -> None:
    answer, deltas = fold([event({"refusal": "I "}), event({"refusal": "won't"}, finish="stop")])
    assert answer.choices[0].message.refusal == "I won't"
    assert answer.choices[0].message.content is None
    assert [d.kind for d in deltas] == ["refusal", "refusal"]


@requirement("wrapper:stream:calls")
def test_tool_calls_are_merged_by_index() -> None:
    answer, deltas = fold([TOOL_STREAM])
    assert deltas == []
    assert calls(answer) == [
        ("a", "function", "add", '{"x": 1}'),
        ("b", "function", "sub", '{"y": 2}'),
    ]


def test_tool_calls_without_index_id_or_type_are_tolerated() -> None:
    answer, _ = fold(
        [event(call(None, None, "f", '{"x"')), event(call(None, None, None, ": 1}")), DONE]
    )
    assert calls(answer) == [(None, "function", "f", '{"x": 1}')]


def test_whole_tool_calls_that_are_all_numbered_zero_stay_apart() -> None:
    answer, _ = fold([event(call(0, "a", "f", "{}")), event(call(0, "b", "f", "{}")), DONE])
    assert [c[0] for c in calls(answer)] == ["a", "b"]


def test_names_that_are_repeated_with_each_piece_are_taken_once() -> None:
    answer, _ = fold([event(call(0, "a", "f", "{")), event(call(0, "a", "f", "}")), DONE])
    assert calls(answer) == [("a", "function", "f", "{}")]


def test_function_call_of_the_older_form_is_folded() -> None:
    answer, _ = fold(
        [
            event({"function_call": {"name": "f", "arguments": "{"}}),
            event({"function_call": {"arguments": "}"}}, finish="function_call"),
        ]
    )
    made = answer.choices[0].message.function_call
    assert made is not None and (made.name, made.arguments) == ("f", "{}")


def test_numbers_that_are_none_count_as_nothing() -> None:
    answer = parse(body(created=float("inf"), usage={"prompt_tokens": float("nan")}), endpoint())
    assert answer.created == 0 and answer.usage == CompletionUsage()


def test_call_without_a_name_is_malformed() -> None:
    with pytest.raises(MalformedAnswer, match="names no function"):
        fold([event(call(0, "a", None, "{}")), DONE])


def test_choices_grow_apart_and_only_the_first_is_shown() -> None:
    answer, deltas = fold(
        [event({"content": "b"}, index=1), event({"content": "a"}, index=0), DONE]
    )
    assert [c.message.content for c in answer.choices] == ["a", "b"]
    assert deltas == [("text", "a")]


def test_logprobs_are_joined() -> None:
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [{"token": "a"}]}}
    answer, _ = fold([data({"choices": [choice]}) * 2, DONE])
    assert answer.choices[0].logprobs == {"content": [{"token": "a"}, {"token": "a"}]}


@pytest.mark.parametrize(
    "raw",
    [
        TEXT_STREAM.replace(b"\n", b"\r\n"),
        TEXT_STREAM.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + TEXT_STREAM,
        TEXT_STREAM.replace(b"data: ", b"data:"),
        TEXT_STREAM.replace(b"data: ", b"event: chunk\nid: 7\nretry: 5\ndata: "),
        TEXT_STREAM.replace(b', "choices"', b',\ndata: "choices"'),
        TEXT_STREAM.replace(b"\n\n", b"\n"),
        TEXT_STREAM.rstrip(),
        TEXT_STREAM.replace(DONE, b""),
        TEXT_STREAM + b"data: not read any more\n\n",
    ],
    ids="crlf cr bom tight fields lines dense unended no-done more".split(),
)
def test_other_ways_to_write_a_stream_mean_the_same(raw: bytes) -> None:
    answer, _ = fold([raw])
    assert answer.choices[0].message.content == "Grüße 😀 you"
    assert answer.usage == CompletionUsage(3, 2, 5)


CUT_STREAM = TEXT_STREAM[: TEXT_STREAM.index("😀".encode())]
ERROR_STREAM = event({"content": "a"}) + data({"error": {"message": "m", "type": "server_error"}})
STREAMS = (
    TEXT_STREAM,
    TEXT_STREAM.replace(b"\n", b"\r\n"),
    TEXT_STREAM.replace(b', "choices"', b',\r\ndata: "choices"'),
    THINKING_STREAM,
    TOOL_STREAM,
    CUT_STREAM,
    ERROR_STREAM,
    event({"content": "a"}, finish="stop") + b'data: {"choi',
    b"",
    b"<html>",
)


@given(st.data())
def test_any_chunking_of_a_stream_folds_to_the_same(choose: st.DataObject) -> None:
    raw = choose.draw(st.sampled_from(STREAMS))
    cuts = sorted(choose.draw(st.sets(st.integers(0, len(raw)), max_size=30)))
    edges = [0, *cuts, len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges)]

    def outcome(chunks: Sequence[bytes]) -> Any:
        try:
            return fold(chunks)
        except ProviderError as error:
            return type(error), str(error)

    assert outcome(pieces) == outcome([raw])
    assert outcome([raw[i : i + 1] for i in range(len(raw))]) == outcome([raw])


@pytest.mark.parametrize("end", range(0, len(THINKING_STREAM) - 40, 7))
def test_stream_cut_before_its_finish_reason_is_malformed(end: int) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        fold([THINKING_STREAM[:end]])
    assert caught.value.retryable


def test_cut_stream_says_so() -> None:
    with pytest.raises(MalformedAnswer, match="stopped in the middle"):
        fold([CUT_STREAM])


def test_done_without_finish_reason_is_the_end() -> None:
    answer, _ = fold([event({"content": "a"}), DONE])
    assert answer.choices[0].message.content == "a"


@pytest.mark.parametrize(
    "raw,words",
    [
        (b"", "empty body"),
        (DONE, "without an answer"),
        (USAGE + DONE, "without an answer"),
        (b"data: {half\n\n", "not JSON"),
        (b"data: [1]\n\n", "not an object"),
        (b'data: {"choices": [1]}\n\n', "list of objects"),
        (b'data: {"choices": [{"delta": "x"}]}\n\n', "delta"),
        (b'data: {"choices": [{"delta": {"tool_calls": [1]}}]}\n\n', "tool call"),
        (b'data: {"choices": [{"delta": {"tool_calls": true}}]}\n\n', "tool_calls"),
    ],
)
def test_garbage_in_a_stream_is_malformed(raw: bytes, words: str) -> None:
    with pytest.raises(MalformedAnswer, match=words):
        fold([raw])


@pytest.mark.parametrize(
    "error,kind",
    [
        ({"message": "m", "type": "server_error"}, ServerFault),
        ({"message": "m", "type": "rate_limit_error"}, RateLimited),
        ({"message": "m", "code": 503}, ServerFault),
        ({"message": "m", "code": "content_filter"}, ContentFiltered),
        ({"message": "m", "code": "context_length_exceeded"}, ContextTooLong),
        ("m", ServerFault),
    ],
)
@pytest.mark.parametrize("prefix", [b"data: ", b"", b"event: error\ndata: "])
def test_error_in_a_stream_is_raised(error: Any, kind: type[ProviderError], prefix: bytes) -> None:
    raw = prefix + json.dumps({"error": error}).encode() + b"\n\n"
    with pytest.raises(kind, match=r"inside its answer.*: m"):
        fold([event({"content": "a"}), raw])


# -- faults ----------------------------------------------------------------------------------------


def failed(
    status: int, error: Any = None, *, to: Endpoint | None = None, **headers: str
) -> ProviderError:
    said = b"" if error is None else json.dumps({"error": error}).encode()
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return fault(status, named, said, to or endpoint())


@pytest.mark.parametrize(
    "status,kind,retryable",
    [
        (302, BadRequest, False),
        (400, BadRequest, False),
        (401, AuthenticationError, False),
        (402, PermissionDenied, False),
        (403, PermissionDenied, False),
        (404, NotFound, False),
        (408, ServerFault, True),
        (409, ServerFault, True),
        (413, BadRequest, False),
        (418, BadRequest, False),
        (422, BadRequest, False),
        (429, RateLimited, True),
        (500, ServerFault, True),
        (503, ServerFault, True),
        (529, ServerFault, True),
    ],
)
def test_class_of_a_status(status: int, kind: type[ProviderError], retryable: bool) -> None:
    error = failed(status, {"message": "No.", "code": "c"})
    assert type(error).__name__ == kind.__name__
    assert error.retryable is retryable
    assert (error.status, error.provider, error.code) == (status, "models.example", "c")
    assert error.shown is False
    assert "models.example" in str(error) and "'gpt-4o'" in str(error) and "No." in str(error)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "x", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 8192 tokens."},
        {"message": "prompt is too long: 250000 tokens > 200000 maximum"},
        {"message": "the request exceeds the available context size"},
        {"message": "Input is too long for requested model."},
        "Requested tokens exceed context window of 4096",
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_context_too_long_is_recognised(error: Any, status: int) -> None:
    made = failed(status, error)
    assert type(made).__name__ == ContextTooLong.__name__ and not made.retryable


def test_content_filter_is_recognised() -> None:
    made = failed(400, {"message": "x", "code": "content_policy_violation"})
    assert type(made).__name__ == ContentFiltered.__name__


def test_content_filter_of_azure_is_recognised() -> None:
    results = {
        "hate": {"filtered": False, "severity": "safe"},
        "violence": {"filtered": True, "severity": "medium"},
    }
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": results}
    for code in ("content_filter", None):
        made = failed(400, {"message": "m", "code": code, "innererror": inner}, to=azure())
        assert type(made).__name__ == ContentFiltered.__name__
        assert "(violence)" in str(made)


def test_missing_model_and_deployment_are_named() -> None:
    assert "model name 'gpt-4o'" in str(failed(404, {"message": "m", "code": "model_not_found"}))
    assert "deployment named 'gpt-4o'" in str(failed(404, {"message": "m"}, to=azure()))


def test_wrong_key_says_what_to_do_and_shows_no_key() -> None:
    words = f"Incorrect API key provided: sk-te*********cdef, or {KEY}. Header Bearer {KEY}"
    made = failed(401, {"message": words})
    assert "'api_key' in the config entry" in str(made)
    for part in (KEY, "sk-te", "cdef"):
        assert part not in str(made)


def test_secrets_of_own_headers_are_hidden() -> None:
    to = endpoint(headers={"Authorization": "Basic c2VjcmV0", "x-api-key": "teamkey1"})
    made = failed(400, {"message": "got c2VjcmV0 and teamkey1"}, to=to)
    assert "c2VjcmV0" not in str(made) and "teamkey1" not in str(made)


def test_used_up_quota_is_not_retried() -> None:
    made = failed(429, {"message": "m", "type": "insufficient_quota", "code": None})
    assert type(made).__name__ == RateLimited.__name__ and not made.retryable
    assert "no quota" in str(made)


def test_wish_of_the_service_about_retries_is_followed() -> None:
    assert failed(400, x_should_retry="true").retryable
    assert not failed(500, x_should_retry="false").retryable


NOON = "Wed, 21 Oct 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    "headers,seconds",
    [
        ({}, None),
        ({"Retry-After": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"Retry-After": "Wed, 21 Oct 2026 12:00:30 GMT", "Date": NOON}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 11:00:00 GMT", "Date": NOON}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 12:00:30", "Date": NOON}, 30.0),
        ({"Retry-After": "Wed, 99 Oct 2026 12:00:30 GMT"}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert fault(429, headers, b"", endpoint()).retry_after_s == seconds


def test_retry_after_date_without_a_clock_of_the_service() -> None:
    from datetime import UTC, datetime, timedelta

    at = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    seconds = fault(503, {"Retry-After": at}, b"", endpoint()).retry_after_s
    assert seconds is not None and 86000 < seconds <= 86400


@pytest.mark.parametrize(
    "raw,words",
    [
        (b"", ""),
        (b"<html>Bad   Gateway</html>", "Bad Gateway"),
        (b'{"detail": "d"}', ": d"),
        (b'{"detail": [{"loc": ["body"]}]}', '"loc"'),
        (b'{"message": "d", "code": 7}', "7.*: d"),
        (b'{"error": "d"}', ": d"),
        (b'[{"error": {"message": "d", "code": 400, "status": "INVALID"}}]', ": d"),
        (b'"d"', ": d"),
        (b"[]", r"\(500\)"),
        (b'{"error": {"message": {"a": 1}}}', '"a": 1'),
        (b"\xff" * 100_000, r"\.\.\."),
        (b"[" * 100_000, r"\.\.\."),
    ],
)
def test_error_bodies_of_any_form_are_told(raw: bytes, words: str) -> None:
    import re

    made = fault(500, {}, raw, endpoint())
    assert type(made).__name__ == ServerFault.__name__
    assert re.search(words, str(made))
    assert len(str(made)) < 600


def test_redirect_names_where_it_points() -> None:
    made = failed(307, location="https://elsewhere.example/v1?key=secret")
    assert "elsewhere.example" in str(made) and "base_url" in str(made)
    assert "secret" not in str(made)
