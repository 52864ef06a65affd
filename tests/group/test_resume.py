"""Going on with a group chat from its messages."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, lines, mute, plain, said_by, speaker, texts

from autogen.io import IOStream
from autogen.testing import ScriptedHuman, call
from autogen.testing.face import Face


def three(**options: Any) -> list[Any]:
    return [plain(x, default_auto_reply=f"from {x}", **options) for x in "abc"]


def kept(group: Any, manager: Any) -> Any:
    return (
        [dict(m) for m in group.messages],
        [[dict(m) for m in x.chat_messages[manager]] for x in group.agents],
        [[dict(m) for m in manager.chat_messages[x]] for x in group.agents],
    )


@requirement("resume:views", "resume:goes-on")
@pytest.mark.parametrize("as_text", [True, False])
def test_a_resumed_chat_is_the_chat_that_was_never_stopped(face: Face, as_text: bool) -> None:
    whole, whole_manager = group_of(*three(), max_round=7)
    face.initiate_chat(whole.agents[0], whole_manager, message="go", silent=True)

    first, first_manager = group_of(*three(), max_round=4)
    face.initiate_chat(first.agents[0], first_manager, message="go", silent=True)
    messages: Any = first.messages
    if as_text:
        messages = first_manager.messages_to_string(messages)
        assert first_manager.messages_from_string(messages) == first.messages
    given = copy.deepcopy(messages)

    second, manager = group_of(*three(), max_round=4, send_introductions=True)
    last_agent, last_message = face.resume(manager, messages=messages, silent=True)
    assert messages == given
    assert second.send_introductions is False
    assert last_agent is second.agents[0]
    assert manager.last_speaker is last_agent
    assert last_message == first.messages[-1]
    assert texts(second.messages) == ["go", "from b", "from c"]
    result = face.initiate_chat(
        last_agent, manager, message=last_message, clear_history=False, silent=True
    )
    assert kept(second, manager) == kept(whole, whole_manager)
    assert texts(result.chat_history) == texts(whole.messages)


@requirement("resume:goes-on")
def test_the_same_group_can_be_resumed_with_its_own_messages(face: Face) -> None:
    group, manager = group_of(*three(), max_round=3)
    face.initiate_chat(group.agents[0], manager, message="go", silent=True)
    last, message = face.resume(manager, messages=group.messages, silent=True)
    face.initiate_chat(last, manager, message=message, clear_history=False, silent=True)
    assert said_by(group.messages) == ["a", "b", "c", "a", "b"]
    assert [len(x.chat_messages[manager]) for x in group.agents] == [5, 5, 5]


@requirement("resume:views")
def test_pairs_of_calls_and_results_stay_together(face: Face) -> None:
    def made() -> Any:
        asker = speaker("asker", [call("add", a=1, b=2, id="7"), "it is 3"])
        doer = plain("doer", function_map={"add": lambda a, b: a + b})
        return group_of(mute("user"), asker, doer, max_round=3)

    group, manager = made()
    face.initiate_chat(group.agents[0], manager, message="1 + 2?", silent=True)
    text = manager.messages_to_string(group.messages)
    again, manager = made()
    user, asker, doer = again.agents
    last, message = face.resume(manager, messages=text, silent=True)
    assert last is doer
    assert [m["role"] for m in asker.chat_messages[manager]] == ["user", "assistant"]
    assert asker.chat_messages[manager][1]["tool_calls"][0]["id"] == "7"
    asker.client = speaker("x", ["it is 3\nTERMINATE"]).client
    again.speaker_selection_method = lambda last, group: asker
    face.initiate_chat(last, manager, message=message, clear_history=False, silent=True)
    assert said_by(again.messages) == ["user", "asker", "doer", "asker"]
    for agent in (user, asker, doer):
        assert agent.chat_messages[manager][2]["tool_responses"][0]["tool_call_id"] == "7"


@requirement("resume:function-role")
def test_the_result_of_a_function_is_said_by_who_has_the_function(face: Face) -> None:
    group, manager = group_of(plain("a"), plain("b", function_map={"f": print}), plain("c"))
    messages = [
        {"role": "user", "name": "a", "content": "go"},
        {"role": "function", "name": "f", "content": "4"},
    ]
    last, message = face.resume(manager, messages=messages, silent=True)
    assert last is group.agents[1]
    assert message["role"] == "function"


@requirement("resume:termination")
@pytest.mark.parametrize("remove", ["TERMINATE", lambda text: text.replace("TERMINATE", "")])
def test_the_word_that_ended_the_chat_can_be_taken_out(face: Face, remove: Any) -> None:
    group, manager = group_of(*three(), max_round=2)
    messages = [
        {"role": "user", "name": "a", "content": "go TERMINATE"},
        {"role": "user", "name": "b", "content": "done\nTERMINATE"},
    ]
    last, message = face.resume(
        manager, messages=messages, remove_termination_string=remove, silent=True
    )
    assert (last.name, message["content"]) == ("b", "done\n")
    assert texts(group.messages) == ["go TERMINATE"]
    assert messages[1]["content"] == "done\nTERMINATE"


@requirement("resume:termination")
def test_a_last_message_that_would_end_the_chat_is_told(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    rule = {"is_termination_msg": lambda message: "TERMINATE" in message["content"]}
    messages = [{"role": "user", "name": "b", "content": "done\nTERMINATE"}]
    for options, is_end in (({}, False), (rule, True)):
        group, manager = group_of(*three(), max_round=2, manager=options)
        with caplog.at_level(logging.WARNING, "autogen"):
            last, message = face.resume(manager, messages=messages, silent=True)
        assert ("remove_termination_string" in caplog.text) is is_end
        face.initiate_chat(last, manager, message=message, clear_history=False, silent=True)
        assert len(group.messages) == 1 + (not is_end)


@requirement("resume:refused")
@pytest.mark.parametrize(
    "messages, text",
    [
        ([], "no messages"),
        ("[]", "no messages"),
        ([{"role": "user", "name": "x", "content": "hi"}], "'x'"),
        ([{"role": "user", "content": "hi"}], "not in the group"),
        ("{not json", "JSON"),
        ('{"a": 1}', "list"),
        ({"role": "user", "name": "a", "content": "hi"}, "give a list of messages"),
        ([1], "give a list of messages"),
        (None, "give a list of messages"),
    ],
)
def test_messages_that_cannot_be_resumed_are_refused(face: Face, messages: Any, text: str) -> None:
    group, manager = group_of(*three())
    face.initiate_chat(group.agents[0], manager, message="go", silent=True)
    n = len(group.messages)
    with pytest.raises(ValueError, match=text):
        face.resume(manager, messages=messages, silent=True)
    # What could not be resumed leaves what there was.
    assert len(group.messages) == n


@requirement("resume:forgets")
def test_what_was_said_before_is_forgotten(face: Face) -> None:
    group, manager = group_of(*three(), max_round=4)
    face.initiate_chat(group.agents[0], manager, message="old", silent=True)
    messages = [{"role": "user", "name": x, "content": x} for x in "cb"]
    face.resume(manager, messages=messages, silent=True)
    assert texts(group.messages) == ["c"]
    assert lines(group.agents[0].chat_messages[manager]) == [("user", "c", "c")]
    assert lines(group.agents[2].chat_messages[manager]) == [("assistant", "c", "c")]


@requirement("resume:manager")
@pytest.mark.parametrize("name", ["chat_manager", "Admin"])
def test_lines_of_the_manager_or_an_absent_admin_are_the_managers(face: Face, name: str) -> None:
    group, manager = group_of(*three())
    messages = [{"role": "user", "name": x, "content": x} for x in (name, "a")]
    last, _ = face.resume(manager, messages=messages, silent=True)
    assert last is group.agents[0]
    assert [m["name"] for x in group.agents for m in x.chat_messages[manager]] == [name] * 3


@requirement("resume:printed")
def test_resuming_is_told_unless_silent(face: Face) -> None:
    _, manager = group_of(*three())
    messages = [{"role": "user", "name": "a", "content": "x"}]
    for silent in (True, False):
        shown = ScriptedHuman()
        with IOStream.set_default(shown):
            face.resume(manager, messages=messages, silent=silent)
        assert bool(shown.text) is not silent


@requirement("group:members:foreign")
def test_a_foreign_member_hears_the_old_messages(face: Face) -> None:
    from tests.group.test_groupchat_views import Foreign

    stranger = Foreign("x")
    _, manager = group_of(*three(), stranger)
    messages = [{"role": "user", "name": x, "content": x} for x in "axb"]
    face.resume(manager, messages=messages, silent=True)
    assert texts(stranger.heard) == ["a"]
