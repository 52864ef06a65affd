"""Telling models of functions, and letting agents call them."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, register_function
from autogen.function_utils import get_function_schema
from autogen.testing import ScriptedModel
from autogen.testing.face import Face


def add(a: Annotated[int, "first"], b: int = 2) -> int:
    return a + b


SCHEMA = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "first"},
                "b": {"type": "integer", "default": 2, "description": "b"},
            },
            "required": ["a"],
        },
    },
}


@pytest.fixture(autouse=True)
def _without_notes() -> Any:
    """Decorators leave name and description on the function."""
    yield
    for key in ("_name", "_description"):
        if hasattr(add, key):
            delattr(add, key)


def caller() -> ConversableAgent:
    return speaker("caller", [])


def config(agent: ConversableAgent) -> dict[str, Any]:
    assert agent.llm_config is not False
    return agent.llm_config


@requirement("register:llm", "schema:shape")
def test_register_for_llm() -> None:
    agent = caller()
    assert agent.register_for_llm(description="Add.")(add) is add
    assert config(agent)["tools"] == [SCHEMA]
    assert get_function_schema(add, name="add", description="Add.") == SCHEMA


@requirement("register:llm")
def test_the_model_is_told_of_the_tools(face: Face) -> None:
    with ScriptedModel(["x"]) as model:
        agent = plain("a", llm_config=model.config())
        agent.register_for_llm(description="Add.")(add)
        face.generate_reply(agent, messages=[{"role": "user", "content": "hi"}])
    assert model.requests[0]["tools"] == [SCHEMA]


@requirement("register:llm:stacked")
def test_decorators_inherit_name_and_description() -> None:
    one, two, executor = caller(), caller(), plain("executor")

    @executor.register_for_execution()
    @two.register_for_llm()
    @one.register_for_llm(name="plus", description="Add numbers.")
    def sum_up(a: int) -> int:
        return a

    for agent in (one, two):
        function = config(agent)["tools"][0]["function"]
        assert (function["name"], function["description"]) == ("plus", "Add numbers.")
    assert list(executor.function_map) == ["plus"]
    assert sum_up(3) == 3


@requirement("register:llm:no-description")
def test_a_function_without_a_description() -> None:
    with pytest.raises(ValueError) as caught:
        caller().register_for_llm()(add)
    assert str(caught.value) == "Function description is required, none found."


@requirement("register:llm:no-model", "register:signature:wrong")
def test_an_agent_without_a_model_takes_no_tools() -> None:
    text = "To update a tool signature, agent must have an llm_config"
    with pytest.raises(AssertionError, match=text):
        plain("a").register_for_llm(description="Add.")(add)
    with pytest.raises(AssertionError, match=text):
        plain("a").update_tool_signature(SCHEMA, is_remove=False)
    with pytest.raises(AssertionError, match="must have an llm_config"):
        plain("a").update_function_signature(SCHEMA["function"], is_remove=False)  # type: ignore[arg-type]


@requirement("register:llm:api-style")
def test_api_styles() -> None:
    agent = caller()
    agent.register_for_llm(description="Add.", api_style="function")(add)
    assert config(agent)["functions"] == [SCHEMA["function"]]
    assert "tools" not in config(agent)
    with pytest.raises(ValueError, match="api_style"):
        agent.register_for_llm(description="x", api_style="other")(add)  # type: ignore[arg-type]


@requirement("register:execution")
def test_register_for_execution() -> None:
    agent = plain("a")
    assert agent.register_for_execution()(add) is add
    assert agent.function_map["add"]._origin is add  # type: ignore[attr-defined]
    assert agent.function_map["add"](1, 2) == "3"
    # The same function again, for another caller, overrides nothing.
    agent.register_for_execution()(add)
    with pytest.warns(UserWarning, match=r"Function 'add' is being overridden\."):
        agent.register_for_execution(name="add")(lambda a, b: "other")


@requirement("register:both")
def test_register_function_does_both() -> None:
    agent, executor = caller(), plain("executor")
    register_function(add, caller=agent, executor=executor, name="plus", description="Add.")
    assert config(agent)["tools"][0]["function"]["name"] == "plus"
    assert list(executor.function_map) == ["plus"]


@requirement("register:signature")
@pytest.mark.parametrize("kind", ["tool", "function"])
def test_signatures_are_added_replaced_and_removed(kind: str) -> None:
    agent = caller()
    update = getattr(agent, f"update_{kind}_signature")
    signature = SCHEMA if kind == "tool" else SCHEMA["function"]
    update(signature, is_remove=False)
    with pytest.warns(UserWarning, match=r"Function 'add' is being overridden\."):
        update(signature, is_remove=False)
    assert config(agent)[f"{kind}s"] == [signature]
    update("add", is_remove=True)
    assert f"{kind}s" not in config(agent)
    with pytest.raises(AssertionError, match="add"):
        update("add", is_remove=True)


@requirement("register:signature:wrong")
@pytest.mark.parametrize(
    "signature,is_remove", [("add", False), (5, False), ({}, True), ({}, False)]
)
def test_wrong_signatures(signature: Any, is_remove: bool) -> None:
    for update in (caller().update_tool_signature, caller().update_function_signature):
        with pytest.raises(ValueError):
            update(signature, is_remove=is_remove)


@requirement("register:keeps-client")
def test_registering_keeps_the_client_and_its_account(face: Face) -> None:
    bot, user = speaker("bot", ["one", "two"]), mute("user")
    face.initiate_chat(user, bot, message="hi", silent=True)
    before, client = bot.get_total_usage(), bot.client
    bot.register_for_llm(description="Add.")(add)
    assert (bot.get_total_usage(), bot.client) == (before, client)
    assert texts(face.initiate_chat(user, bot, message="hi", silent=True).chat_history)[1] == "two"


@requirement("schema:missing")
def test_parameters_without_annotation() -> None:
    def f(a, b, c: int, d=1):  # type: ignore[no-untyped-def]
        return a

    with pytest.raises(TypeError) as caught:
        get_function_schema(f, description="x")
    assert str(caught.value) == (
        "All parameters of the function 'f' without default values must be annotated. "
        "The annotations are missing for the following parameters: 'a', 'b'"
    )
