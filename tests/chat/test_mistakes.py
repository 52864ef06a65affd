"""Programs with the mistakes that people make: each is told so that its reader can act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.chat.cast import mute, plain
from tests.compat.requirements import requirement

from autogen import ConversableAgent, GroupChat, config_list_from_json
from autogen.errors import ConnectionFault, ProviderError, UsageError
from autogen.testing import LoopbackLLM, Reply
from autogen.testing.face import Face

NO_MODEL = "specify a non-empty 'model'"


def told(error: BaseException) -> str:
    """What is printed below a traceback: the text and the notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def asks(face: Face, llm_config: Any) -> None:
    """Make an agent of `llm_config` and ask it something."""
    agent = ConversableAgent("agent", llm_config=llm_config, human_input_mode="NEVER")
    face.initiate_chat(mute("user"), agent, message="hello", max_turns=1, silent=True)


@requirement("bad:config")
@pytest.mark.parametrize(
    "llm_config, expected",
    [
        ({"confg_list": [{"model": "m"}]}, (NO_MODEL, "'confg_list'", "'config_list'")),
        ({"config_list": [{"modle": "m"}]}, (NO_MODEL, "'modle'", "'model'")),
        ({"config_list": []}, (NO_MODEL, "empty", "filter_dict")),
        ({"config_list": [{"model": None}]}, (NO_MODEL,)),
        ({"config_list": {"model": "m"}}, ("is a dict", "list of dicts")),
        ({"config_list": ["gpt-4"]}, ("holds a str", "list of dicts")),
        ({"model": "m", "apikey": "k"}, ("'apikey'", "'api_key'")),
        ({"model": "m", "api_base": "http://x/v1"}, ("'api_base'", "'base_url'")),
        ({"model": "m", "api_key": ""}, ("no API key", "'m'", "OPENAI_API_KEY")),
        ({"model": "m", "api_key": "k", "base_url": "localhost:1/v1"}, ("'localhost:1/v1'",)),
        ({"model": "m", "api_key": "k", "timeout": "60"}, ("'60'", "seconds")),
        ([{"model": "m"}], ("llm_config is a list", "dict")),
        ("gpt-4", ("llm_config is a str", "dict")),
    ],
)
def test_a_mistake_in_an_llm_config_is_told(
    face: Face, llm_config: Any, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises((UsageError, ProviderError, AssertionError)) as caught:
        asks(face, llm_config)
    for part in expected:
        assert part in told(caught.value)


@requirement("bad:config")
def test_a_correct_config_has_no_notes() -> None:
    with pytest.raises(UsageError) as caught:
        plain("agent", llm_config={"config_list": [{"api_key": "k"}], "temperature": 0})
    assert not hasattr(caught.value, "__notes__")


@requirement("bad:config")
def test_a_config_list_that_is_nowhere_or_no_json_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="neither an environment variable 'OAI_CONFIG_LIS"):
        config_list_from_json("OAI_CONFIG_LIST")
    (tmp_path / "OAI_CONFIG_LIST").write_text("[{'model': 'm'}]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'OAI_CONFIG_LIST' does not hold valid JSON \(line 1\)"):
        config_list_from_json("OAI_CONFIG_LIST")


@requirement("bad:config")
@pytest.mark.parametrize(
    "config, expected",
    [
        ({"workdir": "w"}, ("'workdir'", "'work_dir'")),
        ({"use_docker": "False"}, ("'False'", "without quotes")),
        ({"use_docker": " true"}, ("' true'", "without quotes")),
        ({"executor": "commandline"}, ("commandline", "'commandline-local'")),
        ({"work_dir": 5}, ("work_dir is 5",)),
        ("coding", ("'coding'", "dict", "False")),
        (True, ("True", "dict", "False")),
    ],
)
def test_a_mistake_in_a_code_config_is_told(config: Any, expected: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        plain("agent", code_execution_config=config)
    for part in expected:
        assert part in told(caught.value)


@requirement("bad:service")
@pytest.mark.parametrize(
    "reply, expected",
    [
        (Reply(status=401, error="Incorrect API key."), ("401", "'api_key'")),
        (Reply(status=403, error="Not yours."), ("403", "another key or model")),
        (Reply(status=404, error="No model gpt-44."), ("404", "'gpt-44'", "'base_url'")),
        (Reply(status=429, error="Slow down."), ("429", "later", "'api_rate_limit'")),
        (
            Reply(status=429, error={"message": "No quota.", "code": "insufficient_quota"}),
            ("429", "Waiting does not help"),
        ),
        (Reply(status=400, error="maximum context length"), ("400", "shorter messages")),
    ],
)
def test_an_error_of_a_service_says_what_to_do(
    face: Face, reply: Reply, expected: tuple[str, ...]
) -> None:
    with LoopbackLLM([reply]) as server:
        entry = {"model": "gpt-44", "api_key": "k", "base_url": server.base_url, "max_retries": 0}
        with pytest.raises(ProviderError) as caught:
            asks(face, {"config_list": [entry]})
    for part in ("127.0.0.1", "'gpt-44'", *expected):
        assert part in told(caught.value)
    assert len(caught.value.chat_result.chat_history) == 1


@requirement("bad:service")
def test_a_service_that_does_not_run_says_what_to_check(face: Face) -> None:
    with LoopbackLLM([]) as server:
        address = server.base_url
    entry = {"model": "m", "api_key": "k", "base_url": address, "max_retries": 0}
    with pytest.raises(ConnectionFault, match=r"cannot be reached.*'base_url' names it"):
        asks(face, entry)


@requirement("bad:hook")
@pytest.mark.parametrize(
    "hook",
    [
        "process_last_received_message",
        "process_all_messages_before_reply",
        "process_message_before_send",
    ],
)
def test_a_hook_that_raises_ends_the_chat_with_its_own_error(face: Face, hook: str) -> None:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("in the hook")

    agent = plain("agent", default_auto_reply="fine")
    agent.register_hook(hook, fails)
    with pytest.raises(ZeroDivisionError, match="in the hook") as caught:
        face.initiate_chat(mute("user"), agent, message="hello", silent=True)
    result: Any = caught.value.chat_result  # type: ignore[attr-defined]
    assert [m["content"] for m in result.chat_history] == ["hello"]
    assert result.stop_reason == "error"


@requirement("bad:config")
def test_a_misspelt_selection_method_is_told(face: Face) -> None:
    members = [plain(name) for name in "abc"]
    group = GroupChat(members, speaker_selection_method="roundrobin")
    with pytest.raises(UsageError, match="'roundrobin' is not known; use one of auto, manual"):
        face.select_speaker(group, members[0], plain("selector"))
