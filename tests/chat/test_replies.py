"""Which functions are asked for a reply, in which order, and when they match."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import (
    AssistantAgent,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    SenderRequired,
    UserProxyAgent,
)
from autogen.testing import ScriptedModel
from autogen.testing.face import Face

ASYNC_TEXT = (
    "Async reply functions can only be used with ConversableAgent.a_initiate_chat(). "
    "The following async reply functions are found: "
)


def says(text: Any, *, final: bool = True) -> Any:
    def answer(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
        return final, text

    return answer


def asked(face: Face, agent: ConversableAgent, sender: Any) -> Any:
    return face.generate_reply(agent, messages=[{"role": "user", "content": "hi"}], sender=sender)


@requirement("reply:one-shot")
def test_one_shot(face: Face) -> None:
    with ScriptedModel(["a joke"]) as model:
        bot = ConversableAgent("bot", llm_config=model.config(), human_input_mode="NEVER")
        given = [{"content": "tell me a joke", "role": "user"}]
        assert face.generate_reply(bot, messages=given) == "a joke"
    assert given == [{"content": "tell me a joke", "role": "user"}]
    assert dict(bot.chat_messages) in ({}, {None: []})
    assert model.requests[0]["messages"][1:] == given


@requirement("reply:one-shot:no-limit")
def test_one_shots_have_no_limit(face: Face) -> None:
    bot = plain("bot", max_consecutive_auto_reply=1, default_auto_reply="again")
    given = [{"content": "hi", "role": "user"}]
    assert [face.generate_reply(bot, messages=given) for _ in range(3)] == ["again"] * 3
    bot.update_max_consecutive_auto_reply(0)
    assert face.generate_reply(bot, messages=given) is None


@requirement("reply:nothing-given")
def test_nothing_given(face: Face) -> None:
    with pytest.raises(AssertionError) as caught:
        face.generate_reply(plain("a"))
    assert str(caught.value) == "Either messages=... or sender=... must be provided."


@requirement("reply:default")
@pytest.mark.parametrize("default", ["", "well", {"content": "d", "name": "x"}, None])
def test_the_default_reply(face: Face, default: Any) -> None:
    a, b = plain("a", default_auto_reply=default), plain("b")
    assert asked(face, a, b) == default
    b.send("hi", a, request_reply=False, silent=True)
    assert face.generate_reply(a, sender=b) == default


@requirement("reply:default")
def test_a_default_reply_of_none_ends_the_exchange(face: Face) -> None:
    result = face.initiate_chat(plain("a"), mute("b"), message="hi", silent=True)
    assert (texts(result.chat_history), result.stop_reason) == (["hi"], "no_reply")


@requirement("reply:order", "reply:arguments")
def test_the_first_final_answer_counts(face: Face) -> None:
    log: list[Any] = []

    def note(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
        log.append((recipient.name, messages[-1]["content"], sender.name, config))
        return False, "ignored"

    a, b = plain("a"), plain("b")
    a.register_reply(ConversableAgent, says("second"))
    a.register_reply(ConversableAgent, says("first"))
    a.register_reply(ConversableAgent, note, config={"k": 1})
    assert asked(face, a, b) == "first"
    assert log == [("a", "hi", "b", {"k": 1})]


@requirement("reply:position-two", "human:never:stops-at-limit")
def test_position_two_is_right_after_the_human_check(face: Face) -> None:
    a, b = plain("a", max_consecutive_auto_reply=0), plain("b")
    a.register_reply(ConversableAgent, says("late"), position=2)
    assert asked(face, a, b) is None
    a.update_max_consecutive_auto_reply(1)
    assert asked(face, a, b) == "late"
    a.update_max_consecutive_auto_reply(0)
    a.register_reply(ConversableAgent, says("early"), position=0)
    assert asked(face, a, b) == "early"


@requirement("reply:final-none")
def test_a_final_none_ends_the_exchange(face: Face) -> None:
    b = plain("b", default_auto_reply="never said")
    b.register_reply(ConversableAgent, says(None))
    result = face.initiate_chat(plain("a"), b, message="hi", silent=True)
    assert texts(result.chat_history) == ["hi"]


@requirement("reply:exclude")
@pytest.mark.parametrize("name", ["generate_oai_reply", "a_generate_oai_reply"])
def test_exclude_leaves_functions_out(face: Face, name: str) -> None:
    bot, other = speaker("bot", []), plain("b")
    own = says("own")
    bot.register_reply(ConversableAgent, own, position=2)
    messages = [{"role": "user", "content": "hi"}]
    for excluded in (getattr(ConversableAgent, name), getattr(bot, name)):
        said = face.generate_reply(bot, messages=messages, sender=other, exclude=[own, excluded])
        assert said == ""


@requirement("reply:triggers", "reply:trigger:none")
def test_what_triggers_match() -> None:
    a, user, bot = plain("a"), UserProxyAgent("user"), AssistantAgent("bot")
    matching: list[tuple[Any, Any, bool]] = [
        (ConversableAgent, user, True),
        (UserProxyAgent, user, True),
        (UserProxyAgent, bot, False),
        (user, user, True),
        (user, bot, False),
        ("user", user, True),
        ("user", bot, False),
        (lambda sender: sender is bot, bot, True),
        (lambda sender: sender is bot, user, False),
        (["bot", user], user, True),
        (["bot", UserProxyAgent], bot, True),
        ([], bot, False),
        ([None], None, True),
        ([None], bot, False),
        ([None, ConversableAgent], bot, True),
        (None, None, True),
    ]
    for trigger, sender, expected in matching:
        assert a._match_trigger(trigger, sender) is expected, (trigger, sender)


@requirement("reply:triggers", "reply:trigger:none")
def test_registered_functions_answer_who_they_match(face: Face) -> None:
    a, b, c = plain("a"), plain("b"), plain("c")
    a.register_reply(b, says("to b"))
    a.register_reply([None], says("to nobody"))
    assert asked(face, a, b) == "to b"
    assert asked(face, a, c) == ""
    assert asked(face, a, None) == "to nobody"


@requirement("reply:trigger:wrong")
@pytest.mark.parametrize("trigger", [5, None, {"a": 1}, 1.5])
def test_a_trigger_of_no_kind(trigger: Any) -> None:
    with pytest.raises(ValueError, match="trigger"):
        plain("a").register_reply(trigger, says("x"))


@requirement("reply:trigger:wrong")
def test_a_trigger_function_that_gives_no_bool(face: Face) -> None:
    a = plain("a")
    a.register_reply(lambda sender: "yes", says("x"))
    with pytest.raises(AssertionError, match="bool"):
        asked(face, a, plain("b"))


@requirement("reply:trigger:sender")
def test_a_name_as_trigger_needs_a_sender(face: Face) -> None:
    a = plain("a")
    a.register_reply("b", says("x"))
    with pytest.raises(SenderRequired):
        asked(face, a, None)


@requirement("reply:config")
def test_each_row_has_its_own_config(face: Face) -> None:
    given = {"n": 0}

    def count(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
        config["n"] += 1
        return True, str(config["n"])

    a, b = plain("a"), plain("b")
    a.register_reply(ConversableAgent, count, config=given)
    assert [asked(face, a, b), asked(face, a, b)] == ["1", "2"]
    assert given == {"n": 0}
    a.reset()
    assert asked(face, a, b) == "1"


@requirement("reply:remove-others")
def test_remove_other_reply_funcs(face: Face) -> None:
    a, b = plain("a", max_consecutive_auto_reply=0, default_auto_reply="default"), plain("b")
    a.register_reply(ConversableAgent, says("x", final=False), remove_other_reply_funcs=True)
    assert len(a._reply_func_list) == 1
    assert asked(face, a, b) == "default"


@requirement("reply:replace", "reply:replace:faces")
@pytest.mark.parametrize("name", ["generate_oai_reply", "check_termination_and_human_reply"])
def test_replace_reply_func(face: Face, name: str) -> None:
    with ScriptedModel([]) as model:
        a, b = plain("a", llm_config=model.config()), plain("b")
        a.replace_reply_func(getattr(ConversableAgent, name), says("replaced"))
        assert asked(face, a, b) == "replaced"
    old, new = says("old"), says("new")
    c = plain("c")
    c.register_reply(ConversableAgent, old)
    c.replace_reply_func(old, new)
    assert asked(face, c, b) == "new"


async def _async_answer(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
    return True, "async"


@requirement("reply:async", "reply:async:refused")
def test_async_reply_functions_need_an_async_chat(face: Face) -> None:
    a, b = plain("a"), plain("b")
    b.register_reply(ConversableAgent, says("plain"))
    b.register_reply(ConversableAgent, _async_answer)
    if face.name == "async":
        result = face.initiate_chat(a, b, message="hi", max_turns=1, silent=True)
        assert texts(result.chat_history) == ["hi", "async"]
        return
    with pytest.raises(RuntimeError) as caught:
        face.initiate_chat(a, b, message="hi", silent=True)
    assert str(caught.value) == ASYNC_TEXT + "_async_answer"
    assert not a.chat_messages[b]


@requirement("reply:async:ignored")
def test_async_reply_functions_that_sync_chats_leave_out(face: Face) -> None:
    a, b = plain("a"), plain("b")
    b.register_reply(ConversableAgent, says("plain"))
    b.register_reply(ConversableAgent, _async_answer, ignore_async_in_sync_chat=True)
    result = face.initiate_chat(a, b, message="hi", max_turns=1, silent=True)
    expected = "async" if face.name == "async" else "plain"
    assert texts(result.chat_history) == ["hi", expected]


@requirement("reply:async:alone")
def test_a_reply_asked_for_alone_leaves_out_async_functions(face: Face) -> None:
    b = plain("b", default_auto_reply="plain")
    b.register_reply([ConversableAgent, None], _async_answer)
    expected = "async" if face.name == "async" else "plain"
    assert face.generate_reply(b, [{"role": "user", "content": "hi"}]) == expected
    assert asked(face, b, plain("a")) == expected


@requirement("reply:async:alone")
def test_a_group_run_asked_for_alone_leaves_out_async_functions(face: Face) -> None:
    member = plain("b", default_auto_reply="plain")
    member.register_reply(ConversableAgent, _async_answer)
    group = GroupChat([plain("a"), member], max_round=2, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, silent=True)
    message = {"role": "user", "content": "hi"}
    face.run_chat(manager, [message], sender=group.agents[0], config=group)
    assert texts(group.messages) == ["hi", "async" if face.name == "async" else "plain"]


@requirement("reply:async", "reply:async:ignored")
@pytest.mark.parametrize("is_left_out", [True, False])
def test_an_async_chat_asks_them_by_way_of_a_sync_override_too(
    face: Face, is_left_out: bool
) -> None:
    class Own(ConversableAgent):
        def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
            return super().generate_reply(messages, sender, **kwargs)

    b = Own("b", human_input_mode="NEVER", default_auto_reply="plain")
    b.register_reply(ConversableAgent, _async_answer, ignore_async_in_sync_chat=is_left_out)
    expected = "async" if face.name == "async" else "plain"
    a = plain("a")
    face.send(a, "hi", b, request_reply=True, silent=True)
    assert texts(a.chat_messages[b]) == ["hi", expected]
    if is_left_out or face.name == "async":
        result = face.initiate_chat(a, b, message="hi", max_turns=1, silent=True)
        assert texts(result.chat_history) == ["hi", expected]


@requirement("reply:async:refused")
def test_a_coroutine_function_without_a_name_is_refused_too() -> None:
    import functools

    b = plain("b")
    b.register_reply(ConversableAgent, functools.partial(_async_answer))
    with pytest.raises(RuntimeError, match="partial"):
        plain("a").initiate_chat(b, message="hi", silent=True)


@requirement("reply:once")
def test_each_built_in_is_asked_once_per_reply(face: Face) -> None:
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return ""

    user = ConversableAgent("user", human_input_mode="ALWAYS", default_auto_reply="x")
    user.get_human_input = answer  # type: ignore[method-assign]
    user.register_reply("nobody", says("x"))
    assert asked(face, user, plain("b")) == "x"
    assert len(prompts) == 1
    assert list(user._consecutive_auto_reply_counter.values()) == [1]


@requirement("reply:built-ins:override")
@pytest.mark.parametrize("flavour", ["", "a_"])
@pytest.mark.parametrize(
    "name",
    [
        "check_termination_and_human_reply",
        "generate_function_call_reply",
        "generate_tool_calls_reply",
        "generate_code_execution_reply",
        "generate_oai_reply",
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_subclass_overrides_a_built_in(face: Face, flavour: str, name: str, listed: bool) -> None:
    def plain_override(
        self: Any, messages: Any = None, sender: Any = None, config: Any = None
    ) -> Any:
        return True, f"own {name}"

    async def async_override(
        self: Any, messages: Any = None, sender: Any = None, config: Any = None
    ) -> Any:
        return True, f"own {name}"

    override = async_override if flavour else plain_override
    cls = type("Own", (ConversableAgent,), {flavour + name: override})
    agent = cls("a", human_input_mode="NEVER", code_execution_config={})
    if listed:
        agent.register_reply("nobody", says("x"))
    assert asked(face, agent, plain("b")) == f"own {name}"


@requirement("reply:built-ins:list", "reply:code-row")
def test_the_list_of_built_ins() -> None:
    def names(agent: ConversableAgent) -> list[str]:
        return [row["reply_func"].__name__ for row in agent._reply_func_list]

    with_code = [
        prefix + name
        for name in (
            "check_termination_and_human_reply",
            "generate_function_call_reply",
            "generate_tool_calls_reply",
            "generate_code_execution_reply",
            "generate_oai_reply",
        )
        for prefix in ("a_", "")
    ]
    assert names(UserProxyAgent("u")) == with_code
    assert names(plain("a")) == [n for n in with_code if "code_execution" not in n]


@requirement("reply:code-row")
def test_built_ins_can_be_called_directly(face: Face) -> None:
    a, b = plain("a"), plain("b")
    nothing = [{"role": "user", "content": "hi"}]
    for name in (
        "generate_function_call_reply",
        "generate_tool_calls_reply",
        "generate_code_execution_reply",
        "generate_oai_reply",
    ):
        assert getattr(face, name)(a, messages=nothing, sender=b) == (False, None)
