from __future__ import annotations

import contextlib
import copy
import threading

import pytest

from autogen import AssistantAgent, UserProxyAgent
from autogen.errors import UsageError
from autogen.models.base import ModelClient
from autogen.oai.client import OpenAIWrapper
from autogen.testing import (
    ScriptedModel,
    ScriptError,
    UnexpectedCall,
    UnusedReplies,
    call,
    calls,
    scripted,
)


def asked(text: str = "hi") -> dict[str, object]:
    return {"model": "scripted", "messages": [{"role": "user", "content": text}]}


def said(model: ScriptedModel, text: str = "hi") -> object:
    return model.create(asked(text)).choices[0].message.content


def test_replies_come_in_order():
    model = ScriptedModel(["one", "two"])
    assert [said(model), said(model)] == ["one", "two"]
    model.assert_done()


def test_model_is_a_client_by_protocol():
    assert isinstance(ScriptedModel([]), ModelClient)


def test_unexpected_call_names_the_messages_it_saw():
    model = ScriptedModel(["only one"])
    said(model)
    with pytest.raises(UnexpectedCall, match=r"call 2 .* had 1 reply.*\n  user: what about this"):
        said(model, "what about this")


def test_errors_of_a_script_are_assertion_errors():
    assert issubclass(ScriptError, AssertionError)
    assert issubclass(UnexpectedCall, ScriptError) and issubclass(UnusedReplies, ScriptError)


def test_swallowed_unexpected_call_still_fails_at_the_end():
    model = ScriptedModel([])
    with contextlib.suppress(AssertionError):
        said(model)
    with pytest.raises(UnexpectedCall), model:
        pass


def test_replies_that_are_left_fail_at_the_end():
    with pytest.raises(UnusedReplies, match=r"2 left:\n  'b'\n  'c'"), ScriptedModel(["b", "c"]):
        pass


def test_error_inside_the_block_is_not_hidden_by_what_is_left():
    with pytest.raises(ZeroDivisionError), ScriptedModel(["left"]):
        raise ZeroDivisionError


def test_long_conversation_is_cut_in_the_message():
    messages = [{"role": "user", "content": f"message {i} " + "x" * 5000} for i in range(500)]
    with pytest.raises(UnexpectedCall) as caught:
        ScriptedModel([]).create({"messages": messages})
    text = str(caught.value)
    assert len(text) < 6000
    assert "message 0 " in text and "message 499 " in text and "488 more" in text


def test_exceptions_are_raised_and_count_as_replies():
    with ScriptedModel([TimeoutError("late"), KeyboardInterrupt, "fine"]) as model:
        with pytest.raises(TimeoutError, match="late"):
            said(model)
        with pytest.raises(KeyboardInterrupt):
            said(model)
        assert said(model) == "fine"


def test_function_makes_replies_and_is_never_used_up():
    def echo(params):
        return params["messages"][-1]["content"].upper()

    with ScriptedModel(echo) as model:
        assert [said(model, "a"), said(model, "b")] == ["A", "B"]


def test_function_may_give_an_exception():
    with pytest.raises(OSError, match="no"):
        said(ScriptedModel(lambda params: OSError("no")))


def test_call_as_reply_is_a_message_with_one_tool_call():
    choice = ScriptedModel([call("add", id="c1", a=1, b=2)]).create(asked()).choices[0]
    (made,) = choice.message.tool_calls or []
    assert (made.id, made.function.name, made.function.arguments) == (
        "c1",
        "add",
        '{"a": 1, "b": 2}',
    )
    assert choice.finish_reason == "tool_calls" and choice.message.content is None


def test_calls_may_have_text_beside_them():
    message = (
        ScriptedModel([calls(call("f"), call("g"), content="wait")])
        .create(asked())
        .choices[0]
        .message
    )
    assert message.content == "wait"
    assert [c.function.name for c in message.tool_calls or []] == ["f", "g"]


def test_message_dicts_may_have_function_calls_and_reasoning():
    reply = {"function_call": {"name": "f", "arguments": "{}"}, "reasoning_content": "hm"}
    message = ScriptedModel([reply]).create(asked()).choices[0].message
    assert message.function_call is not None and message.function_call.name == "f"
    assert message.reasoning_content == "hm"


def test_none_is_an_empty_answer():
    assert said(ScriptedModel([None])) is None


@pytest.mark.parametrize("reply", [3, {"text": "x"}, object(), ["x"]])
def test_what_no_model_can_say_is_refused(reply):
    with pytest.raises(UsageError, match="a model can say"):
        said(ScriptedModel([reply]))


