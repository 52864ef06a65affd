"""Groups of every mix of members, led at random: each list is what real deliveries make of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, plain, said_by
from tests.group.test_groupchat_views import MAKERS, hooked

from autogen import GroupChat, GroupChatManager
from autogen.testing import call as tool_call
from autogen.testing import calls
from autogen.testing.face import Face

CALLED = calls(tool_call("f", id="1"))


def reply_of(at: int) -> Any:
    """What a member says by default: text, parts, or a call; some of it more than once."""
    return (f"line of {at}", {"content": "same"}, {"content": "odd", "name": "me"}, CALLED)[at % 4]


def led_at_random(face: Face, makers: list[Any], seed: int, *, looks: bool) -> Any:
    """All that is kept of a chat in which a generator chooses who speaks, and who looks when."""
    dice = random.Random(seed)
    n = dice.randint(2, 6)
    members = [
        makers[(seed + i) % len(makers)](
            f"m{i}", default_auto_reply=reply_of(i + seed), function_map={"f": lambda: "done"}
        )
        for i in range(n)
    ]
    outsider = plain("outsider", default_auto_reply=None)
    opener = dice.choice([*members, outsider])

    def chosen(last: Any, group: GroupChat) -> Any:
        choice, looked_at = dice.choice(members), dice.choice(members)
        what = dice.randrange(8)
        if looks and what == 0:
            list(manager.chat_messages[looked_at])
        elif looks and what == 1:
            dict(manager.chat_messages)
        elif looks and what == 2:
            manager.chat_messages.get(looked_at)
        if what == 3:
            looked_at.clear_history(manager)
        elif what == 4:
            manager.clear_history(looked_at)
        elif what == 5:
            manager.clear_history()
        elif what == 6 and len(group.messages) > 4:
            looked_at.register_hook("process_last_received_message", lambda content: content)
        return choice

    group, manager = group_of(*members, max_round=14, speaker_selection_method=chosen)
    for turn in range(3):
        face.initiate_chat(
            opener,
            manager,
            message=f"go {turn}",
            silent=True,
            clear_history=turn == 2,
            summary_method=None,
        )
    return (
        [dict(m) for m in group.messages],
        [[dict(m) for m in member.chat_messages[manager]] for member in members],
        [[dict(m) for m in manager.chat_messages[member]] for member in members],
        [dict(m) for m in manager.chat_messages[outsider]],
    )


@requirement("group:views:delivered", "group:views:live")
@pytest.mark.parametrize("seed", range(25))
def test_a_group_led_at_random_keeps_what_real_deliveries_keep(face: Face, seed: int) -> None:
    real = led_at_random(face, [hooked], seed, looks=False)
    assert led_at_random(face, [plain], seed, looks=True) == real
    assert led_at_random(face, [plain], seed, looks=False) == real
    assert led_at_random(face, MAKERS, seed, looks=True) == real


def by_manager(change: Callable[[GroupChatManager], None]) -> Callable[..., Any]:
    def made(face: Face) -> Any:
        members = [plain(x, default_auto_reply=f"from {x}") for x in "abc"]
        _group, manager = group_of(*members, max_round=5)
        change(manager)
        face.initiate_chat(members[0], manager, message="go", silent=True)
        return [m.chat_messages[manager] for m in members], [
            manager.chat_messages[m] for m in members
        ]

    return made


@requirement("group:views:delivered")
def test_a_hook_of_the_manager_sees_what_it_passes_on(face: Face) -> None:
    def shout(sender: Any, message: Any, recipient: Any, silent: bool) -> Any:
        return {**message, "content": f"{message['content']}!"}

    def change(manager: GroupChatManager) -> None:
        manager.register_hook("process_message_before_send", shout)

    own, managers = by_manager(change)(face)
    assert [m["content"] for m in own[2]] == ["go!", "from b!", "from c", "from a!", "from b!"]
    assert [m["content"] for m in managers[0]] == ["go", "from b!", "from c!", "from a", "from b!"]


@requirement("group:views:delivered")
def test_a_history_of_the_users_own_making_is_kept_too(face: Face) -> None:
    def change(manager: GroupChatManager) -> None:
        from collections import defaultdict

        manager._oai_messages = defaultdict(list)

    own, managers = by_manager(change)(face)
    assert (own, managers) == by_manager(lambda manager: None)(face)


@requirement("group:method:function")
def test_a_function_may_use_the_methods_of_the_group(face: Face) -> None:
    members = a, b, c = [plain(x, default_auto_reply=f"from {x}") for x in "abc"]

    def chosen(last: Any, group: GroupChat) -> Any:
        n = len(group.messages)
        if n == 1:
            return group.next_agent(last, [c])
        if n == 2:
            return group.random_select_speaker([b])
        if n == 3:
            return group.agent_by_name("a")
        inner = GroupChat(members, group.messages, speaker_selection_method="round_robin")
        return inner.select_speaker(last, manager)

    group, manager = group_of(*members, max_round=5, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c", "b", "a", "b"]
