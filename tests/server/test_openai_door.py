"""The door of OpenAI, by the official client over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.server.doors import WAIT_S
from tests.server.serving import Serving


@pytest.fixture
def client(doors: Serving) -> Iterator[openai.OpenAI]:
    url = f"{doors.url}/v1"
    with openai.OpenAI(base_url=url, api_key=doors.token, timeout=WAIT_S, max_retries=0) as made:
        yield made


def say(text: str, *before: tuple[str, str]) -> Any:
    told = [{"role": role, "content": content} for role, content in before]
    return [*told, {"role": "user", "content": text}]


def test_teams_are_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == sorted(names)
    assert "echo" in names
    assert client.models.retrieve("echo").owned_by == "autogen"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_an_answer_is_the_summary_with_usage(doors: Serving, client: openai.OpenAI) -> None:
    got = client.chat.completions.create(model="two", messages=say("hello"))
    assert got.choices[0].message.content == "last words "
    assert got.choices[0].finish_reason == "stop"
    run = doors.get(f"/api/v1/runs/{got.metadata['run_id']}")  # type: ignore[attr-defined]
    assert run["status"] == "finished"
    used = doors.get(f"/api/v1/runs/{run['id']}/usage")
    assert got.usage is not None
    assert got.usage.prompt_tokens == used["prompt_tokens"] > 0
    assert got.usage.completion_tokens == used["completion_tokens"] > 0


def test_earlier_messages_are_carried_over(client: openai.OpenAI) -> None:
    earlier = [("system", "be brief"), ("user", "who?"), ("assistant", "Ada")]
    got = client.chat.completions.create(model="echo", messages=say("and when?", *earlier))
    text = got.choices[0].message.content or ""
    assert text.startswith("heard: and when?\nContext:")
    for words in ("system: be brief", "user: who?", "assistant: Ada"):
        assert words in text


def test_a_stream_has_every_message(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="two",
        messages=say("hello"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "**writer:** first words\n\n**user:** go on\n\n**writer:** last words TERMINATE"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_a_stream_has_live_tokens(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="stream", messages=say("hello"), stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == "**speaker:** one two three four"


@pytest.mark.parametrize("is_streamed", [True, False], ids=["stream", "whole"])
def test_a_question_is_the_answer_and_metadata_answers_it(
    client: openai.OpenAI, is_streamed: bool
) -> None:
    def complete(text: str, metadata: Any = None) -> tuple[str, Any]:
        more = {} if metadata is None else {"metadata": metadata}
        if not is_streamed:
            got: Any = client.chat.completions.create(model="ask", messages=say(text), **more)
            return got.choices[0].message.content, got.metadata
        told, last = "", None
        for chunk in client.chat.completions.create(
            model="ask", messages=say(text), stream=True, **more
        ):
            told += chunk.choices[0].delta.content or ""
            last = chunk
        return told, last.metadata  # type: ignore[union-attr]

    asked, metadata = complete("hello")
    assert "asker asks" in asked
    assert metadata["status"] == "waiting"
    again, second = complete("/approve", {"run_id": metadata["run_id"]})
    assert again.startswith("**asker:** a proposal\n\n**user:** go on\n\nasker asks:")
    assert second["run_id"] == metadata["run_id"]
    end, third = complete("my own words", {"run_id": metadata["run_id"]})
    assert end == "my own words"
    assert third["status"] == "finished"


def test_a_front_end_answers_by_the_mark_in_the_text(client: openai.OpenAI) -> None:
    messages = say("hello")
    got: Any = client.chat.completions.create(model="ask", messages=messages)
    run_id = got.metadata["run_id"]
    messages += [{"role": "assistant", "content": got.choices[0].message.content}]
    messages += say("/stop")
    got = client.chat.completions.create(model="ask", messages=messages)
    assert got.metadata["run_id"] == run_id
    assert got.metadata["status"] == "finished"


def test_a_key_makes_a_repeated_request_the_same_run(client: openai.OpenAI) -> None:
    def run_id(key: str) -> str:
        got: Any = client.chat.completions.create(
            model="two", messages=say("hi"), extra_headers={"Idempotency-Key": key}
        )
        return str(got.metadata["run_id"])

    assert run_id("a") == run_id("a") != run_id("b")


def test_a_key_makes_a_repeated_answer_the_same_one(doors: Serving, client: openai.OpenAI) -> None:
    messages = say("hello")
    got: Any = client.chat.completions.create(model="ask", messages=messages)
    run_id = got.metadata["run_id"]
    messages += [{"role": "assistant", "content": got.choices[0].message.content}]

    def answer(text: str, key: str, metadata: Any = openai.omit) -> Any:
        return client.chat.completions.create(
            model="ask",
            messages=messages + say(text),
            metadata=metadata,
            extra_headers={"Idempotency-Key": key},
        )

    n_runs = len(doors.get("/api/v1/runs?team=ask&limit=1000")["items"])
    first = answer("/approve", "one")
    again = answer("/approve", "one")
    assert first.choices[0].message.content == again.choices[0].message.content
    assert again.metadata["status"] == "waiting"
    with pytest.raises(openai.ConflictError, match="something else was answered"):
        answer("/stop", "one")
    last = answer("my own words", "two", {"run_id": run_id})
    once_more = answer("my own words", "two", {"run_id": run_id})
    assert last.choices[0].message.content == once_more.choices[0].message.content
    assert once_more.metadata["status"] == "finished"
    assert len(doors.get("/api/v1/runs?team=ask&limit=1000")["items"]) == n_runs


def test_responses_answer_and_go_on(client: openai.OpenAI) -> None:
    first = client.responses.create(model="two", input="hello", instructions="be brief")
    assert first.status == "completed"
    assert first.output_text == "last words "
    assert first.usage is not None
    assert first.usage.output_tokens > 0
    second = client.responses.create(model="echo", input="and then?", previous_response_id=first.id)
    assert second.output_text.startswith("heard: and then?\nContext:")
    assert "user: hello" in second.output_text
    assert "assistant: last words" in second.output_text


def test_responses_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model="stream", input="hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds
    assert final.output_text == "**speaker:** one two three four"


def test_a_response_answers_the_question_of_the_one_before(client: openai.OpenAI) -> None:
    asked = client.responses.create(model="ask", input="hello")
    assert asked.metadata is not None
    run_id = asked.metadata["run_id"]
    got = client.responses.create(model="ask", input="/approve", previous_response_id=asked.id)
    assert got.metadata is not None
    assert got.metadata["run_id"] == run_id
    assert got.id != asked.id
    assert "a proposal" in got.output_text


def test_errors_are_read_by_the_client(doors: Serving, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no team 'nobody'"):
        client.chat.completions.create(model="nobody", messages=say("hi"))
    with pytest.raises(openai.BadRequestError, match="role 'user'"):
        client.chat.completions.create(model="echo", messages=[{"role": "system", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="n is 2"):
        client.chat.completions.create(model="echo", messages=say("hi"), n=2)
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="wrong").models.list()
    assert caught.value.type == "authentication_error"
    answer = doors.call("POST", "/v1/chat/completions", {"model": "echo"})
    assert answer.status == 400
    assert answer.is_problem
    assert answer.json["error"]["message"]


def test_a_run_that_fails_is_an_error_that_is_not_tried_again(doors: Serving) -> None:
    client = openai.OpenAI(base_url=f"{doors.url}/v1", api_key=doors.token, timeout=WAIT_S)
    before = len(doors.get("/api/v1/runs?team=broken")["items"])
    with client:
        with pytest.raises(openai.InternalServerError, match="the wheel came off"):
            client.chat.completions.create(model="broken", messages=say("hi"))
        with pytest.raises(openai.APIError, match="the wheel came off"):
            list(client.chat.completions.create(model="broken", messages=say("hi"), stream=True))
    assert len(doors.get("/api/v1/runs?team=broken")["items"]) == before + 2


def test_whoever_goes_away_leaves_the_run_as_it_is(doors: Serving, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="slow", messages=say("hello"), stream=True)
    run_id = next(iter(stream)).metadata["run_id"]  # type: ignore[attr-defined]
    stream.close()
    events = doors.get(f"/api/v1/runs/{run_id}/events")["items"]
    assert doors.get(f"/api/v1/runs/{run_id}")["status"] in ("queued", "running"), events
    with pytest.raises(openai.ConflictError, match="asks nothing"):
        client.chat.completions.create(
            model="slow", messages=say("hi"), metadata={"run_id": run_id}
        )
    doors.call("POST", f"/api/v1/runs/{run_id}/cancel")
    assert doors.ended(run_id)["status"] == "cancelled"
