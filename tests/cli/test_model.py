"""Which model, from options, the environment, `.env` and a config list."""

from __future__ import annotations

import json

import pytest

from autogen.cli.model import choose_model
from autogen.errors import AuthenticationError, UsageError


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def entries(choice) -> list[dict]:
    return choice.llm_config["config_list"]


def test_server_of_ones_own_needs_no_key():
    choice = choose_model("m", "http://127.0.0.1:1/v1")
    assert entries(choice) == [{"model": "m", "base_url": "http://127.0.0.1:1/v1"}]
    assert choice.label == "m at 127.0.0.1"
    assert choice.llm_config["stream"] is True
    assert choice.llm_config["cache_seed"] is None


def test_missing_key_is_told_before_anything_is_sent():
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        choose_model("gpt-4o", None)


def test_key_comes_from_dotenv_and_is_not_shown(tmp_path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-from-the-file\n")
    choice = choose_model("gpt-4o", None)
    assert choice.secrets == ("sk-from-the-file",)
    assert "sk-from" not in repr(choice)


def test_name_of_another_service_finds_its_address_and_key(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-a")
    assert entries(choose_model("claude-x", None)) == [
        {"model": "claude-x", "api_type": "anthropic"}
    ]


def test_address_in_the_environment_serves_every_name(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert choose_model("claude-x", None).label == "claude-x at 127.0.0.1"


@pytest.mark.parametrize("where", ["variable", "file"])
def test_config_list_is_used_whole_or_by_name(where, tmp_path, monkeypatch):
    listed = [
        {"model": "a", "base_url": "http://127.0.0.1:1", "api_key": "k-one"},
        {"model": "b", "base_url": "http://127.0.0.1:2"},
    ]
    if where == "variable":
        monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps(listed))
    else:
        (tmp_path / "OAI_CONFIG_LIST").write_text(json.dumps(listed))
    both = choose_model(None, None)
    assert entries(both) == listed
    assert both.secrets == ("k-one",)
    assert "1 more" in both.label
    assert entries(choose_model("b", None)) == listed[1:]


def test_nothing_named_says_where_a_model_can_be_named():
    with pytest.raises(UsageError, match=r"--model NAME.*OAI_CONFIG_LIST"):
        choose_model(None, None)


def test_address_without_a_model_is_refused():
    with pytest.raises(UsageError, match="--model"):
        choose_model(None, "http://127.0.0.1:1")


def test_bad_address_is_refused_before_anything_is_sent():
    with pytest.raises(UsageError, match="not an http"):
        choose_model("m", "127.0.0.1:8000")
