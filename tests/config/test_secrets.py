"""Which names hold secrets, and what is left of a text that holds one."""

from __future__ import annotations

import pytest

from autogen.config.secrets import is_secret_name, masked, redact


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "api_key",
        "apiKey",
        "x-api-key",
        "Authorization",
        "Cookie",
        "GITHUB_TOKEN",
        "azure_ad_token",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_CLIENT_SECRET",
        "DB_PASSWORD",
        "PGPASSWORD",
        "MYSQL_PWD",
        "DATABASE_URL",
        "AUTOGEN_DATABASE_URL",
        "SENTRY_DSN",
        "SSH_AUTH_SOCK",
        "KUBECONFIG",
        "OAI_CONFIG_LIST",
        "SSH_PRIVATE_KEY",
        "secret",
    ],
)
def test_name_of_a_secret(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LANG",
        "MONKEY",
        "KEYBOARD",
        "max_tokens",
        "prompt_tokens",
        "TOKENIZERS_PARALLELISM",
        "model",
        "author",
        "PASS_THROUGH",
        "SSH_CONNECTION",
        "AWS_REGION",
    ],
)
def test_name_of_something_else(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text, left",
    [
        ("Incorrect API key provided: sk-abcdefgh12345678.", "Incorrect API key provided: sk-***."),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("postgresql://me:pa55word@host/db", "postgresql://me:***@host/db"),
        ("{'api_key': 'abcdef', 'model': 'm'}", "{'api_key': '***', 'model': 'm'}"),
        ("?api-key=abcdef&x=1", "?api-key=***&x=1"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA***"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "token eyJ***"),
        ("max_tokens=100 is fine", "max_tokens=100 is fine"),
        ("nothing here: https://host/path", "nothing here: https://host/path"),
    ],
)
def test_secret_in_a_text_is_replaced(text, left):
    assert redact(text) == left


def test_known_secrets_are_replaced_wherever_they_stand():
    assert redact("a plainword here", ["plainword", None, "", "a"]) == "a *** here"


def test_long_text_is_read_in_no_time():
    text = "a:" * 200_000 + "sk-" * 1000 + "x" * 200_000
    assert len(redact(text)) <= len(text)


def test_nested_values_are_masked_by_name_and_inside_texts():
    config = {
        "config_list": [{"model": "m", "api_key": "sk-1", "api_version": None}],
        "headers": {"Authorization": "Bearer abcdefgh"},
        "note": "key sk-abcdefgh12345678",
        "max_tokens": 5,
        "api_key": None,
    }
    assert masked(config) == {
        "config_list": [{"model": "m", "api_key": "***", "api_version": None}],
        "headers": {"Authorization": "***"},
        "note": "key sk-***",
        "max_tokens": 5,
        "api_key": None,
    }
