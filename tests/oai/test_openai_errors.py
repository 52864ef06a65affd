"""Errors of model services as programs that import the OpenAI library catch them."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import openai
import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, OpenAIWrapper, UserProxyAgent, errors
from autogen.testing import LoopbackLLM, Reply
from autogen.testing.face import Face


def config(server: LoopbackLLM, **more: object) -> dict[str, object]:
    """The configuration of a model that is asked once, whatever happens."""
    made = server.config(**more)
    made["config_list"][0]["max_retries"] = 0
    return made


@requirement("errors:openai")
@pytest.mark.parametrize(
    "status, kind",
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_a_chat_raises_what_openai_would(
    face: Face, status: int, kind: type[openai.APIStatusError]
) -> None:
    with LoopbackLLM([Reply(status=status, error="Not now.")]) as server:
        assistant = AssistantAgent("assistant", llm_config=config(server))
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        with pytest.raises(kind) as caught:
            face.initiate_chat(user, assistant, message="go", silent=True)
    error = caught.value
    assert isinstance(error, openai.APIError) and isinstance(error, errors.ProviderError)
    assert error.status_code == status
    assert error.message == str(error) and "Not now." in error.message
    assert (error.body, error.param, error.request, error.response) == (None, None, None, None)
    assert len(error.chat_result.chat_history) == 1  # type: ignore[attr-defined]


@requirement("errors:openai")
def test_a_service_that_cannot_be_reached_is_a_connection_error(
    closed_port: Callable[[], int],
) -> None:
    entry = {"model": "m", "api_key": "k", "max_retries": 0}
    client = OpenAIWrapper(config_list=[{**entry, "base_url": f"http://127.0.0.1:{closed_port()}"}])
    with pytest.raises(openai.APIConnectionError, match="127"):
        client.create(messages=[{"role": "user", "content": "hi"}])


@pytest.fixture
def closed_port() -> Callable[[], int]:
    """A port of this machine where nobody listens."""

    def port() -> int:
        with LoopbackLLM([]) as server:
            return int(server.base_url.rsplit(":", 1)[1].split("/")[0])

    return port


@requirement("errors:openai")
def test_a_timeout_is_a_timeout_in_every_way(face: Face) -> None:
    with LoopbackLLM(lambda _: Reply("late", fault="hang")) as server:
        made = config(server)
        made["config_list"][0]["timeout"] = 0.2  # type: ignore[index]
        agent = AssistantAgent("assistant", llm_config=made)
        with pytest.raises(TimeoutError) as caught:
            face.generate_reply(agent, messages=[{"role": "user", "content": "hi"}])
    assert isinstance(caught.value, openai.APITimeoutError | openai.APIConnectionError)


KINDS = [
    kind
    for name in errors.__all__
    if issubclass(kind := getattr(errors, name), errors.ProviderError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_is_itself_too_and_can_be_copied(kind: type[errors.ProviderError]) -> None:
    error = kind("it failed", provider="here", status=418, code="teapot")
    error.add_note("a note")
    for one in (
        error,
        copy.copy(error),
        copy.deepcopy(error),
        pickle.loads(pickle.dumps(error)),
    ):
        assert isinstance(one, kind) and isinstance(one, openai.OpenAIError)
        assert (type(one).__name__, str(one)) == (kind.__name__, "it failed")
        assert (one.status, one.code, one.provider) == (418, "teapot", "here")
        assert one.__notes__ == ["a note"]


def test_what_is_called_openai_may_be_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", SimpleNamespace(RateLimitError=3))  # type: ignore[arg-type]
    assert type(errors.RateLimited("slow")) is errors.RateLimited


def test_the_library_is_not_imported_for_it() -> None:
    code = (
        "import sys, pickle; from autogen import errors; e = errors.RateLimited('x', status=429); "
        "e = pickle.loads(pickle.dumps(e)); "
        "assert type(e) is errors.RateLimited and e.status == 429 and 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
