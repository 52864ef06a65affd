"""What a chat came to: summaries and costs."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from tests.chat.cast import mute, plain, speaker
from tests.compat.requirements import requirement

from autogen import ConversableAgent, gather_usage_summary
from autogen.errors import BadRequest
from autogen.testing import ScriptedModel
from autogen.testing.face import Face

METHODS_TEXT = (
    "summary_method must be a string chosen from 'reflection_with_llm' or 'last_msg' "
    "or a callable, or None."
)
CLIENT_TEXT = (
    "llm client must be set in either the recipient or sender when summary_method "
    "is reflection_with_llm."
)


def summary(face: Face, last: Any, **options: Any) -> Any:
    bot = plain("bot", default_auto_reply=last)
    return face.initiate_chat(
        plain("user"), bot, message="hi", max_turns=1, silent=True, **options
    ).summary


@requirement("summary:last-msg", "summary:last-msg:parts", "summary:none")
def test_the_last_message_is_the_summary(face: Face) -> None:
    assert summary(face, "It is 3. TERMINATE") == "It is 3. "
    assert summary(face, "TERMINATE x TERMINATE", summary_method="last_msg") == " x "
    parts = [
        {"type": "text", "text": "a TERMINATE"},
        {"type": "image_url", "image_url": {"url": "u"}},
        {"type": "text", "text": "b"},
    ]
    assert summary(face, {"content": parts}) == "a \nb"
    assert summary(face, {"tool_calls": [{"function": {"name": "f"}}]}) == ""
    assert summary(face, "x", summary_method=None) == ""


@requirement("summary:last-msg:missing")
def test_without_a_last_message_the_summary_is_empty(face: Face) -> None:
    class Forgetful(ConversableAgent):
        def last_message(self, agent: Any = None) -> Any:
            raise ValueError("forgotten")

    with pytest.warns(UserWarning, match="last message"):
        result = face.initiate_chat(
            plain("a"), Forgetful("b", default_auto_reply=None), message="hi", silent=True
        )
    assert result.summary == ""


@requirement("summary:reflection", "summary:reflection:client")
@pytest.mark.parametrize("who", ["recipient", "initiator", "both"])
def test_a_model_reflects(face: Face, who: str) -> None:
    recipient_model = ScriptedModel(["an answer", "the gist"])
    initiator_model = ScriptedModel(["the gist"])
    bot = plain("bot", default_auto_reply="an answer", system_message="not sent")
    user = mute("user", system_message="not sent")
    if who != "initiator":
        bot = plain("bot", llm_config=recipient_model.config(), system_message="not sent")
    if who != "recipient":
        user = plain("user", llm_config=initiator_model.config(), is_termination_msg=lambda m: True)
    result = face.initiate_chat(
        user, bot, message="hi", max_turns=1, summary_method="reflection_with_llm", silent=True
    )
    assert result.summary == "the gist"
    asked = (initiator_model if who == "initiator" else recipient_model).requests[-1]["messages"]
    prompt = ConversableAgent.DEFAULT_SUMMARY_PROMPT
    assert [(m["role"], m["content"]) for m in asked] == [
        ("user", "hi"),
        ("assistant", "an answer"),
        ("system", prompt),
    ]
    assert result.cost[0]["scripted"]["completion_tokens"] >= 2


def reflected(face: Face, args: Any, replies: Any = ("gist",)) -> tuple[Any, dict[str, Any]]:
    model = ScriptedModel(replies)
    user, bot = plain("user", llm_config=model.config()), mute("bot")
    result = face.initiate_chat(
        user,
        bot,
        message="hi",
        summary_method="reflection_with_llm",
        summary_args=args,
        silent=True,
    )
    return result.summary, model.requests[-1]["messages"][-1]


@requirement("summary:reflection:args", "summary:args")
def test_prompt_and_role_of_a_reflection(face: Face) -> None:
    args = {"summary_prompt": "In one word?", "summary_role": "user"}
    said, last = reflected(face, args)
    assert (said, last) == ("gist", {"role": "user", "content": "In one word?"})
    assert args == {"summary_prompt": "In one word?", "summary_role": "user"}


@requirement("summary:reflection:args")
@pytest.mark.parametrize("args", [{"summary_prompt": 5}, {"summary_role": ["user"]}])
def test_a_prompt_or_role_that_is_no_text(face: Face, args: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(args))):
        reflected(face, args)


@requirement("summary:reflection:refused")
def test_a_refused_reflection_is_empty(face: Face) -> None:
    with pytest.warns(UserWarning, match="summar"):
        said, _ = reflected(face, None, [BadRequest("too odd")])
    assert said == ""


@requirement("summary:reflection:args")
def test_a_subclass_chooses_what_a_reflection_reads(face: Face) -> None:
    class Own(ConversableAgent):
        DEFAULT_SUMMARY_PROMPT = "own prompt"

        def chat_messages_for_summary(self, agent: Any) -> Any:
            return [{"role": "user", "content": "own view"}]

    model = ScriptedModel(["gist"])
    bot = Own(
        "bot", llm_config=model.config(), max_consecutive_auto_reply=0, human_input_mode="NEVER"
    )
    face.initiate_chat(
        plain("u"), bot, message="hi", summary_method="reflection_with_llm", silent=True
    )
    contents = [m["content"] for m in model.requests[-1]["messages"]]
    assert contents == ["own view", "own prompt"]


@requirement("summary:class")
@pytest.mark.parametrize("owner", ["initiator", "recipient", "both"])
def test_a_subclass_has_a_prompt_of_its_own(face: Face, owner: str) -> None:
    class First(ConversableAgent):
        DEFAULT_SUMMARY_PROMPT = "of the initiator"

    class Second(ConversableAgent):
        DEFAULT_SUMMARY_PROMPT = "of the recipient"

    model = ScriptedModel(["gist"])
    user = (ConversableAgent if owner == "recipient" else First)("user", llm_config=model.config())
    bot = (ConversableAgent if owner == "initiator" else Second)("bot", default_auto_reply=None)
    face.initiate_chat(
        user, bot, message="hi", summary_method="reflection_with_llm", silent=True, max_turns=1
    )
    wanted = "of the initiator" if owner == "initiator" else "of the recipient"
    assert model.requests[-1]["messages"][-1]["content"] == wanted


@requirement("summary:class")
def test_a_subclass_has_a_summary_method_of_its_own(face: Face) -> None:
    class Own(ConversableAgent):
        DEFAULT_SUMMARY_METHOD = "reflection_with_llm"

    model = ScriptedModel(["gist"])
    user, bot = Own("user", llm_config=model.config()), plain("bot", default_auto_reply="said")
    chat: dict[str, Any] = {"message": "hi", "max_turns": 1, "silent": True}
    assert face.initiate_chat(user, bot, **chat).summary == "gist"
    assert face.initiate_chat(user, bot, summary_method="last_msg", **chat).summary == "said"
    assert face.initiate_chat(plain("other"), bot, **chat).summary == "said"


@requirement("summary:callable", "summary:args")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_function_makes_the_summary(face: Face, flavour: str) -> None:
    seen: list[Any] = []

    def own(sender: Any, recipient: Any, summary_args: Any) -> Any:
        seen.append((sender.name, recipient.name, dict(summary_args)))
        summary_args["spoiled"] = True
        return {"any": "thing"}

    async def own_async(sender: Any, recipient: Any, summary_args: Any) -> Any:
        await asyncio.sleep(0)
        return own(sender, recipient, summary_args)

    args = {"k": 1}
    method = own if flavour == "sync" else own_async
    said = summary(face, "x", summary_method=method, summary_args=args)
    assert said == {"any": "thing"}
    assert seen == [("user", "bot", {"k": 1})]
    assert args == {"k": 1}


@requirement("summary:bad")
def test_a_summary_that_cannot_be_made_is_refused_before_the_chat(face: Face) -> None:
    a, b = plain("a"), plain("b")
    for method, text in (("nonsense", METHODS_TEXT), ("reflection_with_llm", CLIENT_TEXT)):
        with pytest.raises(AssertionError) as caught:
            face.initiate_chat(a, b, message="x", summary_method=method)
        assert str(caught.value) == text
    with pytest.raises(AssertionError):
        face.initiate_chat(a, b, message="x", summary_method=5)
    assert not a.chat_messages[b]


@requirement("cost:chat", "cost:pair", "usage:agents")
def test_a_chats_cost_is_its_own(face: Face) -> None:
    bot, user = speaker("bot", ["one two", "three"]), mute("user")
    first = face.initiate_chat(user, bot, message="hi", silent=True).cost
    second = face.initiate_chat(user, bot, message="hi", silent=True).cost
    total = "usage_including_cached_inference"
    actual = "usage_excluding_cached_inference"
    assert set(first) == {total, actual}
    assert first[0] is first[total]
    assert first[1] is first[actual]
    assert first[0] == first[1] == first.total == first.actual
    assert first[0]["scripted"]["completion_tokens"] == 2
    assert second[0]["scripted"]["completion_tokens"] == 1
    assert set(first[0]["scripted"]) == {
        "cost",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
    }
    with pytest.raises(KeyError):
        first[2]
    assert gather_usage_summary([user, bot])[total]["scripted"]["completion_tokens"] == 3


@requirement("cost:chat")
def test_a_chat_inside_counts_in_the_chat_around(face: Face) -> None:
    helper = speaker("helper", ["a b c"])
    bot, user = plain("bot"), plain("user")
    bot.register_nested_chats(
        [{"recipient": helper, "message": "help", "max_turns": 1, "silent": True}], trigger=user
    )
    result = face.initiate_chat(user, bot, message="hi", max_turns=1, silent=True)
    assert result.cost[0]["scripted"]["completion_tokens"] == 3
    assert result.summary == "a b c"


class Unpriced:
    """A model of which nobody knows the price."""

    def create(self, params: Any) -> Any:
        message = SimpleNamespace(content="hello", tool_calls=None, function_call=None)
        return SimpleNamespace(
            choices=[SimpleNamespace(message=message)],
            model="nobody-knows-me",
            usage=SimpleNamespace(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        )


def priced(face: Face, name: str, **entry: Any) -> Any:
    config = {"config_list": [{"model": name, "model_client": Unpriced(), **entry}]}
    bot, user = plain("bot", llm_config=config), plain("user")
    return face.initiate_chat(user, bot, message="hi", max_turns=2, silent=True).cost


@requirement("cost:unpriced")
def test_an_unknown_price_is_told(face: Face) -> None:
    cost = priced(face, "nobody-knows-me")
    assert cost.unpriced == ["nobody-knows-me"]
    assert cost[0]["total_cost"] == 0
    assert cost[0]["nobody-knows-me"]["total_tokens"] == 30


@requirement("cost:unpriced")
def test_a_price_in_the_config_counts(face: Face) -> None:
    cost = priced(face, "nobody-knows-me", price=[1.0, 2.0])
    assert cost.unpriced == []
    assert cost[0]["total_cost"] == pytest.approx(2 * (10 * 1.0 + 5 * 2.0) / 1000)


@requirement("cost:pair", "chat:result")
def test_a_result_becomes_plain_data() -> None:
    bot, user = speaker("bot", ["one"]), mute("user")
    result = user.initiate_chat(bot, message="hi", silent=True)
    made = json.loads(json.dumps(dataclasses.asdict(result)))
    assert made["chat_history"][1]["content"] == "one"
    assert made["cost"] == dict(result.cost)
    for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert again == result
        assert again.cost[0] == result.cost[0]
