"""Agents that answer by talking with others first."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, initiate_chats
from autogen.testing import ScriptedModel, call
from autogen.testing.face import Face


def helper(name: str = "helper", reply: Any = "helped") -> Any:
    return plain(name, default_auto_reply=reply)


def entry(recipient: Any, **options: Any) -> dict[str, Any]:
    return {"recipient": recipient, "silent": True, "max_turns": 1, **options}


def asked(face: Face, agent: Any, message: Any = "task", **options: Any) -> Any:
    return face.initiate_chat(
        mute("user"), agent, message=message, silent=True, max_turns=1, **options
    )


def first_heard(agent: Any, by: Any) -> Any:
    return agent.chat_messages[by][0]["content"]


@requirement("nested:last-summary")
def test_the_reply_is_what_the_last_chat_came_to(face: Face) -> None:
    agent, one, two = plain("agent"), helper("one", "first"), helper("two", "second")
    agent.register_nested_chats(
        [entry(one), entry(two, message="check it", carryover="own")], trigger=ConversableAgent
    )
    result = asked(face, agent)
    assert texts(result.chat_history) == ["task", "second"]
    assert first_heard(one, agent) == "task"
    assert first_heard(two, agent) == "check it\nContext: \nown\nfirst"


@requirement("nested:triggers")
@pytest.mark.parametrize(
    "trigger, fits",
    [
        (ConversableAgent, True),
        ("user", True),
        ("other", False),
        (["x", "user"], True),
        (lambda sender: sender.name == "user", True),
        (lambda sender: False, False),
        ([None], False),
        (int, False),
    ],
)
def test_every_form_of_trigger_starts_them(face: Face, trigger: Any, fits: bool) -> None:
    agent = plain("agent", default_auto_reply="alone")
    agent.register_nested_chats([entry(helper())], trigger=trigger)
    assert asked(face, agent).summary == ("helped" if fits else "alone")


@requirement("nested:triggers")
def test_an_agent_is_a_trigger_and_none_fits_a_reply_without_sender(face: Face) -> None:
    agent, user = plain("agent", default_auto_reply="alone"), mute("user")
    agent.register_nested_chats([entry(helper())], trigger=[user, None])
    chat = {"message": "task", "silent": True, "max_turns": 1}
    assert face.initiate_chat(user, agent, **chat).summary == "helped"
    assert asked(face, agent).summary == "alone"
    assert face.generate_reply(agent, messages=[{"role": "user", "content": "hi"}]) == "helped"


@requirement("nested:messages")
def test_a_function_makes_the_message_of_a_chat(face: Face) -> None:
    agent, one = plain("agent"), helper()
    seen: list[Any] = []

    def made(recipient: Any, messages: Any, sender: Any, config: Any) -> str:
        seen.append((recipient.name, texts(messages), sender.name, config))
        return "made"

    agent.register_nested_chats([entry(one, message=made)], trigger="user", config={"a": 1})
    asked(face, agent)
    assert seen == [("agent", ["task"], "user", {"a": 1})]
    assert first_heard(one, agent) == "made"


@requirement("nested:messages")
def test_chats_without_a_message_are_left_out(face: Face) -> None:
    agent, one, two = plain("agent"), helper("one"), helper("two", "second")
    agent.register_nested_chats(
        [
            entry(one, message=""),
            entry(two, message="hi"),
            entry(one),
            entry(one, message=lambda *_: None),
        ],
        trigger="user",
    )
    assert asked(face, agent).summary == "second"
    assert not one.chat_messages


@requirement("nested:messages")
def test_with_no_chat_left_the_agent_stays_silent(face: Face) -> None:
    agent = plain("agent", default_auto_reply="alone")
    agent.register_nested_chats([entry(helper(), message=lambda *_: "")], trigger="user")
    result = asked(face, agent)
    assert texts(result.chat_history) == ["task"]
    assert result.stop_reason == "no_reply"


@requirement("nested:messages")
def test_a_message_of_several_parts_is_passed_on(face: Face) -> None:
    agent, one = plain("agent"), helper()
    parts = [{"type": "text", "text": "look"}]
    agent.register_nested_chats([entry(one)], trigger="user")
    assert asked(face, agent, message={"content": parts}).summary == "helped"
    assert first_heard(one, agent) == parts


@requirement("nested:sender")
def test_a_chat_may_have_another_sender_and_the_entries_stay_as_they_are(face: Face) -> None:
    agent, one, other = plain("agent"), helper(), mute("other")
    queue = [entry(one, sender=other), entry(helper("two"), message="x")]
    before = [dict(e) for e in queue]
    agent.register_nested_chats(queue, trigger="user")
    asked(face, agent)
    assert one.chat_messages[other]
    assert queue == before


HISTORY = [
    (1, "The conversation so far:\nagent: helped\n\nsecond"),
    ("all", "The conversation so far:\nuser: first\nagent: helped\n\nsecond"),
    (9, "The conversation so far:\nuser: first\nagent: helped\n\nsecond"),
    (None, "second"),
]


@requirement("nested:history")
@pytest.mark.parametrize("n, expected", HISTORY)
def test_the_conversation_so_far_can_be_carried_along(face: Face, n: Any, expected: str) -> None:
    agent, one, user = plain("agent"), helper(), mute("user")
    agent.register_nested_chats([entry(one, carry_history=n)], trigger="user")
    chat: dict[str, Any] = {"silent": True, "max_turns": 1}
    face.initiate_chat(user, agent, message="first", **chat)
    assert first_heard(one, agent) == "first"
    face.initiate_chat(user, agent, message="second", clear_history=False, **chat)
    assert first_heard(one, agent) == expected


@requirement("nested:history")
def test_it_goes_before_messages_of_every_kind(face: Face) -> None:
    parts = [{"type": "text", "text": "look"}]
    for message in ({"content": "x", "name": "n"}, {"content": parts}, lambda *_: "made"):
        agent, one, user = plain("agent"), helper(), mute("user")
        agent.register_nested_chats(
            [entry(one, message=message, carry_history="all")], trigger="user"
        )
        chat: dict[str, Any] = {"silent": True, "max_turns": 1}
        face.initiate_chat(user, agent, message="first", **chat)
        face.initiate_chat(user, agent, message="second", clear_history=False, **chat)
        heard = first_heard(one, agent)
        text = heard[0]["text"] if isinstance(heard, list) else heard
        assert text.startswith("The conversation so far:\nuser: first\nagent: helped\n")
        if isinstance(heard, list):
            assert heard[1:] == parts


@requirement("nested:history")
@pytest.mark.parametrize("n", [0, -1, True, False, "some", 1.5])
def test_a_history_of_no_size_is_refused_at_once(n: Any) -> None:
    with pytest.raises(ValueError, match="carry_history"):
        plain("agent").register_nested_chats([entry(helper(), carry_history=n)], trigger="user")


@requirement("nested:own-function")
def test_a_function_of_ones_own_makes_the_reply(face: Face) -> None:
    agent, queue = plain("agent"), [entry(helper())]
    seen: list[Any] = []

    def reply(chat_queue: Any, recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        seen.append((chat_queue, recipient, texts(messages), sender.name, config))
        return True, "my own"

    agent.register_nested_chats(
        queue, trigger="user", reply_func_from_nested_chats=reply, config="c"
    )
    assert asked(face, agent).summary == "my own"
    assert seen == [(queue, agent, ["task"], "user", "c")]


@requirement("nested:own-function")
def test_a_coroutine_function_answers_in_async_chats_only(face: Face) -> None:
    async def reply(
        chat_queue: Any, recipient: Any, messages: Any, sender: Any, config: Any
    ) -> Any:
        return True, "my own"

    for use_async in (True, None):
        agent = plain("agent", default_auto_reply="alone")
        agent.register_nested_chats(
            [entry(helper(), chat_id=1)],
            trigger="user",
            reply_func_from_nested_chats=reply,
            use_async=use_async,
        )
        assert asked(face, agent).summary == ("my own" if face.name == "async" else "alone")


@requirement("nested:refused")
def test_a_reply_function_that_is_none_is_refused() -> None:
    agent = plain("agent")
    for reply, use_async in (("summary", None), (3, None), (print, True)):
        with pytest.raises(ValueError, match="reply_func_from_nested_chats"):
            agent.register_nested_chats(
                [entry(helper(), chat_id=1)],
                trigger="user",
                reply_func_from_nested_chats=reply,
                use_async=use_async,
            )
    with pytest.raises(ValueError, match="chat_id is required for async nested chats"):
        agent.register_nested_chats([entry(helper())], trigger="user", use_async=True)


@requirement("nested:side-by-side")
def test_chats_side_by_side_run_in_async_chats_only(face: Face) -> None:
    agent = plain("agent", default_auto_reply="alone")
    one, two = helper("one", "first"), helper("two", "second")
    agent.register_nested_chats(
        [
            entry(one, chat_id=1),
            entry(two, chat_id=2, message="check", prerequisites=[1]),
        ],
        trigger="user",
        use_async=True,
    )
    is_async = face.name == "async"
    assert asked(face, agent).summary == ("second" if is_async else "alone")
    assert bool(one.chat_messages) is is_async
    if is_async:
        assert first_heard(two, agent) == "check\nContext: \nfirst"


@requirement("nested:side-by-side")
@pytest.mark.parametrize("use_async", [False, None])
def test_chats_in_a_row_run_in_every_chat(face: Face, use_async: Any) -> None:
    agent = plain("agent")
    agent.register_nested_chats([entry(helper())], trigger="user", use_async=use_async)
    assert asked(face, agent).summary == "helped"


@requirement("nested:endless")
def test_a_nested_chat_that_never_ends_is_ended(face: Face) -> None:
    agent = plain("agent")
    one = helper("one", "and on")
    for agent_ in (one, agent):
        agent_.update_max_consecutive_auto_reply(10**9)
    agent._default_auto_reply = "on"
    agent.register_nested_chats([{"recipient": one, "silent": True}], trigger="user")
    result = asked(face, agent)
    assert result.summary == "and on"
    assert len(one.chat_messages[agent]) == 1000


@requirement("nested:cost")
def test_what_nested_chats_cost_is_part_of_the_chat_around(face: Face) -> None:
    agent, one = plain("agent"), speaker("one", ["a b c"])
    agent.register_nested_chats([entry(one)], trigger="user")
    usage = asked(face, agent).cost["usage_including_cached_inference"]["scripted"]
    assert usage["completion_tokens"] == 3


@requirement("nested:position")
def test_position_says_when_they_are_asked(face: Face) -> None:
    for position, expected in ((0, "helped"), (2, "helped")):
        model = ScriptedModel(["from the model"])
        agent = plain("agent", llm_config=model.config())
        agent.register_nested_chats([entry(helper())], trigger="user", position=position)
        assert asked(face, agent).summary == expected
    agent = plain("agent", llm_config=ScriptedModel(["from the model"]).config())
    agent.register_nested_chats([entry(helper())], trigger="user", position=99)
    assert asked(face, agent).summary == "from the model"


@requirement("nested:deep")
def test_nested_chats_may_hold_nested_chats(face: Face) -> None:
    agents = [plain(f"level {i}") for i in range(4)]
    for outer, inner in itertools.pairwise(agents):
        outer.register_nested_chats(
            [entry(inner)], trigger=lambda sender, inner=inner: sender is not inner
        )
    agents[-1]._default_auto_reply = "from below"
    assert asked(face, agents[0]).summary == "from below"


@requirement("nested:tools")
def test_tools_work_inside_a_nested_chat(face: Face) -> None:
    board: list[int] = []
    player = plain("player", function_map={"move": lambda x: board.append(x) or f"moved {x}"})
    thinker = speaker("thinker", [call("move", x=3), "I moved 3"])
    player.register_nested_chats(
        [
            {
                "sender": plain("board", function_map=player.function_map),
                "recipient": thinker,
                "silent": True,
                "max_turns": 2,
            }
        ],
        trigger="user",
    )
    assert asked(face, player).summary == "I moved 3"
    assert board == [3]


@requirement("nested:subclass-methods")
def test_a_function_of_the_users_prepares_and_runs_the_chats_itself(face: Face) -> None:
    agent, one, two = plain("agent"), helper("one", "first"), helper("two", "second")

    def own(queue: Any, recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        chats = recipient._get_chats_to_run(queue, recipient, messages, sender, config)
        assert [(c["sender"], c["message"]) for c in chats] == [(agent, "task"), (agent, "check")]
        return True, " and ".join(result.summary for result in initiate_chats(chats))

    queue = [entry(one), entry(two, message="check"), entry(two, message="")]
    agent.register_nested_chats(queue, ConversableAgent, own)
    assert texts(asked(face, agent).chat_history) == ["task", "first and second"]


@requirement("nested:subclass-methods")
def test_the_summary_of_nested_chats_can_be_asked_for() -> None:
    agent, user = plain("agent"), mute("user")
    heard = [{"role": "user", "content": "task"}]
    said = ConversableAgent._summary_from_nested_chats([entry(helper())], agent, heard, user, None)
    assert said == (True, "helped")
    silent = [entry(helper(), message="")]
    assert agent._summary_from_nested_chats(silent, agent, heard, user, None) == (True, None)
