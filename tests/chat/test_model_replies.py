"""What a model is asked, and what its answer becomes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.chat.cast import plain, texts
from tests.compat.requirements import requirement

from autogen.testing import ScriptedModel, call, calls
from autogen.testing.face import Face

HI = [{"role": "user", "content": "hi"}]


def answered(face: Face, reply: Any) -> Any:
    with ScriptedModel([reply]) as model:
        agent = plain("a", llm_config=model.config())
        return face.generate_oai_reply(agent, messages=HI, sender=plain("b"))


@requirement("model:request")
def test_a_model_gets_the_system_message_and_the_conversation(face: Face) -> None:
    with ScriptedModel(["two", "four"]) as model:
        bot = plain("bot", system_message="be brief", llm_config=model.config())
        user = plain("user", default_auto_reply="three")
        face.initiate_chat(user, bot, message="one", max_turns=2, silent=True)
    sent = [[(m["role"], m["content"]) for m in r["messages"]] for r in model.requests]
    assert sent[0] == [("system", "be brief"), ("user", "one")]
    assert sent[1] == [*sent[0], ("assistant", "two"), ("user", "three")]


@requirement("model:tool-call")
def test_a_tool_call_is_a_message_dict(face: Face) -> None:
    final, reply = answered(face, calls(call("f", id="1", x=1), content="wait"))
    assert final
    assert reply["content"] == "wait"
    assert reply["tool_calls"] == [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]


@requirement("model:names")
def test_names_of_functions_are_made_fit(face: Face) -> None:
    _, reply = answered(face, call("functions.do it!", id="1"))
    assert reply["tool_calls"][0]["function"]["name"] == "functions_do_it_"
    _, reply = answered(face, {"function_call": {"name": "x" * 70, "arguments": "{}"}})
    assert reply["function_call"]["name"] == "x" * 64


@requirement("model:missing-ids")
def test_missing_ids_are_left_out(face: Face) -> None:
    asked = {"id": None, "type": None, "function": {"name": "f", "arguments": "{}"}}
    _, reply = answered(face, {"content": None, "tool_calls": [asked]})
    assert reply["tool_calls"] == [{"function": {"name": "f", "arguments": "{}"}}]


@requirement("model:empty")
def test_an_empty_answer_warns_and_the_chain_goes_on(face: Face) -> None:
    with pytest.warns(UserWarning, match="empty answer"):
        said = answered(face, None)
    assert said == (False, None)
    agent = plain("a", llm_config=ScriptedModel([None]).config(), default_auto_reply="default")
    with pytest.warns(UserWarning, match="empty answer"):
        said = face.generate_reply(agent, messages=HI, sender=plain("b"))
    assert said == "default"


@requirement("model:no-client")
def test_without_a_model_the_chain_goes_on(face: Face) -> None:
    assert face.generate_oai_reply(plain("a"), messages=HI) == (False, None)


@requirement("model:context")
def test_contexts_are_not_sent_and_stay_in_the_history(face: Face) -> None:
    with ScriptedModel(["one", "two"]) as model:
        bot, user = plain("bot", llm_config=model.config()), plain("user", default_auto_reply="x")
        first = {"content": lambda c: f"n={c['n']}", "context": {"n": 1}}
        face.initiate_chat(user, bot, message=first, max_turns=2, silent=True)
    for request in model.requests:
        assert request["messages"][1]["content"] == "n=1"
        assert not any("context" in message for message in request["messages"])
    assert bot.chat_messages[user][0]["context"] == {"n": 1}
    assert user.chat_messages[bot][0]["content"] is first["content"]


@requirement("model:own-client")
def test_a_client_in_place_of_ours_is_asked(face: Face) -> None:
    class Own:
        total_usage_summary = actual_usage_summary = None

        def create(self, **config: Any) -> Any:
            return {"text": f"{len(config['messages'])} messages"}

        def extract_text_or_completion_object(self, response: Any) -> list[Any]:
            return [response["text"]]

    agent = plain("a")
    agent.client = Own()  # type: ignore[assignment]
    assert face.generate_reply(agent, messages=HI, sender=plain("b")) == "2 messages"
    assert texts(HI) == ["hi"]


class Odd:
    """A client whose answers are of any kind."""

    def __init__(self, answer: Any):
        self.answer = answer

    def create(self, params: dict[str, Any]) -> Any:
        return SimpleNamespace(choices=[], model="odd")

    def message_retrieval(self, response: Any) -> list[Any]:
        return [self.answer]

    def cost(self, response: Any) -> float:
        return 0.0

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        return {}


def odd(face: Face, answer: Any) -> Any:
    agent = plain("a", llm_config={"config_list": [{"model": "m", "model_client": Odd(answer)}]})
    return face.generate_oai_reply(agent, messages=HI, sender=plain("b"))


def test_an_answer_in_parts_is_a_message(face: Face) -> None:
    parts = [{"type": "text", "text": "hi"}]
    assert odd(face, parts) == (True, {"content": parts})


def test_an_answer_that_is_no_message_is_refused(face: Face) -> None:
    with pytest.raises(TypeError, match="the model client gave 5 as an answer"):
        odd(face, 5)


def test_a_call_of_nothing_is_a_call(face: Face) -> None:
    called = {"id": "1", "type": "function", "function": {"name": None, "arguments": "{}"}}
    _, reply = odd(face, {"content": None, "tool_calls": [called]})
    assert reply["tool_calls"][0]["function"]["name"] == ""
