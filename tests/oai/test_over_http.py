"""The wrapper over real HTTP: every fault of a service, caches, single flight, prices."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pydantic
import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, ConversableAgent, RunOptions
from autogen.cache import Cache
from autogen.errors import (
    AuthenticationError,
    ConnectionFault,
    ContentFiltered,
    MalformedAnswer,
    ProviderError,
    ProviderTimeout,
    RateLimited,
)
from autogen.oai.client import OpenAIWrapper
from autogen.testing.exchange import Reply
from autogen.testing.loopback import LoopbackLLM
from autogen.testing.replies import call

HELLO = [{"role": "user", "content": "hello there"}]


def wrapper(*servers: LoopbackLLM, model: str = "gpt-4o", **base: Any) -> OpenAIWrapper:
    """One entry per server; pauses between attempts are 0."""
    entries = [{"model": model, "api_key": "k", "base_url": s.base_url} for s in servers]
    made = OpenAIWrapper(config_list=entries, timeout=5, **base)
    made._router._jitter = lambda: 0.0
    return made


def text_of(made: OpenAIWrapper, response: Any) -> Any:
    return made.extract_text_or_completion_object(response)[0]


@requirement("provider:compatible", "wrapper:texts", "usage:summary")
def test_server_answers_and_the_answer_is_priced(face):
    with LoopbackLLM(["general kenobi"]) as server:
        made = wrapper(server, temperature=0.5)
        response = face.create(made, messages=HELLO)
        assert text_of(made, response) == "general kenobi"
        assert response.cost == pytest.approx(2 * 2.5e-6 + 2 * 10e-6)
        assert made.total_usage_summary["gpt-4o"]["total_tokens"] == 4
        body = server.requests[0].json
        assert body == {"model": "gpt-4o", "messages": HELLO, "temperature": 0.5}


@requirement("wrapper:response-format")
def test_reply_in_a_form_is_json_text_and_is_kept_like_any_other(face, tmp_path):
    class Verdict(pydantic.BaseModel):
        good: bool

    with LoopbackLLM(['{"good": true}']) as server:
        agent = ConversableAgent(
            "judge", llm_config={**server.config(), "response_format": Verdict}
        )
        with Cache.disk(1, str(tmp_path)) as agent.client_cache:
            for _ in range(2):
                reply = face.generate_reply(agent, messages=HELLO)
                assert Verdict.model_validate_json(reply).good
        form = server.requests[0].json["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"]["required"] == ["good"]


@requirement("wrapper:texts")
def test_tool_calls_come_back_as_a_message(face):
    with LoopbackLLM([call("add", a=1)]) as server:
        made = wrapper(server)
        message = text_of(made, face.create(made, messages=HELLO))
        assert message.tool_calls[0].function.name == "add"


@requirement("wrapper:retry")
@pytest.mark.parametrize(
    "fault",
    [
        429,
        500,
        503,
        408,
        409,
        Reply(fault="drop"),
        Reply(fault="drop_headers"),
        Reply("x", fault="drop_body"),
        Reply("x", fault="malformed"),
        Reply(fault="html"),
        Reply(fault="empty_body"),
        Reply(fault="wrong_type"),
        Reply(status=429, retry_after_s=0),
    ],
    ids=lambda r: str(r) if isinstance(r, int) else f"{r.fault or r.status}",
)
def test_passing_fault_is_overcome(face, fault):
    with LoopbackLLM([fault, fault, "at last"]) as server:
        made = wrapper(server)
        assert text_of(made, face.create(made, messages=HELLO)) == "at last"
        assert len(server.requests) == 3


@requirement("wrapper:fallback")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_lasting_fault_goes_to_the_next_entry_at_once(face, status):
    with LoopbackLLM([status]) as first, LoopbackLLM(["second"]) as second:
        made = wrapper(first, second)
        response = face.create(made, messages=HELLO)
        assert (text_of(made, response), response.config_id) == ("second", 1)


@requirement("wrapper:fallback")
def test_dead_server_goes_to_the_next_entry(face):
    with LoopbackLLM([]) as dead:
        url = dead.base_url
    with LoopbackLLM(["alive"]) as alive:
        made = OpenAIWrapper(
            config_list=[
                {"model": "m", "base_url": url, "max_retries": 1},
                {"model": "m", "base_url": alive.base_url},
            ]
        )
        made._router._jitter = lambda: 0.0
        assert text_of(made, face.create(made, messages=HELLO)) == "alive"


def test_dead_server_alone_is_a_connection_fault_with_its_address(face):
    with LoopbackLLM([]) as dead:
        url = dead.base_url
    made = OpenAIWrapper(model="m", base_url=url, max_retries=0)
    with pytest.raises(ConnectionFault, match=r"127\.0\.0\.1"):
        face.create(made, messages=HELLO)


@requirement("wrapper:content-filter")
def test_content_filter_is_asked_nobody_else(face):
    refusal = Reply(status=400, error={"message": "no", "code": "content_filter"})
    with LoopbackLLM([refusal]) as first, LoopbackLLM([]) as second:
        made = wrapper(first, second)
        with pytest.raises(ContentFiltered):
            face.create(made, messages=HELLO)


@requirement("wrapper:timeout")
def test_service_that_lasts_too_long_is_a_timeout_error(face):
    with LoopbackLLM([Reply(fault="hang")]) as server:
        made = OpenAIWrapper(model="m", base_url=server.base_url, timeout=0.05, max_retries=0)
        with pytest.raises(TimeoutError) as caught:
            face.create(made, messages=HELLO)
        assert isinstance(caught.value, ProviderTimeout)


@requirement("wrapper:fallback:last")
def test_persistent_limit_is_raised_with_its_status(face):
    with LoopbackLLM([429, 429, 429]) as server:
        with pytest.raises(RateLimited) as caught:
            face.create(wrapper(server), messages=HELLO)
        assert (caught.value.status, caught.value.retryable) == (429, True)


@requirement("wrapper:secrets")
def test_wrong_key_is_in_no_error(face):
    key = "sk-very-secret-1234567890"
    refusal = Reply(status=401, error=f"Incorrect API key provided: {key}")
    with LoopbackLLM([refusal]) as server:
        made = OpenAIWrapper(model="m", base_url=server.base_url, api_key=key)
        with pytest.raises(AuthenticationError) as caught:
            face.create(made, messages=HELLO)
        assert "very-secret" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("fault", ["drop_stream", "bad_sse"])
def test_stream_that_broke_after_tokens_were_shown_is_not_begun_again(face, fault):
    # Events in writes of their own: what fails before anything was shown may be begun again.
    broken = Reply("one two three four five six", fault=fault, chunk_delay_s=0.001)
    with LoopbackLLM([broken]) as server:
        with pytest.raises(ProviderError) as caught:
            face.create(wrapper(server), messages=HELLO, stream=True)
        assert isinstance(caught.value, MalformedAnswer | ConnectionFault)
        assert len(server.requests) == 1


@requirement("wrapper:stream", "wrapper:stream:usage")
def test_stream_and_whole_answer_are_one_and_the_same(face):
    with LoopbackLLM(["one two three"] * 2) as server:
        made = wrapper(server)
        streamed = face.create(made, messages=HELLO, stream=True)
        whole = face.create(made, messages=HELLO)
        assert text_of(made, streamed) == text_of(made, whole) == "one two three"
        assert streamed.usage == whole.usage


@requirement("wrapper:stream:usage", "usage:untold")
@pytest.mark.parametrize("stream", [False, True])
def test_tokens_that_a_service_does_not_tell_are_counted_here(face, stream):
    asked = [{"role": "user", "content": "hello there " * 50}]
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    with LoopbackLLM([Reply("one two three", usage={}), Reply("one", usage={})]) as server:
        made = wrapper(server)
        response = face.create(made, messages=asked, stream=stream)
        used = response.usage
        assert 100 <= used.prompt_tokens <= 400 and 3 <= used.completion_tokens <= 10
        assert used.total_tokens == used.prompt_tokens + used.completion_tokens
        assert made.total_usage_summary["gpt-4o"]["total_tokens"] == used.total_tokens
        assert response.cost > 0
        again = face.create(made, messages=asked, stream=stream, tools=tools)
        assert again.usage.prompt_tokens > used.prompt_tokens


@requirement("usage:untold")
def test_calls_count_where_a_service_does_not_tell_tokens(face):
    with LoopbackLLM([Reply(tool_calls=[call("look", where="under the bed")], usage={})]) as server:
        assert face.create(wrapper(server), messages=HELLO).usage.completion_tokens > 5


@requirement("usage:untold")
def test_a_cache_keeps_the_tokens_that_were_counted_here(face, tmp_path):
    with (
        LoopbackLLM([Reply("one two three", usage={})]) as server,
        Cache.disk(1, str(tmp_path)) as c,
    ):
        made = wrapper(server)
        for _ in range(2):
            face.create(made, messages=HELLO, cache=c)
        total, actual = made.total_usage_summary, made.actual_usage_summary
    assert total["gpt-4o"]["total_tokens"] == 2 * actual["gpt-4o"]["total_tokens"] > 0


def test_answer_from_the_disk_needs_no_server(face, tmp_path):
    with Cache.disk(1, str(tmp_path)) as cache, LoopbackLLM(["kept"]) as server:
        made = wrapper(server)
        face.create(made, messages=HELLO, cache=cache)
        again = face.create(made, messages=HELLO, cache=cache)
        assert (text_of(made, again), again.is_cached) == ("kept", True)
        assert made.actual_usage_summary["gpt-4o"]["total_tokens"] == 3


@requirement("cache:key")
def test_answer_of_one_server_is_not_that_of_another(face, tmp_path):
    with (
        Cache.disk(1, str(tmp_path)) as cache,
        LoopbackLLM(["one"]) as first,
        LoopbackLLM(["two"]) as second,
    ):
        for server, text in ((first, "one"), (second, "two")):
            made = wrapper(server)
            assert text_of(made, face.create(made, messages=HELLO, cache=cache)) == text


@requirement("cache:single-flight")
def test_fifty_threads_with_one_question_send_one_request(tmp_path, wait_s):
    everybody_is_here = threading.Barrier(50)
    with (
        Cache.disk(1, str(tmp_path)) as cache,
        LoopbackLLM([Reply("once", delay_s=0.05)]) as server,
    ):
        made = wrapper(server)

        def ask() -> Any:
            everybody_is_here.wait(wait_s)
            return text_of(made, made.create(messages=HELLO, cache=cache))

        with ThreadPoolExecutor(50) as threads:
            answers = [f.result(wait_s) for f in [threads.submit(ask) for _ in range(50)]]
        assert answers == ["once"] * 50
        assert len(server.requests) == 1


@requirement("wrapper:stream:printed")
def test_streamed_answer_is_printed_outside_of_a_chat(face, capsys):
    with LoopbackLLM(["one two three", "four"]) as server:
        made = wrapper(server)
        face.create(made, messages=HELLO, stream=True)
        face.create(made, messages=HELLO)
    assert capsys.readouterr().out.strip() == "one two three"


@requirement("stream:broken:unseen")
def test_stream_that_nobody_saw_is_begun_again(face):
    broken = Reply("one two three four five six", fault="drop_stream", chunk_delay_s=0.001)
    with LoopbackLLM([broken, "whole. TERMINATE"]) as server:
        config = server.config(stream=True)
        assistant = AssistantAgent("assistant", llm_config=config)
        user = ConversableAgent("user", human_input_mode="NEVER")
        result = face.initiate_chat(user, assistant, message="hi", max_turns=1, silent=True)
    assert result.chat_history[-1]["content"] == "whole. TERMINATE"


@requirement("stream:broken:unseen")
def test_stream_that_a_sink_saw_is_not_begun_again(face):
    seen = []
    broken = Reply("one two three four five six", fault="drop_stream", chunk_delay_s=0.001)
    with LoopbackLLM([broken]) as server:
        assistant = AssistantAgent("assistant", llm_config=server.config(stream=True))
        user = ConversableAgent("user", human_input_mode="NEVER")
        watched = RunOptions(sinks=[seen.append])
        with pytest.raises(ProviderError):
            face.initiate_chat(user, assistant, message="hi", silent=True, run=watched)
    assert any(event.type == "model.token" for event in seen)
