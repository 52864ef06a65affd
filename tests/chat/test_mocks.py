"""Mocks in the place of an agent's parts, as tests of programs have them."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, MagicMock, patch

import pytest
from tests.chat.cast import mute, plain, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, UserProxyAgent
from autogen.coding import CodeBlock, CodeResult
from autogen.testing.face import Face

QUESTION = [{"role": "user", "content": "q"}]
MODEL = {"model": "m", "api_key": "k"}


@requirement("agent:mocks")
def test_a_mock_as_the_model_client(face: Face) -> None:
    agent, client = plain("a", llm_config=MODEL), MagicMock()
    client.extract_text_or_completion_object.return_value = ["hello"]
    agent.client = client
    assert face.generate_reply(agent, QUESTION) == "hello"
    client.create.assert_called_once()
    assert client.create.call_args.kwargs["messages"][-1] == QUESTION[-1]


@requirement("agent:mocks")
def test_methods_of_the_client_mocked(face: Face) -> None:
    agent = plain("a", llm_config=MODEL)
    with (
        patch.object(agent.client, "create"),
        patch.object(
            agent.client, "extract_text_or_completion_object", return_value=["hello"]
        ) as extract,
    ):
        assert face.generate_reply(agent, QUESTION) == "hello"
    extract.assert_called_once()


@requirement("agent:mocks")
def test_a_mock_as_the_executor(face: Face) -> None:
    executor = MagicMock()
    executor.code_extractor.extract_code_blocks.return_value = [
        CodeBlock(code="1", language="python")
    ]
    executor.execute_code_blocks.return_value = CodeResult(exit_code=0, output="one")
    agent = plain("a", code_execution_config={"executor": executor})
    said = face.generate_reply(agent, QUESTION)
    assert said == "exitcode: 0 (execution succeeded)\nCode output: one"
    executor.execute_code_blocks.assert_called_once()


@requirement("agent:mocks")
@pytest.mark.parametrize("where", ["instance", "async instance", "class"])
def test_a_mock_as_the_person(face: Face, where: str) -> None:
    user = UserProxyAgent("u", code_execution_config=False)
    other = plain("b", default_auto_reply="said")
    answers = ["go on", "exit"]
    if where == "class":
        with patch.object(ConversableAgent, "get_human_input", side_effect=answers):
            result = face.initiate_chat(user, other, message="hi", silent=True)
    else:
        name, kind = (
            ("a_get_human_input", AsyncMock) if "async" in where else ("get_human_input", MagicMock)
        )
        setattr(user, name, kind(side_effect=answers))
        result = face.initiate_chat(user, other, message="hi", silent=True)
    assert result.human_input == answers
    assert texts(result.chat_history) == ["hi", "said", "go on", "said"]


@requirement("agent:mocks")
def test_a_mock_as_a_reply_a_rule_and_a_function(face: Face) -> None:
    ends, function, says = MagicMock(return_value=False), MagicMock(return_value="r"), MagicMock()
    says.return_value = (True, "said")
    agent = plain("a", is_termination_msg=ends, function_map={"f": function})
    agent.register_reply([ConversableAgent, None], says, position=2)
    assert face.generate_reply(agent, QUESTION) == "said"
    ends.assert_called_once_with(QUESTION[-1])
    says.assert_called_once_with(agent, messages=QUESTION, sender=None, config=None)
    face.execute_function(agent, {"name": "f", "arguments": '{"x": 1}'})
    function.assert_called_once_with(x=1)


@requirement("agent:mocks")
def test_mocks_as_methods_of_an_agent(face: Face) -> None:
    agent: Any = plain("a")
    agent.generate_reply = MagicMock(side_effect=["one", None])
    result = face.initiate_chat(
        plain("u", default_auto_reply="and"), agent, message="hi", silent=True
    )
    assert texts(result.chat_history) == ["hi", "one", "and"]
    hearer: Any = mute("b")
    hearer.receive = MagicMock()
    face.send(agent, "hi", hearer, silent=True)
    assert hearer.receive.call_args.args[:2] == ("hi", agent)
