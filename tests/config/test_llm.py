"""`llm_config` and the helpers that find config lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen.config.llm import (
    config_list_from_dotenv,
    config_list_from_json,
    config_list_from_models,
    config_list_gpt4_gpt35,
    config_list_openai_aoai,
    filter_config,
    get_config_list,
    parse_llm_config,
)
from autogen.errors import UsageError

NO_MODEL = (
    "When using OpenAI or Azure OpenAI endpoints, specify a non-empty 'model' either in "
    "'llm_config' or in each config of 'config_list'."
)
LIST = [
    {"model": "gpt-4", "api_key": "a", "tags": ["big", "slow"]},
    {"model": "gpt-3.5-turbo", "api_key": "b", "tags": ["small"]},
    {"model": "gpt-4", "api_key": "c", "api_type": "azure"},
]


# ----------------------------------------------------------------------------------- llm_config


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config_list": []},
        {"config_list": [{"model": ""}]},
        {"config_list": [{"model": "m"}, {"api_key": "k"}]},
        {"temperature": 0},
        {"model": "m", "config_list": [{"model": None}]},
    ],
    ids=str,
)
def test_configuration_without_a_model_is_refused_in_the_known_words(config):
    with pytest.raises(ValueError) as caught:
        parse_llm_config(config)
    assert str(caught.value) == NO_MODEL


@pytest.mark.parametrize("config", ["gpt-4", 3, ["x"], True], ids=str)
def test_configuration_that_is_no_dict_is_refused(config):
    with pytest.raises(AssertionError, match="must be a dict, False or None"):
        parse_llm_config(config)


@pytest.mark.parametrize("config", [None, False])
def test_no_configuration_is_false(config):
    assert parse_llm_config(config) is False


@pytest.mark.parametrize(
    "config",
    [
        {"model": "m"},
        {"config_list": [{"model": "m"}]},
        {"model": "m", "config_list": [{"api_key": "k"}]},
        {"config_list": [{"model_client": "mine"}]},
        {"config_list": ({"model": "m"},)},
    ],
    ids=str,
)
def test_good_configuration_is_taken(config):
    parsed = parse_llm_config(config)
    assert parsed
    assert list(parsed) == list(config)


@pytest.mark.parametrize(
    "config, text",
    [
        ({"config_list": {"model": "m"}}, "config_list is a dict"),
        ({"config_list": ["m"]}, "config_list holds a str"),
        ({"model": 4}, "model is 4"),
        ({"model": "m", "api_type": "nobody"}, "api_type 'nobody' is not known"),
    ],
)
def test_bad_configuration_is_told_with_its_value(config, text):
    with pytest.raises(UsageError, match=text):
        parse_llm_config(config)


@requirement("config:shared")
def test_copy_is_shallow():
    client: Any = type("Client", (), {"__deepcopy__": None})()
    tools = [{"type": "function"}]
    config = {"config_list": [{"model": "m", "http_client": client}], "tools": tools}
    parsed = parse_llm_config(config)
    assert parsed
    parsed["tools"].append({})
    parsed["config_list"][0]["model"] = "n"
    parsed["config_list"].append({})
    assert config == {"config_list": [{"model": "m", "http_client": client}], "tools": tools}
    assert len(tools) == 1
    assert parsed["config_list"][0]["http_client"] is client


# ---------------------------------------------------------------------------------------- filter


@requirement("config:filter", "config:filter:exclude")
@pytest.mark.parametrize(
    "wanted, exclude, keys",
    [
        ({"model": ["gpt-4"]}, False, "ac"),
        ({"tags": ["small", "big"]}, False, "ab"),
        ({"model": ["gpt-4"], "tags": ["big"]}, False, "a"),
        ({"api_type": ["azure"]}, True, "ab"),
        ({"tags": ["big"]}, True, "bc"),
        ({"nothing": [1, None]}, False, ""),
        ({"model": "gpt-4"}, False, "ac"),
        ({"model": "gpt-4-turbo"}, False, ""),
        ({}, False, "abc"),
        (None, False, "abc"),
    ],
    ids=str,
)
def test_filter_keeps_what_matches_every_key(wanted, exclude, keys):
    assert "".join(e["api_key"] for e in filter_config(LIST, wanted, exclude)) == keys


# ------------------------------------------------------------------------------------- from json


@requirement("config:json:variable")
def test_list_comes_from_the_variable(monkeypatch):
    monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps(LIST))
    assert config_list_from_json("OAI_CONFIG_LIST") == LIST
    wanted = {"model": {"gpt-3.5-turbo"}}
    assert config_list_from_json("OAI_CONFIG_LIST", filter_dict=wanted) == LIST[1:2]


@requirement("config:json:variable")
def test_variable_may_name_a_file(monkeypatch, tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(LIST))
    monkeypatch.setenv("OAI_CONFIG_LIST", str(tmp_path / "list.json"))
    assert config_list_from_json("OAI_CONFIG_LIST") == LIST


@requirement("config:json:file")
def test_list_comes_from_the_file(tmp_path, monkeypatch):
    (tmp_path / "OAI_CONFIG_LIST").write_text(json.dumps(LIST))
    assert config_list_from_json("OAI_CONFIG_LIST", file_location=str(tmp_path)) == LIST
    assert config_list_from_json(str(tmp_path / "OAI_CONFIG_LIST")) == LIST
    monkeypatch.chdir(tmp_path)
    assert config_list_from_json("OAI_CONFIG_LIST", None) == LIST


@requirement("config:json:missing")
def test_list_that_is_nowhere_is_a_missing_file(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="neither an environment variable 'OAI_CONFIG_LIST'"
    ):
        config_list_from_json("OAI_CONFIG_LIST", file_location=str(tmp_path))


@requirement("config:json:broken")
@pytest.mark.parametrize("text", ['[{"api_key": "sk-secret"', '{"api_key": "sk-secret"}', "[1]"])
def test_broken_list_is_told_without_its_keys(monkeypatch, text):
    monkeypatch.setenv("OAI_CONFIG_LIST", text)
    with pytest.raises(UsageError, match="environment variable OAI_CONFIG_LIST") as caught:
        config_list_from_json("OAI_CONFIG_LIST")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


# ----------------------------------------------------------------------------------- from .env


@requirement("config:dotenv")
def test_keys_come_from_the_env_file(tmp_path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-1\nMY_KEY=sk-2\n")
    found = config_list_from_dotenv(
        str(tmp_path / ".env"),
        {"gpt-4": {"api_key_env_var": "MY_KEY", "base_url": "http://x"}, "m": "MY_KEY"},
    )
    assert found == [
        {"model": "gpt-4", "api_key": "sk-2", "base_url": "http://x"},
        {"model": "m", "api_key": "sk-2"},
        {"model": "gpt-3.5-turbo", "api_key": "sk-1"},
    ]


@requirement("config:dotenv")
def test_env_file_is_looked_for_from_here_upwards(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-1\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    found = config_list_from_dotenv(filter_dict={"model": ["gpt-4"]})
    assert found == [{"model": "gpt-4", "api_key": "sk-1"}]


@requirement("config:dotenv:no-key")
def test_models_without_a_key_are_left_out_and_named(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    assert config_list_from_dotenv() == []
    assert "No key for model gpt-4: the variable OPENAI_API_KEY is not set." in caplog.text
    assert caplog.records[-1].levelname == "ERROR"


def test_env_file_that_is_not_there_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no-such\.env"):
        config_list_from_dotenv(str(tmp_path / "no-such.env"))


# ------------------------------------------------------------------------------------- from keys


@requirement("config:keys")
def test_blank_keys_are_skipped():
    found = get_config_list(["a", " ", "c"], ["http://1", "http://2", "http://3"], "azure", "v")
    assert found == [
        {"api_key": "a", "base_url": "http://1", "api_type": "azure", "api_version": "v"},
        {"api_key": "c", "base_url": "http://3", "api_type": "azure", "api_version": "v"},
    ]


@requirement("bad:config")
def test_arguments_that_cannot_be_meant_are_refused():
    with pytest.raises(TypeError, match=r"env_or_file is None; give the name"):
        config_list_from_json(None)
    with pytest.raises(TypeError, match=r"api_keys is one text; give a list"):
        get_config_list("sk-secret")
    with pytest.raises(TypeError, match=r"filter_dict has 3 under 'n'.*\{'n': \[3\]\}"):
        filter_config([{"model": "m", "n": 3}], {"n": 3})


@requirement("config:keys:lengths")
def test_as_many_addresses_as_keys():
    with pytest.raises(AssertionError) as caught:
        get_config_list(["a"], [])
    assert str(caught.value) == "The length of api_keys must match the length of base_urls"


@requirement("config:openai-aoai")
def test_keys_come_from_variables_and_files_and_the_environment_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "env-key")
    (tmp_path / "key_openai.txt").write_text("file-key")
    (tmp_path / "key_aoai.txt").write_text("azure-1\nazure-2\n")
    (tmp_path / "base_aoai.txt").write_text("https://1\nhttps://2\n")
    found = config_list_openai_aoai(key_file_path=str(tmp_path))
    assert [e["api_key"] for e in found] == ["env-key", "azure-1", "azure-2"]
    assert [e.get("base_url") for e in found] == [None, "https://1", "https://2"]
    assert config_list_openai_aoai(str(tmp_path), exclude="aoai") == [{"api_key": "env-key"}]
    assert "AZURE_OPENAI_API_KEY" not in __import__("os").environ
    with pytest.raises(UsageError, match="exclude is 'x'"):
        config_list_openai_aoai(exclude="x")


@requirement("config:models")
def test_models_are_asked_in_order_with_every_key(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    found = config_list_from_models(key_file_path=None, model_list=["b", "a"])
    assert found == [{"api_key": "k", "model": "b"}, {"api_key": "k", "model": "a"}]
    assert config_list_from_models(key_file_path=None) == [{"api_key": "k"}]
    both = config_list_gpt4_gpt35(key_file_path=None)
    assert [e["model"] for e in both] == ["gpt-4", "gpt-3.5-turbo"]


@requirement("config:json:missing")
@pytest.mark.parametrize("text", ["/no/such/file", "conf/list.json", "OAI.json", r"C:\list"])
def test_variable_that_names_no_file_says_so(monkeypatch, text):
    monkeypatch.setenv("MY_LIST", text)
    with pytest.raises(FileNotFoundError, match=r"MY_LIST.*there is no such file"):
        config_list_from_json("MY_LIST")