@pytest.mark.parametrize("script", [3, None, {"a": "b"}, b"bytes"])
def test_what_is_no_script_is_refused(script):
    with pytest.raises(UsageError, match="give a list"):
        ScriptedModel(script)


def test_requests_are_kept_as_they_were():
    messages = [{"role": "user", "content": "first"}]
    params = {"messages": messages, "tools": [{"name": "t"}]}
    model = ScriptedModel(["a", "b"])
    model.create(params)
    messages[0]["content"] = "changed"
    messages.append({"role": "user", "content": "second"})
    params["tools"][0]["name"] = "changed"
    model.create(params)
    first, second = model.requests
    assert first == {"messages": [{"role": "user", "content": "first"}], "tools": [{"name": "t"}]}
    assert [m["content"] for m in second["messages"]] == ["changed", "second"]


@pytest.mark.parametrize("keep, kept", [(None, ["0", "1", "2"]), (2, ["1", "2"]), (0, [])])
def test_keep_says_how_many_requests_are_kept(keep, kept):
    model = ScriptedModel(lambda params: "ok", keep=keep)
    for i in range(3):
        said(model, str(i))
    assert [r["messages"][0]["content"] for r in model.requests] == kept


def test_usage_counts_words_and_costs_nothing():
    model = ScriptedModel(["three little words", "ok"])
    messages = [{"role": "user", "content": "four words are here"}]
    first = model.create({"messages": messages})
    messages = [*messages, {"role": "user", "content": [{"type": "text", "text": "two more"}]}]
    second = model.create({"messages": messages})
    assert model.get_usage(first) == {
        "prompt_tokens": 4,
        "completion_tokens": 3,
        "total_tokens": 7,
        "cost": 0.0,
        "model": "scripted",
    }
    assert second.usage is not None and second.usage.prompt_tokens == 6
    assert model.cost(first) == 0.0


def test_config_takes_more_keys_and_survives_copies():
    model = ScriptedModel([])
    config = copy.deepcopy(model.config(temperature=0.5))
    assert config["temperature"] == 0.5
    assert config["config_list"][0]["model_client"] is model


def test_wrapper_answers_from_the_script(face):
    with ScriptedModel(["hello", call("f", x=1)]) as model:
        client = OpenAIWrapper(**model.config())
        text = face.create(client, messages=[{"role": "user", "content": "hi"}])
        called = face.create(client, messages=[{"role": "user", "content": "hi"}])
    assert client.extract_text_or_completion_object(text) == ["hello"]
    assert client.extract_text_or_completion_object(called)[0].tool_calls[0].function.name == "f"
    assert client.total_usage_summary["total_cost"] == 0.0


def test_chat_is_played_to_its_end(face):
    with ScriptedModel(["Hello! TERMINATE"]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        result = face.initiate_chat(user, assistant, message="Say hello.")
    assert [m["content"] for m in result.chat_history] == ["Say hello.", "Hello! TERMINATE"]


def test_call_beyond_the_script_ends_a_chat(face):
    model = ScriptedModel([])
    assistant = AssistantAgent("assistant", llm_config=model.config())
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    with pytest.raises(UnexpectedCall, match=r"user \(user\): Say hello"):
        face.initiate_chat(user, assistant, message="Say hello.")


def test_threads_get_each_reply_once():
    n_threads, n_each = 8, 50
    got: list[str] = []
    with ScriptedModel([str(i) for i in range(n_threads * n_each)]) as model:

        def work() -> None:
            for _ in range(n_each):
                got.append(said(model))

        threads = [threading.Thread(target=work) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert sorted(got, key=int) == [str(i) for i in range(n_threads * n_each)]
    assert len(model.requests) == n_threads * n_each


def test_words_of_a_shared_model_are_counted_once_per_conversation(monkeypatch):
    counted = []
    real = scripted.n_words

    def counting(messages):
        messages = list(messages)
        counted.append(len(messages))
        return real(messages)

    monkeypatch.setattr(scripted, "n_words", counting)
    model = ScriptedModel(lambda params: "word", keep=0)
    one, two = ([{"role": "system", "content": name}] for name in ("one", "two"))
    for _ in range(50):
        for messages in (one, two):
            messages.append({"role": "user", "content": "a b"})
            response = model.create({"messages": list(messages)})
    assert response.usage.prompt_tokens == 101
    # Two messages at first, then one new one, and one answer each time.
    assert sum(counted) == 2 * (2 + 49 + 50)
