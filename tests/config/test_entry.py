"""Entries of a config list: whose option wins, which environment counts, where a call goes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen.config.entry import DEFAULT_AZURE_API_VERSION, Entry, parse_entries
from autogen.config.providers import PROVIDERS
from autogen.errors import AuthenticationError, UsageError


def entry(**options: Any) -> Entry:
    return parse_entries(None, options)[0]


def test_entry_wins_over_the_top_level_and_keys_are_sorted_by_purpose():
    parsed = parse_entries(
        [{"model": "a", "temperature": 1, "price": 2}],
        {"temperature": 0, "seed": 3, "timeout": 4, "filter_func": None, "config_list": "ignored"},
    )[0]
    assert parsed.options == {"model": "a", "temperature": 1, "seed": 3}
    assert parsed.client_options == {"timeout": 4}
    assert parsed.price == (2.0, 2.0)
    assert parsed.own == {"price": 2}


@requirement("provider:openai")
def test_openai_is_the_default_and_its_variables_count(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project")
    endpoint = entry().endpoint("gpt-4o")
    assert endpoint.base_url == "https://api.openai.com/v1"
    assert (endpoint.api_key, endpoint.organization) == ("sk-env", "org")
    assert endpoint.headers == {"OpenAI-Project": "project"}
    assert (endpoint.timeout_s, endpoint.max_retries, endpoint.api_type) == (600.0, 2, "openai")


def test_entry_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://env/v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    made = entry(api_key="sk-own", base_url="http://own/v1/", organization="own").endpoint("m")
    assert (made.api_key, made.base_url, made.organization) == ("sk-own", "http://own/v1", "own")
    assert entry(api_key="k").endpoint("m").base_url == "http://env/v1"


def test_variables_are_read_at_the_first_call_not_before(monkeypatch):
    made = entry()
    monkeypatch.setenv("OPENAI_API_KEY", "late")
    assert made.endpoint("m").api_key == "late"


@requirement("provider:compatible")
@pytest.mark.parametrize("url", ["http://localhost:1234/v1", "https://models.example.org/v1"])
def test_compatible_server_needs_no_key(url):
    assert entry(base_url=url).endpoint("m").api_key is None


def test_missing_key_is_told_without_a_key_and_with_the_place():
    with pytest.raises(AuthenticationError) as caught:
        entry(model="gpt-4o").endpoint("gpt-4o")
    assert "no API key for model 'gpt-4o' at api.openai.com" in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)
    assert caught.value.retryable is False


@requirement("provider:others")
@pytest.mark.parametrize("service", [p for p in PROVIDERS if p.base_url], ids=lambda p: p.name)
def test_provider_is_served_at_its_own_address_with_its_own_key(service, monkeypatch):
    for name in service.key_names:
        monkeypatch.delenv(name, raising=False)
    made = entry(api_type=service.name)
    if service.needs_key:
        with pytest.raises(AuthenticationError, match=service.key_names[0]):
            made.endpoint("m")
        monkeypatch.setenv(service.key_names[-1], " key\n")
    endpoint = entry(api_type=service.name.upper()).endpoint("m")
    assert endpoint.base_url == service.base_url
    assert endpoint.api_key == ("key" if service.needs_key else None)
    assert endpoint.api_type == "openai"


@requirement("provider:others")
def test_key_of_openai_goes_to_no_other_provider(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(AuthenticationError, match="GROQ_API_KEY"):
        entry(api_type="groq").endpoint("m")
    assert entry(api_type="ollama").endpoint("m").api_key is None
    assert entry(api_type="ollama").endpoint("m").organization is None


@pytest.mark.parametrize("api_type", ["google_ai", "open_ai", "azure_openai", "GROQ"])
def test_api_type_is_known_by_its_beginning(api_type):
    assert entry(api_type=api_type).provider().name in ("google", "openai", "azure", "groq")


@requirement("provider:unknown")
@pytest.mark.parametrize("api_type", ["nobody", "bedrocks", ""])
def test_unknown_api_type_is_refused_and_the_known_are_listed(api_type):
    with pytest.raises(UsageError, match=r"'openai', 'azure', 'anthropic'.*give the 'base_url'"):
        entry(api_type=api_type)


def test_unknown_api_type_with_an_address_is_served():
    made = entry(api_type="bedrock", base_url="https://gateway.example.org/v1", api_key="k")
    assert made.endpoint("m").base_url == "https://gateway.example.org/v1"


@requirement("provider:azure")
def test_azure_takes_deployment_names_without_dots(monkeypatch):
    made = entry(api_type="azure", base_url="https://x.example.org/", api_key="k")
    endpoint = made.endpoint("gpt-3.5-turbo")
    assert (endpoint.model, endpoint.api_type) == ("gpt-35-turbo", "azure")
    assert endpoint.base_url == "https://x.example.org"
    assert endpoint.api_version == DEFAULT_AZURE_API_VERSION
    monkeypatch.setenv("OPENAI_API_VERSION", "2030-01-01")
    assert entry(api_type="azure", base_url="https://x", api_key="k").endpoint("m").api_version == (
        "2030-01-01"
    )


def test_azure_variables_and_options(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://env.example.org")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "env-key")
    monkeypatch.setenv("OPENAI_API_KEY", "not this one")
    endpoint = entry(api_type="azure", azure_deployment="my.deployment").endpoint("gpt-4")
    assert (endpoint.base_url, endpoint.api_key) == ("https://env.example.org", "env-key")
    assert endpoint.model == "my.deployment"
    assert endpoint.organization is None


@requirement("provider:azure")
def test_azure_needs_a_key_or_a_token():
    url = {"api_type": "azure", "base_url": "https://x.example.org"}
    with pytest.raises(AuthenticationError, match="AZURE_OPENAI_API_KEY"):
        entry(**url).endpoint("m")
    given = entry(**url, azure_ad_token="token").endpoint("m")
    assert given.azure_ad_token_provider() == "token"
    made = entry(**url, azure_ad_token_provider=lambda: "made").endpoint("m")
    assert made.azure_ad_token_provider() == "made"
    with pytest.raises(UsageError, match="function that gives a token, or 'DEFAULT'"):
        entry(**url, azure_ad_token_provider="other").endpoint("m")


def test_default_azure_credential_names_its_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)
    url = {"api_type": "azure", "base_url": "https://x.example.org"}
    with pytest.raises(UsageError, match="pip install azure-identity"):
        entry(**url, azure_ad_token_provider="DEFAULT").endpoint("m")


def test_timeout_object_of_another_library_gives_its_seconds():
    class Timeout:
        read = 7.0

    assert entry(api_key="k", timeout=Timeout()).endpoint("m").timeout_s == 7.0


def test_endpoint_is_made_once_per_model():
    made = entry(api_key="k")
    assert made.endpoint("a") is made.endpoint("a")
    assert made.endpoint("a") is not made.endpoint("b")


@pytest.mark.parametrize(
    "written, meant",
    [
        ("apikey", "api_key"),
        ("API_KEY", "api_key"),
        ("api-key", "api_key"),
        ("baseURL", "base_url"),
        ("api_base", "base_url"),
        ("request_timeout", "timeout"),
    ],
)
def test_a_misspelt_key_is_refused_and_not_sent_to_the_model(written, meant):
    with pytest.raises(UsageError, match=f"{written!r}.*{meant!r}") as caught:
        entry(model="m", **{written: "sk-secret"})
    assert "sk-secret" not in str(caught.value)


def test_clients_of_ones_own_may_have_keys_of_any_name():
    assert entry(model_client_cls="Mine", apikey="x").options["apikey"] == "x"
    assert entry(model="m", max_tokens=5, top_p=1, store=True).options["store"] is True
