"""Registering functions with agents."""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel
from tests.compat.requirements import requirement

from autogen.oai.client import OpenAIWrapper
from autogen.tools import registry

TOOL_LESS = {"config_list": [{"model": "gpt-4o", "api_key": "k"}]}


class Currency(BaseModel):
    currency: Literal["USD", "EUR"]
    amount: float


class Agent:
    """What the registry needs of an agent, with the real client behind it."""

    def __init__(self, llm_config: Any = None):
        self.llm_config = llm_config
        self.client = OpenAIWrapper(**llm_config) if llm_config else None
        self.function_map: dict[str, Any] = {}

    def register_function(self, function_map):
        self.function_map.update(function_map)

    def register_for_llm(self, **options):
        return registry.register_for_llm(self, **options)

    def register_for_execution(self, name=None, **options):
        return registry.register_for_execution(self, name, **options)

    def update_tool_signature(self, tool_sig, is_remove):
        registry.update_tool_signature(self, tool_sig, is_remove)

    def update_function_signature(self, func_sig, is_remove):
        registry.update_function_signature(self, func_sig, is_remove)


@pytest.fixture
def agent() -> Agent:
    return Agent({**TOOL_LESS})


def tool(name: str, description: str = "d") -> dict[str, Any]:
    function = {"name": name, "description": description, "parameters": {}}
    return {"type": "function", "function": function}


def names(agent: Agent) -> list[str]:
    return [one["function"]["name"] for one in agent.llm_config["tools"]]


# ------------------------------------------------------------------------------------- for models


@requirement("register:llm:stacked")
def test_decorators_stack_and_inherit_name_and_description():
    first, second, third, executor = (Agent({**TOOL_LESS}) for _ in range(4))

    @executor.register_for_execution()
    @third.register_for_llm(name="other")
    @second.register_for_llm()
    @first.register_for_llm(name="shout", description="Say it loudly.")
    def say(text: str) -> str:
        return text.upper()

    assert say("hi") == "HI"
    assert names(first) == names(second) == ["shout"]
    assert names(third) == ["other"]
    described = second.llm_config["tools"][0]["function"]["description"]
    assert described == "Say it loudly."
    assert list(executor.function_map) == ["other"]


@requirement("register:llm:no-description")
def test_innermost_decorator_needs_a_description(agent):
    with pytest.raises(ValueError, match=r"^Function description is required, none found\.$"):

        @agent.register_for_llm()
        def f(a: int) -> int:
            return a


@requirement("register:llm:api-style")
def test_style_function_fills_the_older_list(agent):
    @agent.register_for_llm(description="d", api_style="function")
    def f(a: int) -> int:
        return a

    assert [one["name"] for one in agent.llm_config["functions"]] == ["f"]
    assert "tools" not in agent.llm_config


def test_unknown_style_is_refused(agent):
    with pytest.raises(ValueError, match="api_style 'rest' is not known"):
        agent.register_for_llm(description="d", api_style="rest")


@pytest.mark.parametrize("llm_config", [None, False])
def test_agent_without_model_is_refused(llm_config, caplog):
    agent = Agent(llm_config)
    problem = "To update a tool signature, agent must have an llm_config"
    with caplog.at_level(logging.ERROR), pytest.raises(AssertionError, match=problem):

        @agent.register_for_llm(description="d")
        def f(a: int) -> int:
            return a

    assert problem in caplog.text


def test_methods_can_be_registered(agent):
    class Shop:
        def buy(self, item: str) -> str:
            return f"bought {item}"

    shop = Shop()
    registry.register_function(shop.buy, caller=agent, executor=agent, description="Buy.")
    assert names(agent) == ["buy"]
    assert agent.function_map["buy"](item="tea") == "bought tea"


# --------------------------------------------------------------------------------- for execution


@requirement("register:execution")
def test_wrapper_takes_dicts_gives_text_and_knows_its_origin(agent):
    @agent.register_for_execution()
    def double(base: Annotated[Currency, "Base"]) -> Currency:
        return Currency(currency=base.currency, amount=base.amount * 2)

    wrapper = agent.function_map["double"]
    assert wrapper(base={"currency": "USD", "amount": 2}) == '{"currency":"USD","amount":4.0}'
    assert wrapper._origin is double
    assert not hasattr(wrapper, "_parallel")


def test_wrapper_of_a_coroutine_function_is_one(agent):
    @agent.register_for_execution(name="later")
    async def f(n: int) -> dict[str, int]:
        return {"n": n}

    assert asyncio.iscoroutinefunction(agent.function_map["later"])
    assert asyncio.run(agent.function_map["later"](n=1)) == '{"n": 1}'
    assert asyncio.run(f(1)) == {"n": 1}


