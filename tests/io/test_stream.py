"""The stream that people see and type at: the console, one's own, and which of them counts."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, ConversableAgent
from autogen.formatting_utils import colored
from autogen.io import IOConsole, IOStream
from autogen.testing import LoopbackLLM
from autogen.testing.face import Face


class Pieces:
    """A stream that keeps what is printed at it."""

    def __init__(self, *answers: str):
        self.answers = list(answers)
        self.pieces: list[str] = []

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        self.pieces.append(sep.join(map(str, objects)) + end)

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        self.pieces.append(prompt)
        return self.answers.pop(0)


@pytest.fixture
def _global_kept() -> Iterator[None]:
    before = IOStream.get_global_default()
    yield
    IOStream.set_global_default(before)


@requirement("io:console")
def test_the_console_prints_and_asks_as_the_built_ins_do(monkeypatch, capsys) -> None:
    stream = IOStream.get_default()
    assert isinstance(stream, IOConsole)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Ann\n"))
    stream.print("a", 1, sep="-", end="!", flush=True)
    assert stream.input("who? ") == "Ann"
    assert capsys.readouterr().out == "a-1!who? "


@requirement("io:password")
def test_a_password_is_asked_for_without_showing_it(monkeypatch) -> None:
    asked: list[str] = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    monkeypatch.setattr("getpass.getpass", getpass)
    assert IOConsole().input("Key: ", password=True) == "secret"
    assert asked == ["Key: "]


@requirement("io:context", "io:own")
def test_a_stream_holds_inside_its_block_in_this_thread_alone(wait_s) -> None:
    outer, inner = Pieces(), Pieces()
    elsewhere: list[object] = []
    with IOStream.set_default(outer):
        with IOStream.set_default(inner):
            assert IOStream.get_default() is inner
            thread = threading.Thread(target=lambda: elsewhere.append(IOStream.get_default()))
            thread.start()
            thread.join(wait_s)
        assert IOStream.get_default() is outer
    assert elsewhere == [IOStream.get_global_default()]
    assert isinstance(IOStream.get_default(), IOConsole)


@requirement("io:global", "io:global:none")
@pytest.mark.usefixtures("_global_kept")
def test_the_global_stream_holds_wherever_no_other_is_set() -> None:
    mine, other = Pieces(), Pieces()
    IOStream.set_global_default(mine)
    assert IOStream.get_default() is IOStream.get_global_default() is mine
    with IOStream.set_default(other):
        assert IOStream.get_default() is other
    IOStream.set_global_default(None)
    for get in (IOStream.get_global_default, IOStream.get_default):
        with pytest.raises(RuntimeError, match="No global default IOStream is set"):
            get()


@requirement("io:everything", "io:own")
def test_a_chat_shows_and_asks_everything_at_the_stream(face: Face, capsys) -> None:
    stream = Pieces("more", "exit")
    bot = ConversableAgent("bot", human_input_mode="NEVER", default_auto_reply="echo")
    user = ConversableAgent("user", human_input_mode="ALWAYS")
    with IOStream.set_default(stream):
        face.initiate_chat(bot, user, message="hello")
    shown = "".join(stream.pieces)
    for text in ("bot (to user):", "hello", "user (to bot):", "more", "echo"):
        assert text in shown
    assert stream.answers == []
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


@requirement("wrapper:stream:shown")
def test_pieces_of_a_streamed_answer_are_shown_as_they_come(face: Face) -> None:
    stream = Pieces()
    with LoopbackLLM(["one two three"] * 2) as server:
        config = {**server.config(), "stream": True}
        bot = AssistantAgent("bot", llm_config=config)
        user = ConversableAgent("user", human_input_mode="NEVER")
        with IOStream.set_default(stream):
            face.initiate_chat(user, bot, message="go", max_turns=1)
            assert [piece for piece in ("one", " two", " three") if piece in stream.pieces] == [
                "one",
                " two",
                " three",
            ]
            stream.pieces.clear()
            result = face.initiate_chat(user, bot, message="go", max_turns=1, silent=True)
    assert stream.pieces == []
    assert result.chat_history[-1]["content"] == "one two three"


class OnlyWrites:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("stdout", [None, OnlyWrites()])
def test_a_stdout_that_is_none_or_can_only_write_will_do(monkeypatch, stdout: Any) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", stdout)
    a, b = (ConversableAgent(name, human_input_mode="NEVER") for name in "ab")
    result = a.initiate_chat(b, message="hello", max_turns=1)
    assert result.chat_history[0]["content"] == "hello"
    assert colored("x", "red") == "x"
    if stdout is not None:
        assert "hello" in stdout.text
