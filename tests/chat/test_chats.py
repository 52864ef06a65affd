"""How chats begin, how they end, and what is left of them."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from typing import Any

import pytest
from tests.chat.cast import mute, person, plain, speaker, texts
from tests.compat.requirements import requirement

import autogen
from autogen import (
    AutogenError,
    Cache,
    ChatResult,
    ConversableAgent,
    InvalidCarryOverType,
    RunOptions,
)
from autogen.testing import ScriptedModel
from autogen.testing.face import Face


def opened(face: Face, message: Any, **context: Any) -> Any:
    """What the first message becomes."""
    a, b = plain("a"), mute("b")
    face.initiate_chat(a, b, message=message, silent=True, **context)
    return b.chat_messages[a][0]["content"]


@requirement("chat:result")
def test_the_fields_of_a_result(face: Face) -> None:
    names = [field.name for field in dataclasses.fields(ChatResult)]
    assert {"chat_id", "chat_history", "summary", "cost", "human_input"} <= set(names)
    result = face.initiate_chat(plain("a"), mute("b"), message="hi", silent=True)
    assert isinstance(result, ChatResult)
    assert (result.chat_id, result.summary, result.human_input) == (None, "hi", [])
    assert result.chat_history == [{"content": "hi", "role": "assistant", "name": "a"}]
    assert (result.artifacts, bool(result.run_id)) == ([], True)


@requirement("chat:max-turns")
@pytest.mark.parametrize("n", [1, 2, 5])
def test_max_turns(face: Face, n: int) -> None:
    a, b = plain("a", default_auto_reply="a"), plain("b", default_auto_reply="b")
    result = face.initiate_chat(a, b, message="a", max_turns=n, silent=True)
    assert texts(result.chat_history) == ["a", "b"] * n
    assert result.stop_reason == "max_turns"
    assert (a.reply_at_receive[b], b.reply_at_receive[a]) == (False, False)


@requirement("chat:max-turns:stop")
def test_with_max_turns_a_side_that_stops_ends_the_chat(face: Face) -> None:
    a, b = plain("a", default_auto_reply="a"), speaker("b", ["1"], max_consecutive_auto_reply=1)
    result = face.initiate_chat(a, b, message="0", max_turns=9, silent=True)
    assert texts(result.chat_history) == ["0", "1", "a"]
    assert result.stop_reason == "max_replies"
    result = face.initiate_chat(mute("c"), plain("d"), message="0", max_turns=9, silent=True)
    assert (texts(result.chat_history), result.stop_reason) == (["0", ""], "no_reply")


@requirement("chat:max-turns:bad")
@pytest.mark.parametrize("n", [0, -1, "3", 1.5])
def test_a_max_turns_that_cannot_work(face: Face, n: Any) -> None:
    with pytest.raises(ValueError, match="max_turns"):
        face.initiate_chat(plain("a"), plain("b"), message="x", max_turns=n)


@requirement("chat:message:none")
def test_without_a_message_a_person_is_asked(face: Face) -> None:
    a, b = person("a", ["what I want"]), mute("b")
    result = face.initiate_chat(a, b, carryover="more", silent=True)
    assert a.get_human_input.prompts == [">"]  # type: ignore[attr-defined]
    assert texts(result.chat_history) == ["what I want\nContext: \nmore"]
    assert result.human_input == ["what I want"]


@requirement("chat:message:callable", "chat:carryover:callable")
@pytest.mark.parametrize("made", ["text", {"content": "text", "name": "x"}])
def test_a_function_as_message(face: Face, made: Any) -> None:
    seen: list[Any] = []

    def message(sender: Any, recipient: Any, context: Any) -> Any:
        seen.append((sender.name, recipient.name, context))
        return made

    assert opened(face, message, carryover="c", topic="t") == "text"
    assert seen == [("a", "b", {"carryover": "c", "topic": "t"})]


@requirement("chat:message:callable")
@pytest.mark.parametrize("made", [5, ["x"]])
def test_a_message_function_that_gives_no_message(face: Face, made: Any) -> None:
    with pytest.raises(ValueError, match="message function") as caught:
        opened(face, lambda sender, recipient, context: made)
    # What AutoGen 0.2 raised.
    assert isinstance(caught.value, TypeError)


@requirement("chat:message:dict")
def test_a_dict_as_message_is_not_changed(face: Face) -> None:
    given = {"content": "hi", "extra": 1}
    assert opened(face, given, carryover="c") == "hi\nContext: \nc"
    assert given == {"content": "hi", "extra": 1}


@requirement("chat:context")
@pytest.mark.parametrize("own", [False, True])
def test_further_keywords_of_any_name_are_context(face: Face, own: bool) -> None:
    class Own(ConversableAgent):
        def generate_init_message(self, message: Any, **kwargs: Any) -> Any:
            return f"{message} {sorted(kwargs)}"

    names = ["agent", "chat", "codec", "context", "initiator", "kind", "name", "problem", "target"]
    a = (Own if own else ConversableAgent)("a", human_input_mode="NEVER")
    result = face.initiate_chat(
        a, mute("b"), message="hi", silent=True, **dict.fromkeys(names, "value")
    )
    assert texts(result.chat_history) == [f"hi {names}" if own else "hi"]


@requirement("chat:init-message:override")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_generate_init_message_overridden(face: Face, flavour: str) -> None:
    class Own(ConversableAgent):
        if flavour == "sync":

            def generate_init_message(self, message: Any, **kwargs: Any) -> Any:
                return super().generate_init_message(f"{message} {kwargs['problem']}")
        else:

            async def a_generate_init_message(self, message: Any, **kwargs: Any) -> Any:
                return await super().a_generate_init_message(f"{message} {kwargs['problem']}")

    result = face.initiate_chat(Own("a"), mute("b"), message="solve", problem="it", silent=True)
    assert texts(result.chat_history) == ["solve it"]


@requirement("chat:carryover", "chat:carryover:list")
@pytest.mark.parametrize(
    "carryover,expected",
    [
        ("c", "hi\nContext: \nc"),
        (["c", "d"], "hi\nContext: \nc\nd"),
        (["c", {"content": "d", "role": "user"}, 5], "hi\nContext: \nc\nd\n5"),
        ("", "hi"),
        ([], "hi"),
        (None, "hi"),
    ],
)
def test_carryover(face: Face, carryover: Any, expected: str) -> None:
    assert opened(face, "hi", carryover=carryover) == expected
    assert opened(face, {"content": "hi"}, carryover=carryover) == expected


@requirement("chat:carryover:parts")
def test_carryover_of_content_in_parts(face: Face) -> None:
    parts = [{"type": "text", "text": "hi"}]
    text = {"type": "text", "text": "\nContext: \nc"}
    assert opened(face, {"content": parts}, carryover="c") == [text, *parts]
    assert len(parts) == 1


@requirement("chat:carryover:bad")
@pytest.mark.parametrize("carryover", [5, {"content": "x"}, ("c",)])
def test_carryover_of_another_type(face: Face, carryover: Any) -> None:
    with pytest.raises(InvalidCarryOverType):
        opened(face, "hi", carryover=carryover)


@requirement("chat:history:cleared", "chat:prepared")
@pytest.mark.parametrize("clear", [True, False])
def test_whether_earlier_messages_are_forgotten(face: Face, clear: bool) -> None:
    a, b = plain("a"), mute("b")
    a._human_input.append("earlier")
    face.initiate_chat(a, b, message="one", silent=True)
    for agent, other in ((a, b), (b, a)):
        agent._consecutive_auto_reply_counter[other] = 50
    result = face.initiate_chat(a, b, message="two", clear_history=clear, silent=True)
    expected = ["two"] if clear else ["one", "two"]
    assert texts(result.chat_history) == texts(b.chat_messages[a]) == expected
    assert a._consecutive_auto_reply_counter[b] == 0
    assert b._consecutive_auto_reply_counter[a] == 1
    assert b.reply_at_receive[a] is True


@requirement("chat:history:snapshot")
def test_a_later_chat_does_not_change_an_earlier_result(face: Face) -> None:
    a, b = plain("a"), mute("b")
    message = {"content": [{"type": "text", "text": "one"}]}
    first = face.initiate_chat(a, b, message=message, silent=True)
    face.initiate_chat(a, b, message="two", clear_history=False, silent=True)
    a.chat_messages[b][0]["content"][0]["text"] = "changed"
    assert texts(first.chat_history) == [[{"type": "text", "text": "one"}]]


@requirement("chat:cache")
@pytest.mark.parametrize("fails", [False, True])
def test_both_agents_use_the_cache_of_the_chat_and_get_theirs_back(face: Face, fails: bool) -> None:
    seen: list[Any] = []

    def look(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        seen.extend([recipient.client_cache, sender.client_cache])
        if fails:
            raise LookupError
        return True, None

    a, b = plain("a"), plain("b")
    a.client_cache, b.client_cache = own_a, own_b = object(), object()
    b.register_reply(ConversableAgent, look)
    cache = object()
    try:
        face.initiate_chat(a, b, message="x", cache=cache, silent=True)
    except LookupError:
        assert fails
    assert seen == [cache, cache]
    assert (a.client_cache, b.client_cache) == (own_a, own_b)


@requirement("chat:cache:answers")
def test_with_a_cache_the_same_question_is_answered_once(face: Face, tmp_path: Any) -> None:
    with ScriptedModel(["only once"]) as model, Cache.disk(cache_path_root=str(tmp_path)) as cache:
        bot, user = plain("bot", llm_config=model.config()), mute("user")
        for _ in range(2):
            result = face.initiate_chat(user, bot, message="hi", cache=cache, silent=True)
            assert texts(result.chat_history) == ["hi", "only once"]
    assert result.cost[0]["scripted"]["completion_tokens"] == 2
    assert result.cost[1] == {"total_cost": 0}


@requirement("chat:error")
@pytest.mark.parametrize("error", [KeyError("k"), AutogenError("a")])
def test_an_exception_takes_the_chat_along(face: Face, error: Exception) -> None:
    a, b = speaker("a", ["two"]), speaker("b", ["one", error])
    with pytest.raises(type(error)) as caught:
        face.initiate_chat(a, b, message="zero", silent=True)
    result = caught.value.chat_result  # type: ignore[attr-defined]
    assert texts(result.chat_history) == ["zero", "one", "two"]
    assert result.stop_reason == "error"
    assert result.cost[0]["scripted"]["prompt_tokens"] > 0


@requirement("chat:error")
def test_an_exit_takes_the_chat_along() -> None:
    # On the sync face alone: a loop of the caller's own ends with the exit.
    a, b = speaker("a", ["two"]), speaker("b", ["one", SystemExit(3)])
    with pytest.raises(SystemExit) as caught:
        a.initiate_chat(b, message="zero", silent=True)
    result = caught.value.chat_result  # type: ignore[attr-defined]
    assert texts(result.chat_history) == ["zero", "one", "two"]
    assert result.stop_reason == "cancelled"


@requirement("chat:error")
def test_an_error_in_a_hook_of_the_user_or_an_end_rule_takes_the_chat_along(face: Face) -> None:
    def rule(message: Any) -> bool:
        raise RuntimeError("rule")

    with pytest.raises(RuntimeError, match="rule") as caught:
        face.initiate_chat(
            plain("a"), plain("b", is_termination_msg=rule), message="x", silent=True
        )
    assert texts(caught.value.chat_result.chat_history) == ["x"]  # type: ignore[attr-defined]


@requirement("chat:interrupt")
def test_ctrl_c_leaves_both_agents_usable() -> None:
    a = plain("a", default_auto_reply="go on")
    b = speaker("b", ["one", KeyboardInterrupt, "again"], max_consecutive_auto_reply=2)
    with pytest.raises(KeyboardInterrupt) as caught:
        a.initiate_chat(b, message="zero", silent=True)
    result = caught.value.chat_result  # type: ignore[attr-defined]
    assert texts(result.chat_history) == ["zero", "one", "go on"]
    assert result.stop_reason == "cancelled"
    again = a.initiate_chat(b, message="zero", max_turns=1, silent=True)
    assert texts(again.chat_history) == ["zero", "again"]


@requirement("chat:interrupt")
def test_a_cancelled_task_leaves_both_agents_usable(wait_s: float) -> None:
    async def program() -> None:
        started = asyncio.Event()

        async def hang(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            started.set()
            await asyncio.sleep(60)

        a, b = plain("a"), plain("b")
        b.register_reply(ConversableAgent, hang)
        task = asyncio.ensure_future(a.a_initiate_chat(b, message="x", silent=True))
        await asyncio.wait_for(started.wait(), wait_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        b._reply_func_list.pop(0)
        b._default_auto_reply = "back"
        result = await a.a_initiate_chat(b, message="y", max_turns=1, silent=True)
        assert texts(result.chat_history) == ["y", "back"]

    asyncio.run(program())


@requirement("chat:same-pair")
def test_a_second_chat_of_the_same_pair_is_refused(wait_s: float) -> None:
    inside, may_end = threading.Event(), threading.Event()

    def hold(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        inside.set()
        assert may_end.wait(wait_s)
        return True, None

    a, b = plain("a"), plain("b")
    b.register_reply(ConversableAgent, hold)
    chat = threading.Thread(target=lambda: a.initiate_chat(b, message="x", silent=True))
    chat.start()
    try:
        assert inside.wait(wait_s)
        for one, other in ((a, b), (b, a)):
            with pytest.raises(ValueError, match="chat with each other already"):
                one.initiate_chat(other, message="y", silent=True)
    finally:
        may_end.set()
        chat.join(wait_s)
    assert texts(a.chat_messages[b]) == ["x"]
    b._reply_func_list.pop(0)
    assert len(a.initiate_chat(b, message="y", max_turns=1, silent=True).chat_history) == 2


@requirement("chat:two-at-once")
def test_one_agent_in_two_chats_at_once(wait_s: float) -> None:
    async def program() -> list[ChatResult]:
        both_inside = asyncio.Event()
        senders: list[str] = []

        async def answer(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
            senders.append(sender.name)
            if len(senders) == 2:
                both_inside.set()
            await asyncio.wait_for(both_inside.wait(), wait_s)
            return True, f"to {sender.name}"

        shared = plain("shared")
        shared.register_reply(ConversableAgent, answer)
        return await asyncio.gather(
            *(
                plain(name).a_initiate_chat(shared, message="hi", max_turns=1, silent=True)
                for name in ("b", "c")
            )
        )

    results = asyncio.run(program())
    assert [texts(r.chat_history) for r in results] == [["hi", "to b"], ["hi", "to c"]]


@requirement("chat:long")
def test_a_hundred_thousand_messages() -> None:
    class Counting(ConversableAgent):
        def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
            return "x" if len(messages) < 100_000 else None

    a, b = Counting("a"), Counting("b")
    a.reply_at_receive[b] = b.reply_at_receive[a] = True
    with autogen.options(RunOptions(loop_guard=False)):
        a.send("x", b, silent=True)
    assert len(a.chat_messages[b]) == 100_000


@requirement("chat:long")
def test_a_chat_of_two_thousand_messages(face: Face) -> None:
    a = plain("a", default_auto_reply="a", max_consecutive_auto_reply=1000)
    b = plain("b", default_auto_reply="b", max_consecutive_auto_reply=1000)
    result = face.initiate_chat(a, b, message="0", silent=True)
    assert len(result.chat_history) == 2001
