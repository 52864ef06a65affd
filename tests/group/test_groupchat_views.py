"""Every list of every member is what real deliveries would have made of it."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, lines, plain

from autogen import ConversableAgent, GroupChat, GroupChatManager
from autogen.testing import call as tool_call
from autogen.testing import calls
from autogen.testing.face import Face


def unchanged(message: Any) -> Any:
    return message


class Overridden(ConversableAgent):
    heard = 0

    def receive(self, message: Any, sender: Any, request_reply: Any = None, silent: Any = False):  # type: ignore[no-untyped-def,override]
        self.heard += 1
        return super().receive(message, sender, request_reply, silent)


class Foreign:
    """Takes part in a group without being one of our agents."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.description = "from elsewhere"
        self.heard: list[Any] = []

    def send(self, message: Any, recipient: Any, request_reply: Any = None, silent: Any = False):  # type: ignore[no-untyped-def]
        recipient.receive(message, self, request_reply, silent)

    def receive(self, message: Any, sender: Any, request_reply: Any = None, silent: Any = False):  # type: ignore[no-untyped-def]
        self.heard.append(message)

    def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
        return f"{self.name} heard {len(self.heard)}"


def hooked(name: str, **options: Any) -> ConversableAgent:
    agent = plain(name, **options)
    agent.register_hook("process_all_messages_before_reply", unchanged)
    return agent


def overridden(name: str, **options: Any) -> ConversableAgent:
    return Overridden(name, human_input_mode="NEVER", **options)


def with_reply_function(name: str, **options: Any) -> ConversableAgent:
    agent = plain(name, **options)
    agent.register_reply(ConversableAgent, lambda *_, **__: (False, None), position=9)
    return agent


MAKERS = [plain, hooked, overridden, with_reply_function]


def everything(face: Face, make: list[Any], *, n: int, rounds: int, runs: int = 1) -> Any:
    """A group of `n` whose members are made by `make` in turn; all that is kept of its chats."""
    members = [make[i % len(make)](f"m{i}", default_auto_reply=f"line of m{i}") for i in range(n)]
    group, manager = group_of(*members, max_round=rounds)
    for _ in range(runs):
        result = face.initiate_chat(
            members[0], manager, message="go", silent=True, clear_history=_ == 0
        )
    return (
        result.chat_history,
        [dict(m) for m in group.messages],
        [[dict(m) for m in member.chat_messages[manager]] for member in members],
        [[dict(m) for m in manager.chat_messages[member]] for member in members],
    )


@requirement("group:views:delivered")
@pytest.mark.parametrize("n", [2, 3, 5])
def test_any_mix_of_members_keeps_what_real_deliveries_keep(face: Face, n: int) -> None:
    expected = everything(face, [hooked], n=n, rounds=9)
    assert everything(face, [plain], n=n, rounds=9) == expected
    assert everything(face, MAKERS, n=n, rounds=9) == expected
    assert everything(face, MAKERS[::-1], n=n, rounds=9) == expected


@requirement("group:views:delivered")
def test_a_second_run_goes_on_from_the_lists_of_the_first(face: Face) -> None:
    expected = everything(face, [hooked], n=3, rounds=4, runs=3)
    assert everything(face, MAKERS, n=3, rounds=4, runs=3) == expected
    assert everything(face, [plain], n=3, rounds=4, runs=3) == expected


@requirement("group:views:delivered", "group:views:many")
def test_64_members_and_200_messages_keep_what_real_deliveries_keep(face: Face) -> None:
    expected = everything(face, [hooked], n=64, rounds=200)
    assert everything(face, [plain], n=64, rounds=200) == expected


@requirement("group:views:roles")
def test_each_member_sees_its_own_lines_as_assistant_and_others_as_user(face: Face) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")
    group, manager = group_of(a, b, c, max_round=4)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    said = [("a", "go"), ("b", "from b"), ("c", "from c"), ("a", "from a")]
    assert lines(group.messages) == [("user", *pair) for pair in said]
    for agent in (a, b, c):
        own = [("assistant" if who == agent.name else "user", who, what) for who, what in said]
        seen = [("user" if who == agent.name else "assistant", who, what) for who, what in said]
        assert lines(agent.chat_messages[manager]) == own
        assert lines(manager.chat_messages[agent]) == seen
    assert lines(result.chat_history) == lines(a.chat_messages[manager])
    assert result.summary == "from a"


