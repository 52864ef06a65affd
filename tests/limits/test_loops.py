"""The guard against circles: what it sees, where it stays out, and what people are told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chat.cast import mute, person, plain, speaker
from tests.limits.cast import events_of

import autogen
from autogen import ConversableAgent, GroupChat, GroupChatManager, LoopGuard, RunOptions
from autogen.errors import UsageError, UsageTypeError
from autogen.limits.loops import Loop
from autogen.testing import FakeExecutor, ScriptedModel, call
from autogen.testing.face import Face


def text(content: str) -> dict[str, Any]:
    return {"content": content, "role": "user", "name": "x"}


def seen(messages: Any, **guard: int) -> tuple[int, Loop | None]:
    """How many messages it took, and the loop."""
    watch = LoopGuard(**guard).watch()
    n = 0
    for message in messages:
        n += 1
        loop = watch.see(text(message) if isinstance(message, str) else message)
        if loop is not None:
            return n, loop
    return n, None


# -------------------------------------------------------------------------------- what it sees


@pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]])
def test_a_cycle_of_up_to_four_messages_counts_when_it_comes_round_eight_times(
    cycle: list[str],
) -> None:
    n, loop = seen(["first", *cycle * 20])
    assert n == 1 + 8 * len(cycle)
    assert loop is not None
    assert (loop.kind, loop.repeats) == ("messages", 8)
    assert sorted(loop.messages) == cycle


def test_five_messages_are_too_long_a_cycle() -> None:
    assert seen(list("abcde") * 50)[1] is None


@given(st.lists(st.integers(0, 3), max_size=300))
def test_it_never_counts_less_than_eight_rounds(numbers: list[int]) -> None:
    n, loop = seen([str(number) for number in numbers])
    if loop is not None:
        period = len(loop.messages)
        newest = numbers[:n][-8 * period :]
        assert newest == newest[:period] * 8
        assert loop.messages == [str(number) for number in newest[:period]]


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 4), st.integers(2, 5))
def test_it_sees_every_cycle_that_came_round(start: list[int], period: int, repeats: int) -> None:
    messages = [f"s{n}" for n in start] + [str(i) for i in range(period)] * repeats
    _, loop = seen(messages, repeats=repeats, calls=100)
    assert loop is not None


def test_one_other_message_starts_the_count_anew() -> None:
    n, loop = seen([*["a", "b"] * 7, "c", *["a", "b"] * 8])
    assert (n, loop is not None) == (31, True)


def test_the_numbers_can_be_chosen() -> None:
    assert seen(["a"] * 9, repeats=3)[0] == 3
    assert seen(["a", "b", "a", "b", "a", "b"], repeats=2, cycle=1)[1] is None


def asked(n: int, name: str = "look", **arguments: Any) -> dict[str, Any]:
    made = call(name, **(arguments or {"at": "x"}))
    return {"content": f"try {n}", "role": "assistant", "tool_calls": [made]}


def answered(content: str = "nothing") -> dict[str, Any]:
    response = {"role": "tool", "tool_call_id": "any", "content": content}
    return {"content": content, "role": "tool", "tool_responses": [response]}


def test_the_same_call_with_the_same_result_counts_whatever_is_said_around_it() -> None:
    n, loop = seen([m for i in range(20) for m in (asked(i), answered())])
    assert n == 16
    assert loop is not None and (loop.kind, loop.repeats) == ("calls", 8)
    assert loop.messages == ['try 7 look({"at": "x"})', "nothing"]
    assert "the same calls with the same result 8 times in a row" in str(loop)


def test_another_result_or_other_arguments_are_no_circle() -> None:
    assert seen([m for i in range(20) for m in (asked(i), answered(str(i)))])[1] is None
    assert seen([m for i in range(20) for m in (asked(i, at=i), answered())])[1] is None


def test_the_same_code_with_the_same_error_counts() -> None:
    block = "```python\nprint(x)\n```"
    error = text("exitcode: 1 (execution failed)\nCode output: NameError")
    n, loop = seen([m for i in range(20) for m in (text(f"Again, {i}:\n{block}"), error)])
    assert n == 16
    assert loop is not None and loop.kind == "code"


def test_other_code_with_the_same_error_is_work() -> None:
    error = text("exitcode: 1 (execution failed)\nCode output: NameError")
    rounds = [(text(f"```python\nprint({i})\n```"), error) for i in range(20)]
    assert seen([m for pair in rounds for m in pair])[1] is None


def test_long_messages_are_shown_by_their_beginning() -> None:
    _, loop = seen(["long " * 100] * 8)
    assert loop is not None
    assert len(loop.messages[0]) == 120 and loop.messages[0].endswith("...")
    assert "the same message 8 times in a row" in str(loop)


def test_parts_and_empty_turns_are_compared_too() -> None:
    parts = {"content": [{"type": "text", "text": "x"}], "role": "user", "name": "x"}
    assert seen([dict(parts) for _ in range(9)])[0] == 8
    assert seen([{"content": None, "role": "user", "name": "x"}] * 9)[0] == 8


@pytest.mark.parametrize(
    "name, value", [("repeats", 1), ("cycle", 0), ("calls", 1), ("repeats", -3)]
)
def test_numbers_that_would_end_every_chat_are_refused(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}; it must be at least"):
        LoopGuard(**{name: value})


@pytest.mark.parametrize("value", [True, 1.5, "8", None])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(UsageTypeError, match="must be a whole number"):
        LoopGuard(repeats=value)


# ------------------------------------------------------------------------------------ in chats


def polite(name: str, **options: Any) -> ConversableAgent:
    return plain(name, default_auto_reply="Thank you!", silent=True, **options)


def test_two_agents_that_thank_each_other_are_stopped(face: Face) -> None:
    told, sink = events_of("guard.tripped")
    result = face.initiate_chat(
        polite("a"), polite("b"), message="Thank you!", run=RunOptions(sinks=[sink])
    )
    assert (result.stop_reason, len(result.chat_history)) == ("loop", 8)
    assert result.summary == "Thank you!"
    (facts,) = told
    assert facts["kind"] == "messages" and facts["repeats"] == 8
    assert facts["messages"] == ["Thank you!"]
    assert "RunOptions(loop_guard=False)" in facts["text"]


def test_a_person_reads_why(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = plain("a", default_auto_reply="ping"), plain("b", default_auto_reply="pong")
    assert a.initiate_chat(b, message="ping").stop_reason == "loop"
    printed = capsys.readouterr().out
    assert "The chat goes round in a circle: the same 2 messages 8 times in a row:" in printed
    assert "'ping'; 'pong'" in printed


def test_a_model_that_repeats_itself_with_a_tool_is_stopped(face: Face) -> None:
    model = ScriptedModel(
        lambda params: {**call_message("poll"), "content": f"look {len(params['messages'])}"}
    )
    asker = plain("asker", llm_config=model.config(), silent=True)
    worker = plain("worker", silent=True)
    worker.register_function({"poll": lambda: "not yet"})
    result = face.initiate_chat(worker, asker, message="go")
    assert result.stop_reason == "loop"
    assert len(result.chat_history) == 1 + 16


def call_message(name: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call(name)]}


def test_code_that_fails_in_the_same_way_is_stopped(face: Face) -> None:
    executor = FakeExecutor(lambda blocks: (1, "NameError: x"))
    model = ScriptedModel(lambda p: f"Try {len(p['messages'])}\n```python\nprint(x)\n```")
    coder = plain("coder", llm_config=model.config(), silent=True)
    runner = plain("runner", code_execution_config={"executor": executor}, silent=True)
    result = face.initiate_chat(runner, coder, message="go")
    assert (result.stop_reason, len(executor.runs)) == ("loop", 8)


def group(n: int, **fields: Any) -> tuple[ConversableAgent, GroupChatManager]:
    members = [plain(f"m{i}", default_auto_reply=f"I am {i}", silent=True) for i in range(n)]
    chat = GroupChat(members, speaker_selection_method="round_robin", **fields)
    return members[0], GroupChatManager(chat, silent=True)


def test_a_group_is_watched_where_nobody_limits_its_rounds(face: Face) -> None:
    first, manager = group(3)
    manager.groupchat.max_round = type(manager.groupchat.max_round)(100)
    told, sink = events_of("guard.tripped")
    result = face.initiate_chat(first, manager, message="hi", run=RunOptions(sinks=[sink]))
    assert result.stop_reason == "loop"
    assert len(manager.groupchat.messages) == 1 + 8 * 3
    assert len(told) == 1


@pytest.mark.parametrize("max_round", [10, 60])
def test_a_group_with_a_number_of_rounds_keeps_its_word(face: Face, max_round: int) -> None:
    first, manager = group(2, max_round=max_round)
    result = face.initiate_chat(first, manager, message="hi")
    assert (result.stop_reason, len(manager.groupchat.messages)) == ("max_round", max_round)


def test_a_nested_chat_is_watched_by_itself(face: Face) -> None:
    told, sink = events_of("guard.tripped")
    agent, helper = polite("agent"), polite("helper")
    user = mute("user", silent=True)
    agent.register_nested_chats(
        [{"recipient": helper, "message": "Thank you!"}], trigger=lambda sender: sender is user
    )
    result = face.initiate_chat(user, agent, message="hi", run=RunOptions(sinks=[sink]))
    assert (result.stop_reason, result.summary) == ("no_reply", "Thank you!")
    assert len(told) == 1


# ------------------------------------------------------------------------------ where it stays out


def talk(face: Face, a: Any, b: Any, **options: Any) -> Any:
    return face.initiate_chat(a, b, message="Thank you!", **options)


def test_a_limit_of_turns_is_kept(face: Face) -> None:
    result = talk(face, polite("a"), polite("b"), max_turns=30)
    assert (result.stop_reason, len(result.chat_history)) == ("max_turns", 60)


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_limit_of_replies_is_kept(face: Face, who: str) -> None:
    more = {name: {"max_consecutive_auto_reply": 30} if name == who else {} for name in "ab"}
    result = talk(face, polite("a", **more["a"]), polite("b", **more["b"]))
    assert result.stop_reason == "max_replies"
    assert len(result.chat_history) > 59


def test_a_limit_of_replies_that_was_set_later_is_kept() -> None:
    a, b = polite("a"), polite("b")
    b.update_max_consecutive_auto_reply(30)
    assert a.initiate_chat(b, message="Thank you!").stop_reason == "max_replies"


def test_a_limit_of_replies_of_a_class_is_kept() -> None:
    class Patient(ConversableAgent):
        MAX_CONSECUTIVE_AUTO_REPLY = 30

    a, b = Patient("a", human_input_mode="NEVER", default_auto_reply="x", silent=True), polite("b")
    b._default_auto_reply = "x"
    assert a.initiate_chat(b, message="x").stop_reason == "max_replies"


@pytest.mark.parametrize("where", ["run", "around"])
def test_it_can_be_turned_off(face: Face, where: str) -> None:
    off = RunOptions(loop_guard=False)
    if where == "run":
        result = talk(face, polite("a"), polite("b"), run=off)
    else:
        with autogen.options(off):
            result = talk(face, polite("a"), polite("b"))
    assert result.stop_reason == "max_replies"


def test_turned_off_it_is_off_in_nested_chats_too(face: Face) -> None:
    agent, helper, user = polite("agent"), polite("helper"), mute("user", silent=True)
    agent.register_nested_chats(
        [{"recipient": helper, "message": "Thank you!"}], trigger=lambda sender: sender is user
    )
    face.initiate_chat(user, agent, message="hi", run=RunOptions(loop_guard=False))
    assert len(helper.chat_messages[agent]) > 100


def test_it_can_be_made_stricter(face: Face) -> None:
    options = RunOptions(loop_guard=LoopGuard(repeats=3))
    result = talk(face, polite("a"), polite("b"), run=options)
    assert (result.stop_reason, len(result.chat_history)) == ("loop", 3)


@pytest.mark.parametrize("guard", [1, "on", LoopGuard, {}])
def test_run_options_take_a_guard_or_a_bool(guard: Any) -> None:
    with pytest.raises(UsageTypeError, match="give a LoopGuard, or False for none"):
        RunOptions(loop_guard=guard)


@pytest.mark.parametrize("answer", ["Thank you!", ""])
def test_a_person_who_answers_is_no_circle(face: Face, answer: str) -> None:
    user = person("user", [answer] * 30 + ["exit"], default_auto_reply="Thank you!", silent=True)
    result = talk(face, user, polite("b"))
    assert result.stop_reason == "human_exit"
    assert len(result.human_input) == 31


def test_a_conversation_with_models_that_say_new_things_goes_on(face: Face) -> None:
    b = speaker("b", [f"thing {i}" for i in range(60)] + ["TERMINATE"], silent=True)
    result = talk(face, polite("a"), b)
    assert (result.stop_reason, len(result.chat_history)) == ("termination", 122)
