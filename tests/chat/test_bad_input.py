"""Wrong values, odd texts, and agents that do things their own way."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.testing import ScriptedModel
from autogen.testing.face import Face


@requirement("bad:constructor")
@pytest.mark.parametrize(
    "options",
    [
        {"name": None},
        {"name": 5},
        {"max_consecutive_auto_reply": "3"},
        {"function_map": [len]},
    ],
)
def test_a_constructor_argument_of_the_wrong_type(options: dict[str, Any]) -> None:
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match=next(iter(options))):
            ConversableAgent(**{"name": "a", **options})


@requirement("bad:recipient")
@pytest.mark.parametrize("recipient", [None, "bot", {"name": "bot"}])
def test_a_recipient_that_is_no_agent(face: Face, recipient: Any) -> None:
    with pytest.raises(ValueError, match="recipient"):
        face.initiate_chat(plain("a"), recipient, message="x")


@requirement("bad:message")
@pytest.mark.parametrize("message", [5, ["x"], object()])
def test_a_message_of_no_kind(face: Face, message: Any) -> None:
    a, b = plain("a"), plain("b")
    for call in (face.initiate_chat, lambda a, b, message: face.send(a, message, b)):
        with pytest.raises(TypeError, match="the message is"):
            call(a, b, message=message)
    assert not a.chat_messages[b]
    assert not b.chat_messages[a]


@requirement("bad:message")
def test_a_default_reply_of_no_kind(face: Face) -> None:
    with pytest.raises(TypeError, match="the message is 5") as caught:
        face.initiate_chat(plain("a"), plain("b", default_auto_reply=5), message="hi", silent=True)
    assert texts(caught.value.chat_result.chat_history) == ["hi"]  # type: ignore[attr-defined]


@requirement("bad:reply-function")
@pytest.mark.parametrize("answer", [None, "hello", (True, "x", 3), True])
def test_a_reply_function_that_gives_no_pair(face: Face, answer: Any) -> None:
    def wrong(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        return answer

    b = plain("b")
    b.register_reply(ConversableAgent, wrong)
    with pytest.raises(TypeError, match="wrong gave"):
        face.initiate_chat(plain("a"), b, message="x", silent=True)


@requirement("bad:text")
@pytest.mark.parametrize("text", ["nul \x00", "lone \ud800", "\x1b[31m", "x" * 100_000])
def test_odd_texts_are_kept(face: Face, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    bot = speaker("bot", [text])
    result = face.initiate_chat(plain("user"), bot, message=text, max_turns=1)
    assert texts(result.chat_history) == [text, text]
    assert capfd.readouterr().out.count("(to ") == 2


@requirement("bad:model-fails")
def test_a_call_the_model_does_not_know_takes_the_chat_along(face: Face) -> None:
    bot = speaker("bot", ["one"])
    with pytest.raises(AssertionError) as caught:
        face.initiate_chat(plain("user", default_auto_reply="more"), bot, message="hi", silent=True)
    result = caught.value.chat_result  # type: ignore[attr-defined]
    assert texts(result.chat_history) == ["hi", "one", "more"]
    assert result.stop_reason == "error"


class ByHand(ConversableAgent):
    """Receives as programs of 0.2 wrote it out."""

    def receive(
        self, message: Any, sender: Any, request_reply: Any = None, silent: Any = False
    ) -> None:
        self._process_received_message(message, sender, silent)
        if request_reply is False or (
            request_reply is None and self.reply_at_receive[sender] is False
        ):
            return
        reply = self.generate_reply(messages=self.chat_messages[sender], sender=sender)
        if reply is not None:
            self.send(reply, sender, silent=silent)


@requirement("bad:own-receive")
@pytest.mark.parametrize("max_turns,n,reason", [(None, 8, "no_reply"), (2, 4, "max_turns")])
def test_a_receive_written_out_by_hand(face: Face, max_turns: Any, n: int, reason: str) -> None:
    options = {"human_input_mode": "NEVER", "max_consecutive_auto_reply": 3}
    a = ByHand("a", default_auto_reply="a", **options)  # type: ignore[arg-type]
    b = ByHand("b", default_auto_reply="b", human_input_mode="NEVER")
    result = face.initiate_chat(a, b, message="a", max_turns=max_turns, silent=True)
    assert texts(result.chat_history) == ["a", "b"] * (n // 2)
    assert texts(b.chat_messages[a]) == ["a", "b"] * (n // 2)
    assert result.stop_reason == reason


class Duck:
    """Neither ours nor of our making; it quacks three times."""

    name = "duck"
    description = "A duck."

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def send(
        self, message: Any, recipient: Any, request_reply: Any = None, silent: Any = False
    ) -> None:
        recipient.receive(message, self, request_reply, silent)

    def receive(
        self, message: Any, sender: Any, request_reply: Any = None, silent: Any = False
    ) -> None:
        self.heard.append(message)
        if request_reply is not False and len(self.heard) < 3:
            self.send("quack", sender, silent=silent)

    def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
        return "quack"


@requirement("bad:duck")
def test_anything_that_sends_and_receives_takes_part(face: Face) -> None:
    with ScriptedModel(["one", "two"]) as model:
        duck, bot = Duck(), plain("bot", llm_config=model.config())
        result = face.initiate_chat(bot, duck, message="zero", summary_method=None, silent=True)
    assert texts(result.chat_history) == ["zero", "quack", "one", "quack", "two"]
    assert duck.heard == ["zero", "one", "two"]


@pytest.mark.parametrize("messages", ["hello", {"role": "user", "content": "hello"}])
def test_a_message_where_messages_are_wanted(face: Face, messages: Any) -> None:
    with pytest.raises(TypeError, match="give a list of messages"):
        face.generate_reply(plain("a"), messages=messages)
