"""Chats inside a reply."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.testing.face import Face


def answered(face: Face, queue: list[dict[str, Any]], text: str = "hi", **options: Any) -> Any:
    """What an agent with nested chats answers."""
    user, bot = plain("user"), plain("bot", default_auto_reply="default")
    bot.register_nested_chats(queue, trigger=user, **options)
    return face.initiate_chat(user, bot, message=text, max_turns=1, silent=True).chat_history[1:]


def entry(recipient: ConversableAgent, **more: Any) -> dict[str, Any]:
    return {"recipient": recipient, "max_turns": 1, "silent": True, **more}


@requirement("nested:summary", "nested:message")
def test_the_last_summary_is_the_reply(face: Face) -> None:
    one, two = speaker("one", ["first"]), speaker("two", ["second"])
    queue = [entry(one), entry(two, message="and now?")]
    assert texts(answered(face, queue)) == ["second"]
    assert texts(next(iter(one.chat_messages.values()))) == ["hi", "first"]
    heard = texts(next(iter(two.chat_messages.values())))[0]
    assert heard == "and now?\nContext: \nfirst"
    assert "message" not in queue[0]


@requirement("nested:callable")
def test_a_function_as_message(face: Face) -> None:
    seen: list[Any] = []

    def message(recipient: Any, messages: Any, sender: Any, config: Any) -> str:
        seen.append((recipient.name, texts(messages), sender.name, config))
        return "made"

    helper = speaker("helper", ["done"])
    assert texts(answered(face, [entry(helper, message=message)], config={"k": 1})) == ["done"]
    assert texts(next(iter(helper.chat_messages.values()))) == ["made", "done"]
    assert seen[0][1:3] == (["hi"], "user")


@requirement("nested:empty")
@pytest.mark.parametrize("later", ["", None])
def test_without_a_message_left_the_reply_is_none(face: Face, later: Any) -> None:
    queue = [entry(plain("one"), message=""), entry(plain("two"), message=later)]
    assert answered(face, queue) == []


@requirement("nested:own-reply")
def test_a_reply_function_of_the_users(face: Face) -> None:
    helper = speaker("helper", ["helped"])

    def own(chat_queue: Any, recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        result = recipient.initiate_chat(
            chat_queue[0]["recipient"], message="please", max_turns=1, silent=True
        )
        return True, f"{sender.name}: {result.summary}"

    queue = [entry(helper)]
    said = answered(face, queue, reply_func_from_nested_chats=own)
    assert texts(said) == ["user: helped"]


@requirement("nested:own-reply:wrong")
def test_a_reply_function_that_cannot_work() -> None:
    agent, queue = plain("a"), [entry(plain("b"), message="x", chat_id=1)]
    with pytest.raises(ValueError, match="reply_func_from_nested_chats"):
        agent.register_nested_chats(queue, plain("c"), reply_func_from_nested_chats="other")
    with pytest.raises(ValueError, match="coroutine"):
        agent.register_nested_chats(
            queue,
            plain("c"),
            reply_func_from_nested_chats=lambda *args: (True, None),
            use_async=True,
        )


@requirement("nested:async")
def test_async_nested_chats(face: Face) -> None:
    with pytest.raises(ValueError, match="chat_id is required for async nested chats"):
        plain("a").register_nested_chats([entry(plain("b"))], plain("c"), use_async=True)
    helper = speaker("helper", ["helped"])
    said = texts(answered(face, [entry(helper, message="x", chat_id=1)], use_async=True))
    assert said == (["helped"] if face.name == "async" else ["default"])


@requirement("nested:summary")
def test_a_trigger_that_does_not_match_starts_nothing(face: Face) -> None:
    user, bot = plain("user"), plain("bot", default_auto_reply="default")
    bot.register_nested_chats([entry(plain("helper"), message="x")], trigger="somebody")
    assert texts(
        face.initiate_chat(user, bot, message="hi", max_turns=1, silent=True).chat_history
    ) == ["hi", "default"]
