"""Helpers for authors of model clients, and the option `hide_tools`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen.models.base import ChatCompletion, ChatCompletionMessage, Choice
from autogen.oai.client import OpenAIWrapper
from autogen.oai.client_utils import should_hide_tools, validate_parameter

TOOLS = [{"type": "function", "function": {"name": n}} for n in ("one", "two")]


def ran(*names: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go", "tool_calls": None}]
    for name in names:
        call = {"id": f"id-{name}", "type": "function", "function": {"name": name}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"id-{name}", "content": "done"})
    return messages


@requirement("wrapper:hide-tools")
@pytest.mark.parametrize(
    "when, names, hidden",
    [
        ("never", ["one", "two"], False),
        ("if_any_run", [], False),
        ("if_any_run", ["one"], True),
        ("if_all_run", ["one"], False),
        ("if_all_run", ["one", "two"], True),
    ],
)
def test_tools_are_hidden_when_they_have_run(when, names, hidden):
    assert should_hide_tools(ran(*names), TOOLS, when) is hidden
    assert should_hide_tools(ran(*names), [], when) is False


def test_unknown_moment_is_refused():
    with pytest.raises(TypeError, match="hide_tools is 'often'"):
        should_hide_tools([], TOOLS, "often")


@requirement("wrapper:hide-tools")
def test_option_takes_the_tools_out_of_the_request():
    seen = []

    class Carrier:
        async def complete(self, endpoint: Any, request: Any) -> ChatCompletion:
            seen.append(dict(request.options))
            return ChatCompletion([Choice(ChatCompletionMessage("hi"))], model="gpt-4")

    wrapper = OpenAIWrapper(
        model="gpt-4", api_key="k", http_client=Carrier(), tools=TOOLS, hide_tools="if_any_run"
    )
    wrapper.create(messages=ran())
    wrapper.create(messages=ran("one"))
    assert seen == [{"tools": TOOLS}, {}]


@requirement("wrapper:helpers")
@pytest.mark.parametrize(
    "value, checked",
    [(0.5, 0.5), (0, 0), (None, 1.0), ("hot", 1.0), (-1, 1.0), (3, 1.0), (0.7, 1.0)],
)
def test_unusable_value_gives_way_to_the_default(value, checked, caplog):
    allowed = [0, 0.5, 1.0, -1, 3]
    given = validate_parameter({"t": value}, "t", (int, float), False, 1.0, (0, 2), allowed)
    assert given == checked
    assert ("t is" in caplog.text) is (value != checked)


def test_missing_value_and_none_where_it_is_allowed():
    assert validate_parameter({}, "t", int, True, None, None, None) is None
    assert validate_parameter({"t": None}, "t", int, True, 3, None, None) is None
    with pytest.raises(TypeError, match="allowed_values is a tuple"):
        validate_parameter({}, "t", int, True, None, None, (1,))  # type: ignore[arg-type]