def test_parallel_marks_the_wrapper_alone(agent):
    @agent.register_for_execution(parallel=True)
    def f(n: int) -> int:
        return n

    assert agent.function_map["f"]._parallel is True
    assert not hasattr(f, "_parallel")


def test_wrapper_comes_from_the_agent_where_it_makes_its_own():
    class Loud(Agent):
        def _wrap_function(self, func):
            return lambda **kwargs: f"called {func.__name__}"

    agent = Loud()

    @agent.register_for_execution()
    def f(n: int) -> int:
        return n

    assert agent.function_map["f"](n=1) == "called f"


@requirement("register:both")
def test_register_function_registers_with_both():
    caller, executor = Agent({**TOOL_LESS}), Agent()

    def f(n: int) -> int:
        return n

    registry.register_function(
        f, caller=caller, executor=executor, name="g", description="d", parallel=True
    )
    assert names(caller) == ["g"]
    assert executor.function_map["g"](n=1) == "1"
    assert executor.function_map["g"]._parallel


def test_register_function_asks_no_more_of_an_executor_than_before():
    class Old(Agent):
        def register_for_execution(self, name=None):
            return registry.register_for_execution(self, name)

    executor = Old()

    def f(n: int) -> int:
        return n

    registry.register_function(f, caller=Agent({**TOOL_LESS}), executor=executor, description="d")
    assert list(executor.function_map) == ["f"]


# ------------------------------------------------------------------------------------- signatures


@requirement("register:signature")
def test_signature_is_added_replaced_and_removed(agent):
    agent.update_tool_signature(tool("f", "one"), is_remove=False)
    agent.update_tool_signature(tool("g"), is_remove=False)
    with pytest.warns(UserWarning, match=r"^Function 'f' is being overridden\.$"):
        agent.update_tool_signature(tool("f", "two"), is_remove=False)
    assert names(agent) == ["g", "f"]
    assert agent.llm_config["tools"][1]["function"]["description"] == "two"
    agent.update_tool_signature("f", is_remove=True)
    assert names(agent) == ["g"]
    agent.update_tool_signature("g", is_remove=True)
    assert "tools" not in agent.llm_config


def test_function_signature_is_added_replaced_and_removed(agent):
    agent.update_function_signature(tool("f")["function"], is_remove=False)
    with pytest.warns(UserWarning, match="Function 'f' is being overridden"):
        agent.update_function_signature(tool("f")["function"], is_remove=False)
    agent.update_function_signature("f", is_remove=True)
    assert "functions" not in agent.llm_config


@requirement("register:signature:wrong")
@pytest.mark.parametrize(
    "signature, is_remove",
    [("f", False), (None, False), ({"name": "f"}, False), (tool("f"), True), (None, True)],
)
def test_signature_of_the_wrong_type_is_refused(agent, signature, is_remove):
    agent.update_tool_signature(tool("f"), is_remove=False)
    with pytest.raises(ValueError):
        agent.update_tool_signature(signature, is_remove=is_remove)
    assert names(agent) == ["f"]


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 65, "f\n"])
def test_name_that_models_can_not_call_is_refused(agent, name):
    with pytest.raises(ValueError, match="can't be used"):
        agent.update_tool_signature(tool(name), is_remove=False)


def test_removing_from_an_agent_without_tools_is_refused(agent):
    with pytest.raises(AssertionError, match="The agent config doesn't have tool f"):
        agent.update_tool_signature("f", is_remove=True)


@requirement("register:keeps-client")
def test_client_stays_and_knows_the_new_tools(agent):
    client = agent.client
    agent.update_tool_signature(tool("f"), is_remove=False)
    assert agent.client is client
    assert client._router.entries[0].options["tools"] == [tool("f")]
    agent.update_tool_signature("f", is_remove=True)
    assert "tools" not in client._router.entries[0].options


def test_list_of_tools_that_the_caller_handed_in_is_not_changed():
    mine = [tool("f")]
    agent = Agent({**TOOL_LESS, "tools": mine})
    agent.update_tool_signature(tool("g"), is_remove=False)
    assert mine == [tool("f")]
    assert names(agent) == ["f", "g"]


def test_client_of_somebodys_own_is_left_alone(agent):
    agent.client = object()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent.update_tool_signature(tool("f"), is_remove=False)
    assert names(agent) == ["f"]
