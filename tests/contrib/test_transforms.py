"""Transforms: what a model sees of a conversation."""

from __future__ import annotations

import random
import sys
import threading
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, ConversableAgent, GroupChat, GroupChatManager
from autogen.agentchat.contrib.capabilities.agent_capability import AgentCapability
from autogen.agentchat.contrib.capabilities.text_compressors import LLMLingua, TextCompressor
from autogen.agentchat.contrib.capabilities.transform_messages import TransformMessages
from autogen.agentchat.contrib.capabilities.transforms import (
    MessageHistoryLimiter,
    MessageTokenLimiter,
    MessageTransform,
    TextMessageCompressor,
    TextMessageContentName,
)
from autogen.errors import UsageError
from autogen.testing import ScriptedModel, call
from autogen.token_count_utils import count_token


def said(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content} for content in contents]


def texts(messages: list[dict[str, Any]]) -> list[Any]:
    return [message["content"] for message in messages]


def called(*ids: str) -> dict[str, Any]:
    calls = [
        {"id": one, "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for one in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def answered(*ids: str, content: str = "seen it") -> dict[str, Any]:
    responses = [{"role": "tool", "tool_call_id": one, "content": content} for one in ids]
    joint = "\n\n".join(content for _ in ids)
    return {"role": "tool", "content": joint, "tool_responses": responses}


def one_answer(id: str, content: str = "seen it") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def assert_paired(messages: list[dict[str, Any]]) -> None:
    """Each call is answered right after it, and each answer has its call."""
    open_ids: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            found = [r["tool_call_id"] for r in message.get("tool_responses") or [message]]
            assert set(found) <= open_ids
            open_ids -= set(found)
        else:
            assert not open_ids
            open_ids = {c["id"] for c in message.get("tool_calls") or ()}
    assert not open_ids


# -- added to an agent -----------------------------------------------------------------------------


@requirement("transform:hook")
def test_model_sees_transformed_messages_and_the_history_stays(face):
    model = ScriptedModel(["one", "two", "three"])
    assistant = AssistantAgent("assistant", "Be brief.", llm_config=model.config())
    TransformMessages(transforms=[MessageHistoryLimiter(max_messages=1)]).add_to_agent(assistant)
    user = ConversableAgent("user", human_input_mode="NEVER", default_auto_reply="go on")
    result = face.initiate_chat(user, assistant, message="hello", max_turns=3, silent=True)
    assert [texts(r["messages"]) for r in model.requests] == [
        ["Be brief.", "hello"],
        ["Be brief.", "go on"],
        ["Be brief.", "go on"],
    ]
    assert texts(result.chat_history) == ["hello", "one", "go on", "two", "go on", "three"]
    assert texts(assistant.chat_messages[user]) == texts(result.chat_history)


@requirement("transform:pairs")
def test_a_limiter_in_a_chat_with_tools_never_breaks_a_pair(face):
    script = ["thinking", call("look", what="a"), call("look", what="b"), "both seen\nTERMINATE"]
    model = ScriptedModel(script)
    assistant = AssistantAgent("assistant", llm_config=model.config())
    user = ConversableAgent("user", human_input_mode="NEVER", default_auto_reply="go on")

    @user.register_for_execution()
    @assistant.register_for_llm(description="Look at something.")
    def look(what: str) -> str:
        return f"{what} is there"

    limit = MessageHistoryLimiter(max_messages=1)
    TransformMessages(transforms=[limit], verbose=False).add_to_agent(assistant)
    face.initiate_chat(user, assistant, message="look around", silent=True)
    model.assert_done()
    for request in model.requests:
        assert_paired(request["messages"])
    assert [m["role"] for m in model.requests[-1]["messages"]] == ["system", "assistant", "tool"]


@requirement("transform:system")
def test_system_message_is_kept_aside():
    class Shout:
        def apply_transform(self, messages: Any) -> Any:
            assert all(m["role"] != "system" for m in messages)
            return [{**m, "content": m["content"].upper()} for m in messages]

        def get_logs(self, before: Any, after: Any) -> tuple[str, bool]:
            return "", False

    transform = TransformMessages(transforms=[Shout()])
    messages = [{"role": "system", "content": "Be brief."}, *said("hello")]
    assert texts(transform._transform_messages(messages)) == ["Be brief.", "HELLO"]
    assert isinstance(Shout(), MessageTransform)


@requirement("transform:copy")
def test_a_transform_that_changes_its_argument_does_not_change_the_history():
    class Wipe:
        def apply_transform(self, messages: Any) -> Any:
            for message in messages:
                message["content"] = ""
            return messages

        def get_logs(self, before: Any, after: Any) -> tuple[str, bool]:
            return f"{before[0]['content']!r} wiped", True

    messages = said("hello")
    assert texts(TransformMessages(transforms=[Wipe()])._transform_messages(messages)) == [""]
    assert texts(messages) == ["hello"]


def test_a_text_made_by_a_function_is_transformed_too(face):
    model = ScriptedModel(["fine"])
    assistant = AssistantAgent("assistant", llm_config=model.config())
    limit = MessageTokenLimiter(max_tokens_per_message=2)
    TransformMessages(transforms=[limit], verbose=False).add_to_agent(assistant)
    context = {"what no copy can be made of": threading.Lock()}
    message = {"role": "user", "content": lambda context: "one ten old", "context": context}
    assert face.generate_reply(assistant, [message]) == "fine"
    assert model.requests[0]["messages"][-1]["content"].strip() == "one ten"


def test_a_person_who_spoke_instead_of_the_tools_is_cut_last():
    call_, answer = called("1"), answered("1", content="one ten old")
    spoken = {**answer, "role": "user", "content": "stop it"}
    limit = MessageTokenLimiter(max_tokens_per_message=3)
    made = limit.apply_transform([call_, spoken])[1]
    assert made["content"] == "stop it"
    assert made["tool_responses"][0]["content"].strip() == "one"


@requirement("transform:verbose")
def test_verbose_tells_what_changed(capsys):
    limit = MessageHistoryLimiter(max_messages=1)
    TransformMessages(transforms=[limit])._transform_messages(said("a", "b", "c"))
    assert "2 of 3 messages left out; 1 remain." in capsys.readouterr().out
    TransformMessages(transforms=[limit])._transform_messages(said("a"))
    TransformMessages(transforms=[limit], verbose=False)._transform_messages(said("a", "b"))
    assert capsys.readouterr().out == ""


def test_no_messages_and_no_transforms_are_fine():
    assert TransformMessages()._transform_messages([]) == []
    limit = MessageTokenLimiter(max_tokens=1)
    assert TransformMessages(transforms=[limit])._transform_messages([]) == []


@requirement("transform:selection")
def test_selection_of_speakers_sees_transformed_messages(face):
    selecting = ScriptedModel(["bob", "ann"])
    members = [
        ConversableAgent(n, human_input_mode="NEVER", default_auto_reply=f"I am {n}", description=n)
        for n in ("ann", "bob", "cid")
    ]
    group = GroupChat(
        members,
        max_round=3,
        select_speaker_prompt_template=None,
        select_speaker_transform_messages=TransformMessages(
            transforms=[MessageHistoryLimiter(max_messages=1)], verbose=False
        ),
    )
    manager = GroupChatManager(group, llm_config=selecting.config())
    face.initiate_chat(members[0], manager, message="hello", silent=True)
    assert [texts(r["messages"])[1:] for r in selecting.requests] == [["hello"], ["I am bob"]]


def test_a_capability_must_say_how_it_is_added():
    with pytest.raises(NotImplementedError, match="add_to_agent"):
        AgentCapability().add_to_agent(None)


# -- MessageHistoryLimiter -------------------------------------------------------------------------


@requirement("transform:history")
@pytest.mark.parametrize(
    "max_messages,keep_first,expected",
    [
        (None, False, "abcde"),
        (5, False, "abcde"),
        (2, False, "de"),
        (2, True, "ae"),
        (1, True, "a"),
        (9, True, "abcde"),
    ],
)
def test_history_limiter_keeps_the_newest(max_messages, keep_first, expected):
    limit = MessageHistoryLimiter(max_messages, keep_first_message=keep_first)
    assert texts(limit.apply_transform(said(*"abcde"))) == list(expected)


@requirement("transform:history:bad")
def test_history_limiter_refuses_less_than_one_message():
    with pytest.raises(ValueError, match="at least 1"):
        MessageHistoryLimiter(max_messages=0)
    with pytest.raises(TypeError, match=r"max_messages is '3'; it must be None or a whole"):
        MessageHistoryLimiter(max_messages="3")


@requirement("transform:bad")
@pytest.mark.parametrize("given", [MessageHistoryLimiter(), [MessageHistoryLimiter], [None], None])
def test_what_is_no_list_of_transforms_is_refused(given):
    with pytest.raises(ValueError, match="give a list of objects with apply_transform"):
        TransformMessages(transforms=given)


def test_history_limiter_drops_results_whose_call_has_no_room():
    messages = [*said("a"), called("1", "2"), one_answer("1"), one_answer("2"), *said("b", "c")]
    for n, roles in ((3, ["user"] * 2), (4, ["user"] * 2)):
        kept = MessageHistoryLimiter(n).apply_transform(messages)
        assert [m["role"] for m in kept] == roles
    assert MessageHistoryLimiter(5).apply_transform(messages) == messages[1:]


def test_history_limiter_keeps_the_newest_pair_whole():
    messages = [*said("a"), called("1"), answered("1")]
    assert MessageHistoryLimiter(1).apply_transform(messages) == messages[1:]


# -- MessageTokenLimiter ---------------------------------------------------------------------------


@requirement("transform:tokens")
def test_token_limiter_cuts_each_message_first():
    limit = MessageTokenLimiter(max_tokens_per_message=3)
    made = limit.apply_transform(said("very very very very long", "short"))
    assert count_token(made[0]["content"]) <= 3
    assert "very very very long".startswith(made[0]["content"].strip())
    assert made[0]["content"]
    assert made[1]["content"] == "short"


@requirement("transform:tokens")
def test_token_limiter_keeps_the_newest_and_cuts_the_last_that_fits():
    limit = MessageTokenLimiter(max_tokens=5)
    made = limit.apply_transform(said("old", "one ten old four", "five ten seven"))
    assert made[-1]["content"] == "five ten seven"
    assert made[0]["content"].strip() == "one ten"
    assert len(made) == 2


@requirement("transform:tokens:min")
def test_token_limiter_leaves_small_conversations_alone():
    messages = said("one ten old four")
    limit = MessageTokenLimiter(max_tokens_per_message=1, min_tokens=10)
    assert limit.apply_transform(messages) is messages
    assert limit.get_logs(messages, messages) == ("No tokens were cut.", False)


@requirement("transform:tokens:parts")
def test_token_limiter_cuts_only_texts_of_content_parts():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = said([{"type": "text", "text": "one ten old"}, picture])
    made = MessageTokenLimiter(max_tokens_per_message=2).apply_transform(messages)
    assert made[0]["content"][0]["text"].strip() == "one ten"
    assert made[0]["content"][1] == picture


@requirement("transform:tokens:results")
def test_token_limiter_cuts_every_result_of_a_joint_answer():
    messages = [called("1", "2"), answered("1", "2", content="one ten old four")]
    made = MessageTokenLimiter(max_tokens_per_message=20).apply_transform(messages)
    assert made == messages
    limited = MessageTokenLimiter(max_tokens_per_message=5).apply_transform(messages)
    assert [r["content"].strip() for r in limited[1]["tool_responses"]] == [
        "one ten old four",
        "one",
    ]
    assert_paired(limited)


@requirement("transform:tokens:filter")
@pytest.mark.parametrize("exclude", [True, False])
def test_token_limiter_filters_by_key(exclude):
    messages = [
        {"role": "user", "name": "ann", "content": "one ten old"},
        {"role": "user", "name": "bob", "content": "one ten old"},
    ]
    limit = MessageTokenLimiter(
        max_tokens_per_message=1, filter_dict={"name": ["ann"]}, exclude_filter=exclude
    )
    whole = [m["content"] == "one ten old" for m in limit.apply_transform(messages)]
    assert whole == [exclude, not exclude]


@requirement("transform:tokens:protected")
def test_what_the_filter_protects_is_kept_and_counted():
    messages = [
        {"role": "user", "name": "task", "content": "one ten old"},
        *said("a b c", "d e f"),
    ]
    limit = MessageTokenLimiter(max_tokens=5, filter_dict={"name": ["task"]})
    made = limit.apply_transform(messages)
    assert made[0] == messages[0]
    assert [t.strip() for t in texts(made)[1:]] == ["d e"]


@requirement("transform:tokens:bad")
@pytest.mark.parametrize(
    "options,text",
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens_per_message": -1}, "max_tokens_per_message"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"min_tokens": 3, "max_tokens": 2}, "more than max_tokens"),
        ({"max_tokens": "9"}, "max_tokens is '9'; it must be None or a whole number"),
    ],
)
def test_token_limiter_refuses_limits_that_cannot_work(options, text):
    with pytest.raises(ValueError, match=text):
        MessageTokenLimiter(**options)


def test_token_limiter_says_when_the_limit_is_above_the_model(capsys):
    MessageTokenLimiter(max_tokens=10**9, model="gpt-4")
    assert "more than gpt-4 takes (8192)" in capsys.readouterr().out
    MessageTokenLimiter(max_tokens=10**9, model="a model of my own")
    assert capsys.readouterr().out == ""


def test_token_limiter_of_zero_shows_nothing():
    assert MessageTokenLimiter(max_tokens=0).apply_transform(said("a", "b")) == []


def test_a_long_text_is_cut_without_counting_all_of_it():
    text = "word " * 400_000
    made = MessageTokenLimiter(max_tokens_per_message=100).apply_transform(said(text))
    assert count_token(made[0]["content"]) <= 100
    assert len(made[0]["content"]) > 200


@requirement("transform:pairs")
@pytest.mark.parametrize("seed", range(40))
def test_limiters_keep_pairs_in_any_conversation(seed):
    chance = random.Random(seed)
    messages: list[dict[str, Any]] = []
    for i in range(chance.randint(1, 12)):
        kind = chance.choice(["text", "single", "joint"])
        words = "word " * chance.randint(1, 30)
        if kind == "text":
            messages += said(words)
        else:
            ids = [f"{i}-{j}" for j in range(chance.randint(1, 3))]
            messages.append(called(*ids))
            joint = [answered(*ids, content=words)]
            messages += joint if kind == "joint" else [one_answer(one, words) for one in ids]
    n_tokens = chance.randint(1, 200)
    for transform in (
        MessageHistoryLimiter(chance.randint(1, 8), keep_first_message=chance.random() < 0.5),
        MessageTokenLimiter(max_tokens=n_tokens),
        MessageTokenLimiter(max_tokens_per_message=chance.randint(0, 20), max_tokens=n_tokens),
    ):
        made = transform.apply_transform(messages)
        assert made
        assert_paired(made)


# -- TextMessageCompressor -------------------------------------------------------------------------


class Half:
    """Keeps the first half of each text."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def compress_text(self, text: str, **params: Any) -> dict[str, Any]:
        self.seen.append(text)
        return {
            "compressed_prompt": text[: len(text) // 2],
            "origin_tokens": len(text),
            "compressed_tokens": len(text) // 2,
        }


@requirement("transform:compress")
def test_compressor_shortens_texts_once():
    half = Half()
    assert isinstance(half, TextCompressor)
    compress = TextMessageCompressor(text_compressor=half, compression_params={"rate": 0.5})
    messages = [*said("abcdef", "", None), called("1"), answered("1", content="12345678")]
    for _ in range(2):
        made = compress.apply_transform(messages)
        assert texts(made) == ["abc", "", None, None, "1234"]
        assert made[-1]["tool_responses"][0]["content"] == "1234"
        assert compress.get_logs(messages, made) == ("7 tokens saved by compressing texts.", True)
    assert half.seen == ["abcdef", "12345678"]
    assert messages[0]["content"] == "abcdef"


def test_compressor_minds_filter_and_minimum():
    compress = TextMessageCompressor(Half(), filter_dict={"role": ["user"]})
    assert compress.apply_transform(said("abcdef")) == said("abcdef")
    assert compress.get_logs([], [])[1] is False
    compress = TextMessageCompressor(Half(), min_tokens=1000)
    assert compress.apply_transform(said("abcdef")) == said("abcdef")
    with pytest.raises(ValueError, match="min_tokens"):
        TextMessageCompressor(Half(), min_tokens=-1)


@requirement("transform:compress:lingua")
def test_llmlingua_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "llmlingua", None)
    for make in (LLMLingua, TextMessageCompressor):
        with pytest.raises(UsageError, match="pip install llmlingua"):
            make()


# -- TextMessageContentName ------------------------------------------------------------------------


def named(content: Any, name: str = "ann", **more: Any) -> dict[str, Any]:
    return {"role": "user", "name": name, "content": content, **more}


@requirement("transform:name")
@pytest.mark.parametrize(
    "options,content,expected",
    [
        ({}, "hi", "ann:\nhi"),
        ({}, "ann:\nhi", "ann:\nhi"),
        ({"deduplicate": False}, "ann:\nhi", "ann:\nann:\nhi"),
        ({"position": "end", "format_string": " ({name})"}, "hi", "hi (ann)"),
        ({"position": "end", "format_string": " ({name})"}, "hi (ann)", "hi (ann)"),
        ({}, "", ""),
        ({}, None, None),
        ({"filter_dict": {"name": ["ann"]}}, "hi", "hi"),
        ({}, [{"type": "text", "text": "hi"}], [{"type": "text", "text": "ann:\nhi"}]),
    ],
)
def test_content_name_puts_the_speaker_into_the_text(options, content, expected):
    transform = TextMessageContentName(**options)
    messages = [named(content)]
    made = transform.apply_transform(messages)
    assert texts(made) == [expected]
    assert transform.get_logs(messages, made)[1] == (content != expected)
    assert texts(messages) == [content]


def test_content_name_leaves_tool_results_and_nameless_messages_alone():
    messages = [named("result", role="tool"), *said("hi")]
    assert TextMessageContentName().apply_transform(messages) == messages


@requirement("transform:name:bad")
@pytest.mark.parametrize("options", [{"position": "middle"}, {"format_string": "name:"}])
def test_content_name_refuses_what_cannot_work(options):
    with pytest.raises(ValueError, match="must be"):
        TextMessageContentName(**options)
