"""Hooks: what they see, what they change, and when they are left out."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import plain, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.testing import ScriptedModel, call
from autogen.testing.face import Face

LAST = "process_last_received_message"
ALL = "process_all_messages_before_reply"
SEND = "process_message_before_send"


def in_flavour(name: str, function: Any) -> Any:
    if not name.startswith("a_"):
        return function

    async def hook(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return hook


@requirement("hook:last-message", "hook:history", "hook:one-flavour")
@pytest.mark.parametrize("name", [LAST, f"a_{LAST}"])
def test_a_last_message_hook_changes_what_is_answered(face: Face, name: str) -> None:
    with ScriptedModel(["ok"]) as model:
        bot, user = plain("bot", llm_config=model.config()), plain("user")
        bot.register_hook(name, in_flavour(name, lambda content: content + " (with care)"))
        face.initiate_chat(user, bot, message="hi", max_turns=1, silent=True)
    assert model.requests[0]["messages"][-1]["content"] == "hi (with care)"
    assert texts(bot.chat_messages[user]) == ["hi", "ok"]


@requirement("hook:all-messages", "hook:history", "hook:one-flavour")
@pytest.mark.parametrize("name", [ALL, f"a_{ALL}"])
def test_an_all_messages_hook_may_change_its_messages(face: Face, name: str) -> None:
    def censored(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for message in messages:
            message["content"] = message["content"].replace("secret", "***")
        messages.insert(0, {"role": "user", "content": "first"})
        return messages

    with ScriptedModel(["ok"]) as model:
        bot, user = plain("bot", llm_config=model.config()), plain("user")
        bot.register_hook(name, in_flavour(name, censored))
        face.initiate_chat(user, bot, message="a secret", max_turns=1, silent=True)
    assert texts(model.requests[0]["messages"][1:]) == ["first", "a ***"]
    assert texts(bot.chat_messages[user]) == ["a secret", "ok"]


@requirement("hook:before-send", "hook:one-flavour")
@pytest.mark.parametrize("name", [SEND, f"a_{SEND}"])
@pytest.mark.parametrize("message", ["hi", {"content": "hi"}])
def test_a_before_send_hook_changes_what_both_keep(face: Face, name: str, message: Any) -> None:
    seen: list[Any] = []

    def marked(sender: Any, message: Any, recipient: Any, silent: Any) -> Any:
        seen.append((sender.name, message, recipient.name, silent))
        return "changed"

    a, b = plain("a"), plain("b")
    a.register_hook(name, in_flavour(name, marked))
    face.send(a, message, b, request_reply=False, silent=True)
    assert seen == [("a", message, "b", True)]
    assert texts(a.chat_messages[b]) == texts(b.chat_messages[a]) == ["changed"]


@requirement("hook:order")
def test_hooks_run_one_after_the_other(face: Face) -> None:
    log: list[str] = []

    def noting(label: str) -> Any:
        def hook(value: Any) -> Any:
            log.append(label)
            return value

        return hook

    a = plain("a")
    for name, label in ((ALL, "all 1"), (ALL, "all 2"), (LAST, "last 1"), (LAST, "last 2")):
        a.register_hook(name, noting(label))
    face.generate_reply(a, messages=[{"role": "user", "content": "hi"}], sender=plain("b"))
    assert log == ["last 1", "last 2", "all 1", "all 2"]


@requirement("hook:names")
def test_the_names_of_hooks() -> None:
    a = plain("a")
    names = [prefix + name for prefix in ("", "a_") for name in (LAST, ALL, SEND)]
    assert sorted(a.hook_lists) == sorted(names)
    with pytest.raises(AssertionError, match="process_nothing is not a hookable method"):
        a.register_hook("process_nothing", lambda x: x)


@requirement("hook:duplicate")
def test_a_hook_is_registered_once() -> None:
    a = plain("a")

    def hook(content: Any) -> Any:
        return content

    a.register_hook(LAST, hook)
    with pytest.raises(AssertionError, match="is already registered as a hook"):
        a.register_hook(LAST, hook)
    assert a.hook_lists[LAST] == [hook]


@requirement("hook:mismatch")
@pytest.mark.parametrize("name", [LAST, ALL])
@pytest.mark.parametrize("prefix", ["", "a_"])
def test_a_hook_of_the_wrong_flavour_warns_and_is_left_out(
    face: Face, name: str, prefix: str
) -> None:
    def fails(value: Any) -> Any:
        raise AssertionError("left out")

    a, b = plain("a", default_auto_reply="ok"), plain("b")
    wrong = fails if prefix else in_flavour("a_", fails)
    with pytest.warns(UserWarning, match=name):
        a.register_hook(prefix + name, wrong)
    assert face.generate_reply(a, messages=[{"content": "x"}], sender=b) == "ok"


@requirement("hook:skipped")
@pytest.mark.parametrize(
    "message",
    [
        {"content": "x", "function_call": {"name": "f", "arguments": "{}"}},
        {"content": "x", "context": {"a": 1}},
        {"content": None, "tool_calls": [call("f")]},
        {"content": ""},
        {"content": []},
        {"content": "exit"},
        {"content": lambda context: "x"},
    ],
)
def test_messages_that_last_message_hooks_skip(face: Face, message: Any) -> None:
    def fails(content: Any) -> Any:
        raise AssertionError("skipped")

    a = plain("a")
    a.register_hook(LAST, fails)
    face.generate_reply(a, messages=[message], sender=plain("b"))


@requirement("hook:last-message")
def test_a_last_message_hook_sees_parts_too(face: Face) -> None:
    seen: list[Any] = []
    a = plain("a")
    a.register_hook(LAST, lambda content: seen.append(content) or content)
    parts = [{"type": "text", "text": "hi"}]
    face.generate_reply(a, messages=[{"role": "user", "content": parts}], sender=plain("b"))
    assert seen == [parts]


@requirement("hook:one-flavour")
def test_of_a_hook_in_both_flavours_each_face_runs_its_own(face: Face) -> None:
    def hook(sender: Any, message: Any, recipient: Any, silent: Any) -> str:
        return f"{message} sync"

    async def a_hook(sender: Any, message: Any, recipient: Any, silent: Any) -> str:
        return f"{message} async"

    a, b = plain("a"), plain("b")
    a.register_hook(SEND, hook)
    a.register_hook(f"a_{SEND}", a_hook)
    face.send(a, "x", b, request_reply=False, silent=True)
    assert texts(b.chat_messages[a]) == ["x async" if face.name == "async" else "x sync"]


def test_hooks_of_different_names_all_run_whatever_their_flavour(face: Face) -> None:
    def first(sender: Any, message: Any, recipient: Any, silent: Any) -> str:
        return f"{message} one"

    async def second(sender: Any, message: Any, recipient: Any, silent: Any) -> str:
        return f"{message} two"

    a, b = plain("a"), plain("b")
    a.register_hook(SEND, first)
    a.register_hook(f"a_{SEND}", second)
    face.send(a, "x", b, request_reply=False, silent=True)
    assert texts(b.chat_messages[a]) == ["x one two"]


@requirement("hook:history")
def test_a_hook_that_raises_leaves_the_history_as_it_was(face: Face) -> None:
    def fails(messages: Any) -> Any:
        messages.clear()
        raise KeyError("hook")

    a, b = plain("a"), plain("b")
    b.register_hook(ALL, fails)
    with pytest.raises(KeyError, match="hook") as caught:
        face.initiate_chat(a, b, message="hi", silent=True)
    assert texts(caught.value.chat_result.chat_history) == ["hi"]  # type: ignore[attr-defined]
    assert isinstance(a, ConversableAgent)
    assert texts(b.chat_messages[a]) == ["hi"]


@requirement("bad:hook:none")
@pytest.mark.parametrize("name", [LAST, ALL, SEND])
@pytest.mark.parametrize("flavour", ["", "a_"])
def test_a_hook_that_forgets_to_return_something_is_named(
    face: Face, name: str, flavour: str
) -> None:
    b = plain("b", default_auto_reply="fine")

    def forgetful(*args: Any, **kwargs: Any) -> None:
        return None

    b.register_hook(flavour + name, in_flavour(flavour + name, forgetful))
    with pytest.raises(TypeError, match=rf"the hook .* of 'b' at {name} gave None"):
        face.initiate_chat(plain("a"), b, message="hi", max_turns=1, silent=True)


@requirement("hook:silent")
@pytest.mark.parametrize("name", [SEND, f"a_{SEND}"])
@pytest.mark.parametrize(
    "own, given, told",
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_a_before_send_hook_is_told_whether_the_agent_is_silent(
    face: Face, name: str, own: Any, given: bool, told: bool
) -> None:
    seen: list[Any] = []

    def hook(sender: Any, message: Any, recipient: Any, silent: Any) -> Any:
        seen.append(silent)
        return message

    a = plain("a", silent=own)
    a.register_hook(name, in_flavour(name, hook))
    face.send(a, "hi", plain("b"), silent=given)
    assert seen == [told]
    # As one who answers, too, whatever the one who began says.
    face.initiate_chat(
        plain("c", default_auto_reply="x"), a, message="hi", silent=given, max_turns=1
    )
    assert seen == [told, told]


@requirement("hook:silent")
@pytest.mark.parametrize("own, told", [(None, False), (True, True)])
def test_an_overridden_step_before_sending_is_told_it_too(face: Face, own: Any, told: bool) -> None:
    seen: list[Any] = []

    class Own(ConversableAgent):
        def _process_message_before_send(self, message: Any, recipient: Any, silent: bool) -> Any:
            seen.append(silent)
            return super()._process_message_before_send(message, recipient, silent)

    face.send(Own("a", silent=own), "hi", plain("b", silent=True))
    assert seen == [told]
