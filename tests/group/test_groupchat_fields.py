"""What a GroupChat can be given, and what its methods say."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, plain, texts

from autogen import Agent, GroupChat, GroupChatManager
from autogen.agentchat.contrib.capabilities.transform_messages import TransformMessages
from autogen.errors import AgentNameConflict, UndefinedNextAgent
from autogen.testing import ScriptedModel


def three() -> list[Any]:
    return [plain(x, description=f"{x} does {x}") for x in "abc"]


@requirement("group:fields:defaults")
def test_a_group_needs_its_agents_only() -> None:
    members = three()
    group = GroupChat(agents=members)
    assert group.messages == []
    assert group.messages is not GroupChat(agents=members).messages
    values = {
        "max_round": 10,
        "admin_name": "Admin",
        "func_call_filter": True,
        "speaker_selection_method": "auto",
        "max_retries_for_selecting_speaker": 2,
        "allow_repeat_speaker": True,
        "allowed_or_disallowed_speaker_transitions": None,
        "speaker_transitions_type": None,
        "enable_clear_history": False,
        "send_introductions": False,
        "select_speaker_transform_messages": None,
        "select_speaker_auto_verbose": False,
        "select_speaker_auto_model_client_cls": None,
        "select_speaker_auto_llm_config": None,
        "role_for_select_speaker_messages": "system",
    }
    assert {name: getattr(group, name) for name in values} == values
    for name in ("message", "prompt", "auto_multiple", "auto_none"):
        assert "{agentlist}" in getattr(group, f"select_speaker_{name}_template")
    assert "{roles}" in group.select_speaker_message_template


@requirement("group:fields:defaults")
def test_the_fields_can_be_given_in_the_order_of_old() -> None:
    members = three()
    messages: list[Any] = []
    group = GroupChat(members, messages, 3, "a", False, "random", 1, False)
    assert group.messages is messages
    assert (group.max_round, group.admin_name, group.func_call_filter) == (3, "a", False)
    assert (group.speaker_selection_method, group.allow_repeat_speaker) == ("random", False)


REPEAT = "GroupChat allow_repeat_speaker should be a bool or a list of Agents."


@requirement("group:fields:refused")
@pytest.mark.parametrize(
    "fields, text",
    [
        ({"max_retries_for_selecting_speaker": -1}, "max_retries_for_selecting_speaker"),
        ({"max_retries_for_selecting_speaker": "2"}, "max_retries_for_selecting_speaker"),
        ({"allow_repeat_speaker": "yes"}, REPEAT),
        ({"allow_repeat_speaker": {}}, REPEAT),
        ({"allow_repeat_speaker": ["a"]}, REPEAT),
        ({"messages": ()}, "messages is a tuple; it must be a list"),
        ({"max_round": None}, "max_round is None; it must be a whole number"),
        ({"max_round": "3"}, "max_round is '3'; it must be a whole number"),
        (
            {"select_speaker_message_template": ""},
            "select_speaker_message_template cannot be empty",
        ),
        ({"select_speaker_message_template": None}, "cannot be empty or None"),
        (
            {"select_speaker_auto_multiple_template": ""},
            "multiple_template cannot be empty or None",
        ),
        ({"select_speaker_auto_none_template": None}, "none_template cannot be empty or None"),
        ({"role_for_select_speaker_messages": ""}, "role_for_select_speaker_messages cannot be"),
        ({"role_for_select_speaker_messages": None}, "messages cannot be empty or None"),
        ({"select_speaker_auto_verbose": "no"}, "select_speaker_auto_verbose"),
        (
            {"select_speaker_transform_messages": "none"},
            "select_speaker_transform_messages must be None or MessageTransforms.",
        ),
        (
            {"select_speaker_transform_messages": TransformMessages},
            "select_speaker_transform_messages must be None or MessageTransforms.",
        ),
        ({"speaker_transitions_type": "allowed"}, "speaker_transitions_type"),
    ],
)
def test_a_field_that_cannot_work_is_refused_at_once(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        GroupChat(agents=three(), **fields)


def test_messages_of_none_are_an_empty_list() -> None:
    assert GroupChat(agents=three(), messages=None).messages == []  # type: ignore[arg-type]


@requirement("group:graph:refused")
@pytest.mark.parametrize("kind", ["allowed", "disallowed"])
def test_transitions_that_cannot_work_are_refused_at_once(kind: str) -> None:
    a, b, c = three()

    def refused(text: str, **fields: Any) -> None:
        with pytest.raises(ValueError, match=text):
            GroupChat(agents=[a, b], **fields)

    graph = {a: [b], b: [a]}
    refused("allow_repeat", allow_repeat_speaker=True, **_graph(graph, kind))
    refused("'allowed' or 'disallowed'", allowed_or_disallowed_speaker_transitions=graph)
    refused("'allowed' or 'disallowed'", **_graph(graph, "forbidden"))
    refused("must be a dict", **_graph([a, b], kind))
    refused("list of agents", **_graph({a: b}, kind))
    refused("not in the group", **_graph({a: [b], c: [a]}, kind))
    refused("not an agent", **_graph({a: ["b"]}, kind))


def _graph(transitions: Any, kind: str = "allowed") -> dict[str, Any]:
    return {
        "allowed_or_disallowed_speaker_transitions": transitions,
        "speaker_transitions_type": kind,
    }


@requirement("group:graph:odd")
def test_odd_transitions_are_told_and_accepted(caplog: pytest.LogCaptureFixture) -> None:
    a, b, c = three()
    with caplog.at_level(logging.WARNING, "autogen"):
        GroupChat(agents=[a, b, c], **_graph({a: [b, b], b: [a], c: []}))
        GroupChat(agents=[a, b], **_graph({a: [b, c], b: [a]}))
    assert "'c' is isolated" in caplog.text
    assert "listed twice: 'b'" in caplog.text
    assert "outside the group: 'c'" in caplog.text


@requirement("group:graph:derived")
def test_the_graph_says_who_may_follow_whom() -> None:
    a, b, c = members = three()
    derived = "allowed_speaker_transitions_dict"
    everybody = dict.fromkeys(members, members)
    others = {a: [b, c], b: [a, c], c: [a, b]}
    assert getattr(GroupChat(members), derived) == everybody
    assert getattr(GroupChat(members, allow_repeat_speaker=False), derived) == others
    some = GroupChat(members, allow_repeat_speaker=[b])
    assert getattr(some, derived) == {**others, b: members}
    given = {a: [b], b: [c]}
    assert getattr(GroupChat(members, **_graph(given, "ALLOWED")), derived) == given
    inverted = GroupChat(members, **_graph({a: [b], b: [a, b, c]}, "Disallowed"))
    assert getattr(inverted, derived) == {a: [a, c], b: [], c: members}


@requirement("group:methods:append")
def test_append_writes_the_speakers_name_and_text_into_the_message() -> None:
    a, *_ = members = three()
    group = GroupChat(members)
    message = {"role": "user", "content": [{"type": "text", "text": "hi"}], "name": "x"}
    group.append(message, a)
    group.append({"role": "function", "content": "1", "name": "f"}, a)
    group.append({"role": "tool", "content": "1"}, a)
    group.append({"role": "assistant", "content": None, "tool_calls": []}, a)
    assert message == {"role": "user", "content": "hi", "name": "a"}
    assert group.messages[0] is message
    assert [m["name"] for m in group.messages] == ["a", "f", "a", "a"]
    assert texts(group.messages) == ["hi", "1", "1", ""]
    group.reset()
    assert group.messages == []


@requirement("group:methods:by-name")
def test_agents_are_found_by_name_in_groups_inside_too() -> None:
    a, b, c = three()
    _, inner = group_of(b, c, manager={"name": "inner"})
    group = GroupChat([a, inner])
    assert group.agent_names == ["a", "inner"]
    assert group.agent_by_name("a") is a
    assert group.agent_by_name("b") is None
    assert group.agent_by_name("b", recursive=True) is b
    assert group.nested_agents() == [a, inner, b, c]
    twins = GroupChat([a, plain("a"), inner])
    assert twins.agent_by_name("a") is a
    with pytest.raises(AgentNameConflict):
        twins.agent_by_name("a", raise_on_name_conflict=True)
    deep = GroupChat([plain("b"), inner])
    with pytest.raises(AgentNameConflict):
        deep.agent_by_name("b", recursive=True, raise_on_name_conflict=True)
    assert deep.agent_by_name("b", raise_on_name_conflict=True) is deep.agents[0]


@requirement("group:methods:next")
def test_the_next_agent_is_the_next_in_order_that_may() -> None:
    a, b, c = members = three()
    group = GroupChat(members)
    assert [group.next_agent(x) for x in members] == [b, c, a]
    assert group.next_agent(a, [a, c]) is c
    assert group.next_agent(c, [b, c]) is b
    assert group.next_agent(b, [b]) is b
    assert group.next_agent(plain("stranger")) is a
    assert group.next_agent(plain("stranger"), [c, b]) is b
    for agents in ([], [plain("stranger")], [b, plain("stranger")]):
        with pytest.raises(UndefinedNextAgent):
            group.next_agent(a, agents)


@requirement("group:methods:texts")
def test_the_texts_for_the_selecting_model_list_names_and_roles() -> None:
    a, b, c = members = three()
    group = GroupChat(
        members,
        select_speaker_message_template="R {roles} L {agentlist}",
        select_speaker_prompt_template="P {agentlist}",
    )
    assert group.select_speaker_msg() == (
        "R a: a does a\nb: b does b\nc: c does c L ['a', 'b', 'c']"
    )
    assert group.select_speaker_msg([c]) == "R c: c does c L ['c']"
    assert group.select_speaker_prompt() == "P ['a', 'b', 'c']"
    assert group.select_speaker_prompt([a, b]) == "P ['a', 'b']"
    assert GroupChat(members, select_speaker_prompt_template=None).select_speaker_prompt() is None
    intro = group.introductions_msg([a, c])
    assert intro == f"{GroupChat.DEFAULT_INTRO_MSG}\n\na: a does a\nc: c does c"


@requirement("group:methods:texts")
def test_a_member_without_description_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "autogen"):
        GroupChat([plain("a", description=" "), plain("b")]).select_speaker_msg()
    assert "'a' has no description" in caplog.text


@requirement("group:methods:pick")
def test_a_random_member_is_one_of_those_given() -> None:
    a, b, c = members = three()
    group = GroupChat(members)
    assert {group.random_select_speaker().name for _ in range(60)} == {"a", "b", "c"}
    assert {group.random_select_speaker([b, c]).name for _ in range(40)} == {"b", "c"}
    assert group.random_select_speaker([a]) is a


@requirement("group:manager:tools")
@pytest.mark.parametrize("is_entrys", [False, True])
@pytest.mark.parametrize("key", ["functions", "tools"])
def test_a_manager_with_tools_is_refused(key: str, is_entrys: bool) -> None:
    config = ScriptedModel([]).config()
    (config["config_list"][0] if is_entrys else config)[key] = [{"name": "f"}]
    text = (
        "GroupChatManager is not allowed to make function/tool calls. Please remove the "
        "'functions' or 'tools' config in 'llm_config' you passed in."
    )
    with pytest.raises(ValueError, match=text):
        GroupChatManager(GroupChat(three()), llm_config=config)


@requirement("group:manager:properties")
def test_a_manager_is_an_agent_that_knows_its_group() -> None:
    group = GroupChat(three())
    manager = GroupChatManager(group)
    assert (manager.name, manager.human_input_mode) == ("chat_manager", "NEVER")
    assert manager.groupchat is group
    assert manager.last_speaker is None
    assert isinstance(manager, Agent)
    group.messages.append({"content": "x"})
    assert manager.chat_messages_for_summary(group.agents[0]) is group.messages
    manager.reset()
    assert group.messages == []
