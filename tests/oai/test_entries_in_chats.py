"""What an entry of a config list says, seen from whole chats and calls, on all faces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, Cache, OpenAIWrapper, UserProxyAgent
from autogen.errors import AuthenticationError
from autogen.testing import LoopbackLLM, Reply, ScriptedModel
from autogen.testing.face import Face


def chat(face: Face, entry: dict[str, Any], *, turns: int = 1, **options: Any) -> Any:
    """A chat with a model of one entry; its result."""
    config = {"config_list": [{"model": "m", **entry}], **options}
    assistant = AssistantAgent("assistant", llm_config=config)
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply="on"
    )
    return face.initiate_chat(user, assistant, message="go", max_turns=turns, silent=True)


HELLO = [{"role": "user", "content": "hello"}]


def text_of(response: Any) -> Any:
    return OpenAIWrapper.extract_text_or_completion_object(response)[0]


@requirement("wrapper:rate")
def test_a_rate_limit_spaces_the_turns_of_a_chat(face: Face) -> None:
    with LoopbackLLM(["one", "two", "three"]) as server:
        entry = {"base_url": server.base_url, "api_key": "k", "api_rate_limit": 20}
        began = time.monotonic()
        assert len(chat(face, entry, turns=3).chat_history) == 6
        assert server.requests[-1].at - began >= 2 / 20


@requirement("provider:azure")
def test_azure_is_asked_for_its_deployment_with_key_or_token(face: Face) -> None:
    with LoopbackLLM(["by key", "by token"]) as server:
        entry = {
            "model": "gpt-3.5-turbo",
            "api_type": "azure",
            "api_version": "2030-01-01",
            "base_url": server.base_url.removesuffix("/v1"),
        }
        assert chat(face, {**entry, "api_key": "the-key"}).summary == "by key"
        token = {**entry, "azure_ad_token_provider": lambda: "the-token"}
        assert chat(face, token).summary == "by token"
        key, token_asked = server.requests
    assert key.path == "/openai/deployments/gpt-35-turbo/chat/completions"
    assert key.query == "api-version=2030-01-01"
    assert key.headers["api-key"] == "the-key" and "authorization" not in key.headers
    assert token_asked.headers["authorization"] == "Bearer the-token"


@requirement("provider:openai", "provider:others")
@pytest.mark.parametrize(
    "api_type, sent", [(None, "Bearer of-openai"), ("groq", "Bearer of-groq"), ("ollama", None)]
)
def test_each_service_gets_its_own_key_from_its_variable(
    face: Face, api_type: str | None, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-openai")
    monkeypatch.setenv("GROQ_API_KEY", "of-groq")
    with LoopbackLLM(["hi"]) as server:
        entry = {"base_url": server.base_url}
        chat(face, entry if api_type is None else {**entry, "api_type": api_type})
        assert server.requests[0].headers.get("authorization") == sent


@requirement("wrapper:no-key")
def test_a_missing_key_shows_at_the_first_call_and_says_where_it_belongs(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        chat(face, {})


@requirement("wrapper:precedence")
def test_a_call_wins_over_the_entry_and_the_entry_over_the_top(face: Face) -> None:
    with LoopbackLLM(["a", "b"]) as server:
        entry = {"model": "m", "base_url": server.base_url, "api_key": "k", "top_p": 0.5}
        client = OpenAIWrapper(config_list=[entry], temperature=0.25, top_p=0.25)
        face.create(client, messages=HELLO)
        face.create(client, messages=HELLO, top_p=0.75)
        asked = [(r.json["temperature"], r.json["top_p"]) for r in server.requests]
    assert asked == [(0.25, 0.5), (0.25, 0.75)]


@requirement("wrapper:order", "wrapper:marks", "wrapper:filter", "wrapper:filter:last")
def test_entries_are_asked_in_order_until_the_filter_likes_one(face: Face) -> None:
    def client() -> OpenAIWrapper:
        made = [ScriptedModel(["bad"]), ScriptedModel(["good"])]
        return OpenAIWrapper(config_list=[model.config()["config_list"][0] for model in made])

    def likes(word: str) -> Any:
        return lambda context, response: word in text_of(response)

    first = face.create(client(), messages=HELLO)
    assert (text_of(first), first.config_id, first.pass_filter) == ("bad", 0, True)
    second = face.create(client(), messages=HELLO, filter_func=likes("good"))
    assert (text_of(second), second.config_id, second.pass_filter) == ("good", 1, True)
    assert second.cost == 0
    none = face.create(client(), messages=HELLO, filter_func=likes("best"))
    assert (text_of(none), none.config_id, none.pass_filter) == ("good", 1, False)


@requirement("wrapper:fallback:any")
def test_a_fault_of_another_library_asks_the_next_entry_and_a_mistake_does_not(face: Face) -> None:
    class StatusError(Exception):
        status_code = 503

    def client(error: Exception) -> OpenAIWrapper:
        class Failing:
            def __init__(self, config: dict[str, Any]):
                pass

            def create(self, params: Any) -> Any:
                raise error

        model = ScriptedModel(["good"])
        entries = [{"model": "f", "model_client_cls": "Failing", "max_retries": 0}]
        made = OpenAIWrapper(config_list=[*entries, *model.config()["config_list"]])
        made.register_model_client(Failing)
        return made

    assert text_of(face.create(client(StatusError("down")), messages=HELLO)) == "good"
    with pytest.raises(KeyError, match="mistake"):
        face.create(client(KeyError("mistake")), messages=HELLO)


@requirement("wrapper:prompt", "wrapper:templates")
def test_templates_are_filled_in_and_a_call_needs_messages(face: Face) -> None:
    model = ScriptedModel(["a", "b"])
    client = OpenAIWrapper(**model.config())
    for content in ("hello {who}", lambda context: f"hi {context['who']}"):
        face.create(
            client,
            messages=[{"role": "user", "content": content}],
            context={"who": "Ada"},
            allow_format_str_template=True,
        )
    seen = [request["messages"][0]["content"] for request in model.requests]
    assert seen == ["hello Ada", "hi Ada"]
    with pytest.raises(ValueError, match="messages"):
        face.create(client)
    with pytest.raises(ValueError, match="prompt"):
        face.create(client, messages=HELLO, prompt="hello")


@requirement("price:unknown")
def test_an_unknown_price_counts_nothing_and_is_told(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    with LoopbackLLM([Reply("hi")]) as server:
        entry = {"model": "nobody-prices-this", "base_url": server.base_url, "api_key": "k"}
        cost = chat(face, entry).cost
    assert cost.total["total_cost"] == 0
    assert cost.unpriced == ["nobody-prices-this"]


@requirement("cache:seed", "cache:hit", "cache:off")
def test_a_seed_keeps_the_answers_of_a_chat_and_no_seed_keeps_none(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with LoopbackLLM(["kept", "asked", "asked again"]) as server:
        entry = {"base_url": server.base_url, "api_key": "k", "price": 1.0}
        kept = [chat(face, entry, cache_seed=7) for _ in range(2)]
        asked = [chat(face, entry) for _ in range(2)]
        assert len(server.requests) == 3
    assert [one.summary for one in (*kept, *asked)] == ["kept", "kept", "asked", "asked again"]
    assert [path.name for path in (tmp_path / ".cache").iterdir()] == ["7"]
    again = kept[1].cost
    assert again.total["total_cost"] > 0 and again.actual["total_cost"] == 0


@requirement("cache:explicit", "cache:filtered")
def test_a_cache_that_is_given_wins_and_its_answers_are_filtered_again(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = ScriptedModel(["kept"])
    client = OpenAIWrapper(**model.config(cache_seed=7))
    with Cache.disk(cache_seed=8, cache_path_root=str(tmp_path / "given")) as cache:
        asked = []
        for likes in (False, True):
            response = face.create(
                client, messages=HELLO, cache=cache, filter_func=lambda likes=likes, **_: likes
            )
            asked.append((text_of(response), response.is_cached, response.pass_filter))
    assert asked == [("kept", False, False), ("kept", True, True)]
    assert not (tmp_path / ".cache").exists()
