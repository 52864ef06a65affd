"""What sending and receiving do, and which of their steps a subclass may change."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, Event, RunOptions, options
from autogen.testing import call
from autogen.testing.face import Face


@requirement("send:request-reply")
@pytest.mark.parametrize(
    "request_reply,at_receive,n",
    [(None, False, 1), (None, True, 2), (True, False, 2), (False, True, 1)],
)
def test_who_decides_on_a_reply(
    face: Face, request_reply: bool | None, at_receive: bool, n: int
) -> None:
    a, b = plain("a"), plain("b", default_auto_reply="ok")
    b.reply_at_receive[a] = at_receive
    face.send(a, "hi", b, request_reply=request_reply, silent=True)
    assert len(a.chat_messages[b]) == n
    face.receive(b, "again", a, request_reply=request_reply, silent=True)
    assert len(b.chat_messages[a]) == 2 * n


@requirement("send:exchange")
def test_send_returns_when_the_exchange_has_ended(face: Face) -> None:
    a = speaker("a", ["2", "4", "6"], max_consecutive_auto_reply=3)
    b = speaker("b", ["1", "3", "5", "7"])
    a.reply_at_receive[b] = b.reply_at_receive[a] = True
    face.send(a, "0", b, silent=True)
    assert texts(a.chat_messages[b]) == list("01234567")


@requirement("send:exchange")
def test_a_message_sent_after_others_may_end_an_exchange(face: Face) -> None:
    a, b = plain("a"), speaker("b", ["1"])
    face.send(a, "0", b, request_reply=True, silent=True)
    face.send(a, "TERMINATE", b, request_reply=True, silent=True)
    assert texts(a.chat_messages[b]) == ["0", "1", "TERMINATE"]
    face.receive(b, "TERMINATE", a, request_reply=True, silent=True)
    assert texts(b.chat_messages[a]) == ["0", "1", "TERMINATE", "TERMINATE"]


def printed(face: Face, capsys: Any, a: bool | None, b: bool | None, silent: Any) -> str:
    one, two = plain("a", silent=a), plain("b", silent=b, default_auto_reply="from b")
    face.initiate_chat(one, two, message="from a", max_turns=1, silent=silent)
    out = capsys.readouterr().out
    return "".join(who for who in "ab" if f"from {who}" in out)


@requirement("send:silent")
@pytest.mark.parametrize(
    "a,b,silent,seen",
    [
        (None, None, False, "ab"),
        (None, None, True, ""),
        (None, None, None, "ab"),
        (None, True, False, "a"),
        (False, None, True, "ab"),
        (None, False, True, "b"),
        (True, None, False, ""),
        (True, False, False, "b"),
        (False, True, False, "a"),
    ],
)
def test_who_is_printed(face: Face, capsys: Any, a: Any, b: Any, silent: Any, seen: str) -> None:
    assert printed(face, capsys, a, b, silent) == seen


@requirement("send:printed")
def test_what_is_printed(face: Face, capsys: pytest.CaptureFixture[str]) -> None:
    bot = speaker("bot", [{"content": "wait", "tool_calls": [call("add", id="c1", a=1)]}, "done"])
    user = plain("user", function_map={"add": lambda a: f"<{a}>"})
    face.initiate_chat(user, bot, message="go", max_turns=2)
    out = capsys.readouterr().out
    where = [
        out.index(text)
        for text in (
            "(to bot):",
            "go",
            "bot",
            "wait",
            "Suggested tool call (c1): add",
            "<1>",
            "done",
        )
    ]
    assert out.index("user") < where[0]
    assert where[4] < where[5] < where[6]
    assert out.count("-" * 80) >= 4


@requirement("send:printed")
def test_each_message_and_each_result_is_closed_once(
    face: Face, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = plain("a"), mute("b")
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": f"{n}"} for n in (1, 2)]
    face.send(a, {"role": "tool", "content": "1\n\n2", "tool_responses": results}, b)
    rule = "-" * 80
    lines = [line for line in capsys.readouterr().out.split("\n") if line]
    assert [line for line in lines if line in ("1", "2", rule)] == ["1", rule, "2", rule]


@requirement("send:printed")
def test_a_message_received_from_a_program_is_printed(
    face: Face, capsys: pytest.CaptureFixture[str]
) -> None:
    face.receive(plain("b"), "hello", plain("a"), request_reply=False)
    assert "hello" in capsys.readouterr().out
    face.receive(plain("b"), "hello", plain("a"), request_reply=False, silent=True)
    assert capsys.readouterr().out == ""


@requirement("send:override")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_send_and_receive_overridden_in_one_flavour(face: Face, flavour: str) -> None:
    log: list[str] = []

    class Loud(ConversableAgent):
        if flavour == "sync":

            def send(self, message: Any, *args: Any, **kwargs: Any) -> None:
                log.append(f"{self.name} says {message}")
                super().send(message, *args, **kwargs)

            def receive(self, message: Any, *args: Any, **kwargs: Any) -> None:
                log.append(f"{self.name} hears {message}")
                super().receive(message, *args, **kwargs)
        else:

            async def a_send(self, message: Any, *args: Any, **kwargs: Any) -> None:
                log.append(f"{self.name} says {message}")
                await super().a_send(message, *args, **kwargs)

            async def a_receive(self, message: Any, *args: Any, **kwargs: Any) -> None:
                log.append(f"{self.name} hears {message}")
                await super().a_receive(message, *args, **kwargs)

    a = Loud("a", human_input_mode="NEVER", default_auto_reply="2")
    b = Loud("b", human_input_mode="NEVER", default_auto_reply="1")
    result = face.initiate_chat(a, b, message="0", max_turns=2, silent=True)
    assert texts(result.chat_history) == ["0", "1", "2", "1"]
    assert log == [
        *("a says 0", "b hears 0", "b says 1", "a hears 1"),
        *("a says 2", "b hears 2", "b says 1", "a hears 1"),
    ]


@requirement("send:override")
def test_generate_reply_overridden_without_calling_super(face: Face) -> None:
    class Counting(ConversableAgent):
        def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
            return str(len(messages)) if len(messages) < 5 else None

    a, b = Counting("a"), Counting("b")
    result = face.initiate_chat(a, b, message="0", silent=True)
    assert texts(result.chat_history) == ["0", "1", "2", "3", "4"]


@requirement("send:private-overrides")
def test_the_private_steps_of_receiving(face: Face) -> None:
    log: list[str] = []

    class Watching(ConversableAgent):
        def _process_received_message(self, message: Any, sender: Any, silent: Any) -> None:
            log.append(f"process {message}")
            super()._process_received_message(message, sender, silent)

        def _print_received_message(self, message: Any, sender: Any) -> None:
            log.append(f"print {message}")

        def _append_oai_message(
            self, message: Any, role: Any, conversation_id: Any, is_sending: bool
        ) -> bool:
            log.append(f"append {message} {role}")
            return super()._append_oai_message(message, role, conversation_id, is_sending)

    a, b = Watching("a"), plain("b", default_auto_reply="ok")
    seen: list[Event] = []
    with options(RunOptions(sinks=[seen.append])):
        face.initiate_chat(a, b, message="hi", max_turns=1)
    assert log == ["append hi assistant", "process ok", "append ok user", "print ok"]
    said = [event.data["message"]["content"] for event in seen if event.type == "message.sent"]
    assert said == ["hi", "ok"]


@requirement("send:private-overrides")
def test_a_print_of_its_own_prints_once(face: Face, capsys: pytest.CaptureFixture[str]) -> None:
    class Framing(ConversableAgent):
        def _print_received_message(self, message: Any, sender: Any) -> None:
            print("frame")
            super()._print_received_message(message, sender)

    face.send(plain("a"), "hello", Framing("b"))
    out = capsys.readouterr().out
    assert (out.count("frame"), out.count("hello")) == (1, 1)