@requirement("group:views:delivered")
def test_histories_of_a_manager_read_in_any_way_are_complete(face: Face) -> None:
    def made() -> tuple[Any, Any]:
        members = [plain(x, default_auto_reply=f"from {x}") for x in "abc"]
        _, manager = group_of(*members, max_round=6)
        face.initiate_chat(members[0], manager, message="go", silent=True)
        return manager.chat_messages, members

    readings = [
        lambda h, members: [h[m] for m in members],
        lambda h, members: [h.get(m) for m in members],
        lambda h, members: list(h.values()),
        lambda h, members: [pair[1] for pair in h.items()],
        lambda h, members: list(dict(h).values()),
        lambda h, members: list({**h}.values()),
        lambda h, members: [h.setdefault(m, []) for m in members],
        lambda h, members: [h.pop(m) for m in members],
        lambda h, members: list(h.copy().values()),
        lambda h, members: list(copy.copy(h).values()),
        lambda h, members: [h[m] for m in h],
        lambda h, members: [h[m] for m in h.keys()],  # noqa: SIM118 that is the test
    ]
    assert repr(made()[0]).count("'content'") == 18
    assert made()[0] != {}
    assert len(made()[0]) == 3
    for read in readings:
        assert [len(history) for history in read(*made())] == [6, 6, 6]


