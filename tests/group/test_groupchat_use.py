"""Groups in larger programs: inside other chats, with members of many kinds."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, mute, person, plain, said_by, texts

from autogen import CancelToken, ConversableAgent, GroupChat, GroupChatManager, RunOptions
from autogen.testing import call
from autogen.testing.face import Face

SPOKEN = ["go", "from b", "from c", "from a", "from b"]


def three() -> list[Any]:
    return [plain(x, default_auto_reply=f"from {x}") for x in "abc"]


@requirement("group:members:async")
def test_a_member_that_answers_async_only_needs_an_async_chat(face: Face) -> None:
    a, b, c = three()

    async def answer(*_: Any, **__: Any) -> Any:
        return True, "later"

    b.register_reply(ConversableAgent, answer)
    group, manager = group_of(a, b, c, max_round=2)
    if face.name == "async":
        face.initiate_chat(a, manager, message="go", silent=True)
        assert texts(group.messages) == ["go", "later"]
    else:
        with pytest.raises(RuntimeError, match=r"Async reply functions can only be used.*answer"):
            face.initiate_chat(a, manager, message="go", silent=True)


class Base(ConversableAgent):
    """Keeps in `log` what passes through the method that a subclass overrides."""

    log: list[Any]


class Receives(Base):
    def receive(self, message: Any, sender: Any, request_reply: Any = None, silent: Any = False):  # type: ignore[no-untyped-def,override]
        self.log.append(message)
        return super().receive(message, sender, request_reply, silent)


class ReceivesAsync(Base):
    async def a_receive(  # type: ignore[override]
        self, message: Any, sender: Any, request_reply: Any = None, silent: Any = False
    ) -> Any:
        self.log.append(message)
        return await super().a_receive(message, sender, request_reply, silent)


class Processes(Base):
    def _process_received_message(self, message: Any, sender: Any, silent: Any) -> None:
        self.log.append(message)
        super()._process_received_message(message, sender, silent)


class Appends(Base):
    def _append_oai_message(
        self, message: Any, role: str, conversation_id: Any, is_sending: bool
    ) -> bool:
        if not is_sending:
            self.log.append(message)
        return super()._append_oai_message(message, role, conversation_id, is_sending)


class Sends(Base):
    def send(self, message: Any, recipient: Any, request_reply: Any = None, silent: Any = False):  # type: ignore[no-untyped-def,override]
        self.log.append(message)
        return super().send(message, recipient, request_reply, silent)


@requirement("group:members:overrides")
@pytest.mark.parametrize("kind", [Receives, ReceivesAsync, Processes, Appends, Sends])
def test_every_override_of_a_member_takes_part(face: Face, kind: Any) -> None:
    a, _, c = three()
    b = kind("b", human_input_mode="NEVER", default_auto_reply="from b")
    b.log = []
    group, manager = group_of(a, b, c, max_round=5)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == texts(b.chat_messages[manager]) == SPOKEN
    assert len(b.log) == (2 if kind is Sends else 3)


@requirement("group:members:overrides")
@pytest.mark.parametrize("given", [dict, lambda: defaultdict(list)])
def test_members_and_managers_may_bring_their_histories(face: Face, given: Any) -> None:
    a, _, c = three()
    b = plain("b", default_auto_reply="from b", chat_messages=given())
    group, manager = group_of(a, b, c, max_round=5, manager={"chat_messages": given()})
    face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == texts(b.chat_messages[manager]) == SPOKEN
    assert texts(manager.chat_messages[b]) == SPOKEN


@requirement("group:run:interrupt")
def test_ctrl_c_at_a_members_prompt_calls_the_admin(face: Face) -> None:
    a, _, _ = three()
    admin = plain("Admin", default_auto_reply="yes?")
    group, manager = group_of(a, person("b", [KeyboardInterrupt()]), admin, max_round=3)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "Admin", "a"]


@requirement("group:run:cancel")
def test_a_cancelled_group_says_so_and_keeps_what_was_said(face: Face) -> None:
    a, b, c = three()
    token = CancelToken()

    def chosen(last: Any, group: GroupChat) -> str:
        if len(group.messages) == 3:
            token.cancel()
        return "round_robin"

    group, manager = group_of(a, b, c, speaker_selection_method=chosen)
    run = RunOptions(cancel=token)
    result = face.initiate_chat(a, manager, message="go", silent=True, run=run)
    assert result.stop_reason == "cancelled"
    assert texts(result.chat_history)[:3] == SPOKEN[:3]
    assert len(group.messages) < 5


@requirement("sequence:group")
def test_a_group_may_be_one_of_a_row_of_chats(face: Face) -> None:
    a, b, c = three()
    _, manager = group_of(a, b, c, max_round=2)
    last = plain("last")
    chat = {"silent": True, "max_turns": 1}
    queue = [
        {"recipient": manager, "message": "one", "chat_id": 1, **chat},
        {"recipient": last, "message": "two", "chat_id": 2, "prerequisites": [1], **chat},
    ]
    face.initiate_chats(a, queue)
    assert texts(last.chat_messages[a])[0] == "two\nContext: \nfrom b"


@requirement("group:members:nested")
@pytest.mark.parametrize("trigger", [GroupChatManager, "chat_manager"])
def test_a_member_may_think_in_nested_chats_when_the_group_asks(face: Face, trigger: Any) -> None:
    a, b, c = three()
    helper = plain("helper", default_auto_reply="helped")
    b.register_nested_chats([{"recipient": helper, "silent": True, "max_turns": 1}], trigger)
    group, manager = group_of(a, b, c, max_round=3)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go", "helped", "from c"]


@requirement("group:members:nested")
def test_a_reply_function_may_start_a_group_of_its_own(face: Face) -> None:
    thinkers = [plain(f"t{i}", default_auto_reply=f"thought {i}") for i in range(2)]
    inner, inner_manager = group_of(*thinkers, max_round=3, manager={"name": "inner"})
    mind = plain("mind")

    def think(agent: Any, messages: Any = None, sender: Any = None, config: Any = None) -> Any:
        agent.initiate_chat(inner_manager, message=messages[-1]["content"], silent=True)
        return True, inner.messages[-1]["content"]

    mind.register_reply(ConversableAgent, think)
    a, b, _ = three()
    group, manager = group_of(a, mind, b, max_round=5)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go", "thought 1", "from b", "from a", "thought 1"]
    assert texts(inner.messages) == ["from a", "thought 0", "thought 1"]


@requirement("group:run:beside")
def test_groups_beside_each_other_do_not_mix() -> None:
    async def all_of_them() -> list[Any]:
        groups = []
        for i in range(5):
            members = [plain(f"{x}{i}", default_auto_reply=f"from {x}{i}") for x in "abc"]
            groups.append(group_of(*members, max_round=20))
        await asyncio.gather(
            *(g.agents[0].a_initiate_chat(m, message="go", silent=True) for g, m in groups)
        )
        return [group for group, _ in groups]

    for i, group in enumerate(asyncio.run(all_of_them())):
        assert said_by(group.messages) == [f"{x}{i}" for x in "abc" * 7][:20]


@requirement("group:end:manager")
def test_a_rule_of_the_managers_sees_text_where_there_is_a_call(face: Face) -> None:
    a, b, c = three()
    b._default_auto_reply = {"content": None, "tool_calls": [call("f", id="1")]}
    c.register_function({"f": lambda: "TERMINATE"})
    rule = {"is_termination_msg": lambda message: "TERMINATE" in message["content"]}
    group, manager = group_of(a, b, c, manager=rule)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b", "c"]
    assert result.stop_reason == "termination"


@requirement("group:run:outsider")
def test_the_manager_itself_may_open_a_chat_with_a_member(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=3)
    result = face.initiate_chat(manager, a, message="hello", silent=True)
    assert texts(group.messages) == ["from a", "from b", "from c"]
    assert texts(result.chat_history)[:2] == ["hello", "from a"]


@requirement("group:views:delivered")
def test_a_members_list_is_complete_for_a_mute_outsider_too(face: Face) -> None:
    a, b, c = three()
    _, manager = group_of(a, b, c, max_round=3)
    face.initiate_chat(mute("outsider"), manager, message="go", silent=True)
    assert texts(a.chat_messages[manager]) == ["go", "from a", "from b"]
    assert [m["role"] for m in manager.chat_messages[a]] == ["assistant", "user", "assistant"]
