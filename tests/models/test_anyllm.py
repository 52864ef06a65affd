"""Services reached through any-llm: a real call of that package against a server of ours."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, OpenAIWrapper, UserProxyAgent
from autogen.errors import AuthenticationError, ContextTooLong, ServerFault, UsageError
from autogen.testing import LoopbackLLM, Reply, call
from autogen.testing.face import Face

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A config whose one entry any-llm carries to the server."""

    def config(server: LoopbackLLM, **more: Any) -> dict[str, Any]:
        monkeypatch.setenv("LLAMAFILE_API_BASE", server.base_url)
        # A client is kept for each key: here, for each server.
        entry = {"model": "m", "api_type": "llamafile", "price": 0, "max_retries": 0, **more}
        entry["api_key"] = server.base_url
        return {"config_list": [entry]}

    return config


@requirement("provider:any-llm")
def test_a_provider_of_any_llm_answers(face: Face, at: Any) -> None:
    with LoopbackLLM(["hello there"]) as server:
        response = face.create(OpenAIWrapper(**at(server)), messages=HELLO, temperature=0)
        assert server.requests[0].json["temperature"] == 0
    assert response.choices[0].message.content == "hello there"
    assert response.usage.completion_tokens == 2


@requirement("provider:any-llm")
def test_its_tokens_are_printed_as_they_come(
    face: Face, at: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with LoopbackLLM(["one two three"]) as server:
        wrapper = OpenAIWrapper(**at(server))
        response = face.create(wrapper, messages=HELLO, stream=True)
    assert response.choices[0].message.content == "one two three"
    assert "one two three" in capsys.readouterr().out


@requirement("provider:any-llm")
def test_its_models_call_tools(face: Face, at: Any) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    with LoopbackLLM([call("add", a=2, b=3), "It is 5. TERMINATE"]) as server:
        assistant = AssistantAgent("assistant", llm_config=at(server))
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        assistant.register_for_llm(description="Add two numbers.")(add)
        user.register_for_execution()(add)
        result = face.initiate_chat(user, assistant, message="2 + 3?", silent=True)
        assert server.requests[1].messages[-1]["content"] == "5"
    assert result.summary == "It is 5. "


@requirement("provider:any-llm:errors")
@pytest.mark.parametrize(
    "reply, kind",
    [
        (Reply(status=401, error="no such key"), AuthenticationError),
        (Reply(status=500, error="oh no"), ServerFault),
        (
            Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"}),
            ContextTooLong,
        ),
    ],
    ids=["401", "500", "400"],
)
def test_its_errors_are_those_of_every_provider(
    reply: Reply, kind: type[Exception], face: Face, at: Any
) -> None:
    with LoopbackLLM([reply]) as server:
        with pytest.raises(kind):
            face.create(OpenAIWrapper(**at(server)), messages=HELLO)
        assert len(server.requests) == 1


@requirement("provider:any-llm:extra")
def test_without_the_extra_the_error_says_what_to_install(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "any_llm", None)
    wrapper = OpenAIWrapper(model="m", api_type="sambanova", api_key="not-there")
    with pytest.raises(UsageError, match=r'pip install -e "\.\[anyllm\]"'):
        face.create(wrapper, messages=HELLO)


@requirement("provider:any-llm:extra")
def test_a_service_whose_package_is_missing_says_so(face: Face) -> None:
    wrapper = OpenAIWrapper(model="m", api_type="watsonx", api_key="k")
    with pytest.raises(UsageError, match="watsonx"):
        face.create(wrapper, messages=HELLO)