@requirement("group:views:live")
def test_a_member_that_joins_while_the_group_talks_hears_what_comes_after(face: Face) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 2:
            group.agents.append(c)
        return "round_robin"

    group, manager = group_of(a, b, max_round=5, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    expected = [("b", "from b"), ("c", "from c"), ("a", "from a"), ("b", "from b")]
    assert lines(group.messages)[1:] == [("user", *pair) for pair in expected]
    assert [m["name"] for m in c.chat_messages[manager]] == ["c", "a", "b"]
    assert [m["role"] for m in manager.chat_messages[c]] == ["user", "assistant", "assistant"]
    assert len(manager.chat_messages[a]) == len(a.chat_messages[manager]) == 5


@requirement("group:views:live")
def test_a_member_that_leaves_hears_nothing_more(face: Face) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 3:
            group.agents.remove(c)
        return "round_robin"

    group, manager = group_of(a, b, c, max_round=6, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert [m["name"] for m in group.messages] == ["a", "b", "c", "a", "b", "a"]
    assert len(c.chat_messages[manager]) == len(manager.chat_messages[c]) == 3


@requirement("group:views:live")
@pytest.mark.parametrize("make", [plain, hooked])
def test_a_manager_that_forgets_while_the_group_talks_keeps_what_comes_after(
    face: Face, make: Any
) -> None:
    a, b = (make(x, default_auto_reply=f"from {x}") for x in "ab")

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 3:
            manager.clear_history()
        return "round_robin"

    _, manager = group_of(a, b, max_round=5, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", summary_method=None)
    assert [len(manager.chat_messages[x]) for x in (a, b)] == [2, 2]
    assert len(a.chat_messages[manager]) == 5


@requirement("group:views:live")
@pytest.mark.parametrize("make", [plain, hooked])
def test_a_list_put_in_place_of_a_history_is_gone_on_with(face: Face, make: Any) -> None:
    a, b = (make(x, default_auto_reply=f"from {x}") for x in "ab")
    own: list[Any] = [{"role": "user", "content": "mine", "name": "b"}]

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 2:
            manager.chat_messages[b] = own
            b.chat_messages[manager] = list(own)
        return "round_robin"

    _, manager = group_of(a, b, max_round=4, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert manager.chat_messages[b] is own
    assert [m["content"] for m in own] == ["mine", "from a", "from b"]
    assert [m["content"] for m in b.chat_messages[manager]] == ["mine", "from a", "from b"]


def _put_in(member: Any, manager: Any, own: list[Any]) -> None:
    member.chat_messages[manager] = own


def _update(member: Any, manager: Any, own: list[Any]) -> None:
    member.chat_messages.update({manager: own})


def _merge(member: Any, manager: Any, own: list[Any]) -> None:
    histories = member.chat_messages
    histories |= {manager: own}


def _replace_all(member: Any, manager: Any, own: list[Any]) -> None:
    member._oai_messages = defaultdict(list, {manager: own})


@requirement("group:views:live")
@pytest.mark.parametrize("change", [_put_in, _update, _merge, _replace_all])
def test_a_list_a_member_was_given_while_the_group_talks_is_gone_on_with(
    face: Face, change: Any
) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")
    own: list[Any] = []

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 3:
            change(c, manager, own)
        return "round_robin"

    _, manager = group_of(a, b, c, max_round=5, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert c.chat_messages[manager] is own
    assert [m["content"] for m in own] == ["from a", "from b"]


def _pop(member: Any, manager: Any) -> None:
    member.chat_messages.pop(manager)


def _delete(member: Any, manager: Any) -> None:
    del member.chat_messages[manager]


def _pop_item(member: Any, manager: Any) -> None:
    assert member.chat_messages.popitem()[0] is manager


def _forget(member: Any, manager: Any) -> None:
    member.clear_history()


@requirement("group:views:live")
@pytest.mark.parametrize("change", [_pop, _delete, _pop_item, _forget])
def test_a_list_that_a_member_lost_while_the_group_talks_begins_anew(
    face: Face, change: Any
) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 3:
            change(c, manager)
        return "round_robin"

    _, manager = group_of(a, b, c, max_round=5, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert [m["content"] for m in c.chat_messages[manager]] == ["from a", "from b"]


@requirement("group:views:own-copy")
def test_a_member_that_gets_a_hook_while_the_group_talks_hears_copies_from_there(
    face: Face,
) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")

    def chosen(last: Any, group: GroupChat) -> Any:
        if len(group.messages) == 3:
            c.register_hook("process_last_received_message", lambda content: content)
        return "round_robin"

    _, manager = group_of(a, b, c, max_round=5, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    heard, shared = c.chat_messages[manager], manager.chat_messages[a]
    assert [m["content"] for m in heard] == ["go", "from b", "from c", "from a", "from b"]
    assert all(heard[4] is not one for one in (*a.chat_messages[manager], *shared))


@requirement("group:views:roles")
@pytest.mark.parametrize("make", [plain, hooked])
def test_a_role_of_ones_own_stays_with_the_two_that_spoke(face: Face, make: Any) -> None:
    a, b, c = (make(x, default_auto_reply=None) for x in "abc")
    _, manager = group_of(a, b, c, max_round=2)
    face.initiate_chat(a, manager, message={"content": "rules", "override_role": "system"})
    roles = [agent.chat_messages[manager][0]["role"] for agent in (a, b, c)]
    assert roles == ["system", "user", "user"]


@requirement("group:views:roles")
@pytest.mark.parametrize("make", [plain, hooked])
def test_calls_and_their_results_reach_everybody_in_pairs(face: Face, make: Any) -> None:
    made = {"content": None, **calls(tool_call("add", a=1, b=2, id="1"))}
    a = make("a")
    b = make("b", default_auto_reply=made)
    c = make("c", function_map={"add": lambda a, b: a + b}, default_auto_reply="done")
    group, manager = group_of(a, b, c, max_round=4)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert [m["name"] for m in group.messages] == ["a", "b", "c", "a"]
    for agent in (a, b, c):
        kept = agent.chat_messages[manager]
        assert kept[1]["tool_calls"][0]["id"] == "1"
        assert kept[2]["role"] == "tool"
        assert kept[2]["tool_responses"][0]["tool_call_id"] == "1"
    assert group.messages[1]["content"] == ""
    assert json.loads(manager.messages_to_string(group.messages)) == group.messages


@requirement("group:views:own-copy")
@pytest.mark.parametrize("name", ["generate_reply", "generate_oai_reply", "a_generate_reply"])
def test_what_a_member_changes_in_its_own_way_changes_for_it_alone(face: Face, name: str) -> None:
    def sync(self: Any, messages: Any = None, sender: Any = None, *_: Any, **__: Any) -> Any:
        messages[-1]["content"] = "secret"
        return "from b" if name == "generate_reply" else (True, "from b")

    async def async_(self: Any, messages: Any = None, sender: Any = None, **_: Any) -> Any:
        messages[-1]["content"] = "secret"
        return "from b"

    own = type("Own", (ConversableAgent,), {name: async_ if name.startswith("a_") else sync})
    a, b, c = plain("a"), own("b", human_input_mode="NEVER"), plain("c")
    group, manager = group_of(a, b, c, max_round=2)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert b.chat_messages[manager][0]["content"] == "secret"
    for agent in (a, c):
        assert agent.chat_messages[manager][0]["content"] == "go"
        assert manager.chat_messages[agent][0]["content"] == "go"
    assert [m["content"] for m in group.messages] == ["go", "from b"]


@requirement("group:members:foreign")
def test_an_object_that_only_has_the_methods_of_an_agent_takes_part(face: Face) -> None:
    a, stranger = plain("a", default_auto_reply="from a"), Foreign("x")
    group, manager = group_of(a, stranger, max_round=4)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert lines(group.messages) == [
        ("user", "a", "go"),
        ("user", "x", "x heard 1"),
        ("user", "a", "from a"),
        ("user", "x", "x heard 2"),
    ]
    assert [m["content"] for m in stranger.heard] == ["go", "from a"]
    assert lines(manager.chat_messages[stranger])[0] == ("assistant", "a", "go")


@requirement("group:members:shared")
def test_an_agent_in_two_groups_keeps_their_histories_apart(face: Face) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")
    _, first = group_of(a, b, max_round=3, manager={"name": "first"})
    _, second = group_of(a, c, max_round=3, manager={"name": "second"})
    face.initiate_chat(a, first, message="one")
    face.initiate_chat(a, second, message="two")
    assert [m["content"] for m in a.chat_messages[first]] == ["one", "from b", "from a"]
    assert [m["content"] for m in a.chat_messages[second]] == ["two", "from c", "from a"]


@requirement("group:members:same-name")
def test_members_of_the_same_name_are_two_members(face: Face) -> None:
    a = plain("a", default_auto_reply="from a")
    twins = [plain("twin", default_auto_reply=f"twin {i}") for i in (1, 2)]
    group, manager = group_of(a, *twins, max_round=3)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert [m["content"] for m in group.messages] == ["go", "twin 1", "twin 2"]
    assert [m["role"] for m in twins[1].chat_messages[manager]] == ["user", "user", "assistant"]


@requirement("group:members:nested")
def test_a_manager_can_be_a_member_of_another_group(face: Face) -> None:
    inner_a, inner_b = (plain(x, default_auto_reply=f"from {x}") for x in ("ia", "ib"))
    inner_group, inner = group_of(inner_a, inner_b, max_round=2, manager={"name": "inner"})
    a = plain("a", default_auto_reply="from a")
    group, outer = group_of(a, inner, max_round=3, manager={"name": "outer"})
    result = face.initiate_chat(a, outer, message="go", silent=True)
    assert [m["content"] for m in inner_group.messages] == ["go", "from ia"]
    # A manager answers nothing, so its turn ends the outer group.
    assert [m["content"] for m in group.messages] == ["go"]
    assert result.stop_reason == "max_round"
    assert [x.name for x in group.nested_agents()] == ["a", "inner", "ia", "ib"]


@requirement("group:members:nested")
def test_a_group_can_think_inside_the_turn_of_one_member(face: Face) -> None:
    def last_thought(sender: Any, recipient: Any, args: Any) -> str:
        return str(recipient.groupchat.messages[-1]["content"])

    thinkers = [plain(f"t{i}", default_auto_reply=f"thought {i}") for i in range(2)]
    _, inner = group_of(*thinkers, max_round=3, manager={"name": "inner"})
    mind = plain("mind")
    mind.register_nested_chats(
        [{"recipient": inner, "summary_method": last_thought, "silent": True}],
        trigger=lambda sender: sender is not inner,
    )
    a = plain("a", default_auto_reply="from a")
    group, outer = group_of(a, mind, max_round=4, manager={"name": "outer"})
    face.initiate_chat(a, outer, message="go", silent=True)
    assert [m["content"] for m in group.messages] == ["go", "thought 1", "from a", "thought 1"]
    assert isinstance(inner, GroupChatManager)
