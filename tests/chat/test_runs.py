"""Options of a run: limits of time, cancelling, and events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest
from tests.chat.cast import person, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import CancelToken, ConversableAgent, Event, RunOptions, options
from autogen.errors import RunCancelled
from autogen.testing import FakeExecutor, call
from autogen.testing.face import Face


def hanging(wait_s: float) -> tuple[ConversableAgent, threading.Event]:
    """An agent whose second reply takes for ever, and what tells that it began."""
    began = threading.Event()
    said: list[str] = []

    async def hang() -> None:
        began.set()
        await asyncio.sleep(100 * wait_s)

    def reply(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        if said:
            return hang()
        said.append("one")
        return True, "one"

    agent = plain("b")
    agent.register_reply(ConversableAgent, reply)
    return agent, began


@requirement("run:timeout")
@pytest.mark.parametrize("method,summary", [("last_msg", "more"), (None, "")])
def test_a_timeout_ends_the_chat(face: Face, wait_s: float, method: Any, summary: str) -> None:
    a, (b, _) = plain("a", default_auto_reply="more"), hanging(wait_s)
    result = face.initiate_chat(
        a, b, message="hi", run=RunOptions(timeout_s=0.05), summary_method=method, silent=True
    )
    assert result.stop_reason == "timeout"
    assert (texts(result.chat_history), result.summary) == (["hi", "one", "more"], summary)


@requirement("run:cancel")
def test_a_chat_is_cancelled_from_another_thread(face: Face, wait_s: float) -> None:
    token = CancelToken()
    a, (b, began) = plain("a", default_auto_reply="more"), hanging(wait_s)
    canceller = threading.Thread(target=lambda: began.wait(wait_s) and token.cancel())
    canceller.start()
    result = face.initiate_chat(a, b, message="hi", run=RunOptions(cancel=token), silent=True)
    canceller.join(wait_s)
    assert (result.stop_reason, texts(result.chat_history)) == ("cancelled", ["hi", "one", "more"])


@requirement("run:cancel")
def test_a_token_that_was_cancelled_before_ends_the_chat_at_once(face: Face) -> None:
    token = CancelToken()
    token.cancel()
    a, b = plain("a"), plain("b")
    result = face.initiate_chat(a, b, message="hi", run=RunOptions(cancel=token), silent=True)
    assert result.stop_reason == "cancelled"
    assert texts(result.chat_history) == ["hi"]


@requirement("run:sinks")
def test_sinks_get_typed_events_in_order(face: Face) -> None:
    events: list[Event] = []
    code = "```python\nprint(1)\n```"
    bot = speaker("bot", [call("f", id="1"), code, "done"])
    user = person(
        "user",
        ["", "", "exit"],
        function_map={"f": lambda: "F"},
        code_execution_config={"executor": FakeExecutor(["1"])},
    )
    result = face.initiate_chat(
        user, bot, message="go", run=RunOptions(sinks=[events.append], id="mine"), silent=True
    )
    assert [event.type for event in events] == [
        "chat.started",
        "message.sent",
        *("model.answered", "message.sent", "question.answered"),
        *("tool.called", "tool.answered", "message.sent"),
        *("model.answered", "message.sent", "question.answered"),
        *("code.started", "code.finished", "message.sent"),
        *("model.answered", "message.sent", "question.answered"),
        "chat.finished",
    ]
    assert {event.run_id for event in events} == {result.run_id} == {"mine"}
    keys = [event.key for event in events]
    assert len(set(keys)) == len(keys)
    assert all(json.loads(event.to_json())["v"] == 1 for event in events)
    assert events[-1].data["stop_reason"] == "human_exit"
    said = [event.data["message"]["content"] for event in events if event.type == "message.sent"]
    assert said == texts(result.chat_history)


@requirement("run:sinks")
def test_an_error_is_an_event_too(face: Face) -> None:
    events: list[Event] = []
    bot = speaker("bot", [KeyError("k")])
    with pytest.raises(KeyError):
        face.initiate_chat(
            plain("a"), bot, message="x", run=RunOptions(sinks=[events.append]), silent=True
        )
    assert [event.type for event in events][-2:] == ["error", "chat.finished"]
    assert events[-2].data["type"] == "KeyError"


@requirement("run:ambient")
def test_ambient_options_hold_for_every_chat_inside(face: Face) -> None:
    events: list[Event] = []
    a, b = plain("a"), plain("b")
    with options(RunOptions(sinks=[events.append])):
        for _ in range(2):
            face.initiate_chat(a, b, message="x", max_turns=1, silent=True)
        own: list[Event] = []
        face.initiate_chat(
            a, b, message="x", max_turns=1, silent=True, run=RunOptions(sinks=[own.append])
        )
    face.initiate_chat(a, b, message="x", max_turns=1, silent=True)
    kinds = [event.type for event in events]
    assert kinds.count("chat.started") == kinds.count("chat.finished") == 2
    assert len(own) == len(events) / 2


@requirement("run:timeout")
@pytest.mark.parametrize("bad", [{"timeout_s": 0}, {"timeout_s": -1}, {"sinks": ["log.txt"]}])
def test_options_that_cannot_work(bad: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(bad)).rstrip("s")):
        RunOptions(**bad)


@requirement("run:timeout")
def test_a_limit_that_is_not_reached_changes_nothing(face: Face, wait_s: float) -> None:
    begin = time.monotonic()
    result = face.initiate_chat(
        plain("a"), plain("b"), message="x", run=RunOptions(timeout_s=60), silent=True
    )
    assert result.stop_reason == "no_reply"
    assert time.monotonic() - begin < wait_s


@requirement("run:cancel", "run:timeout", "run:sinks")
@pytest.mark.parametrize("is_early", [True, False])
def test_watchers_are_told_of_the_end_of_a_cancelled_chat(
    face: Face, wait_s: float, is_early: bool
) -> None:
    events: list[Event] = []
    token = CancelToken()
    a, (b, _) = plain("a", default_auto_reply="more"), hanging(wait_s)
    if is_early:
        token.cancel("timeout")
    run = RunOptions(cancel=token, timeout_s=0.05, sinks=[events.append])
    result = face.initiate_chat(a, b, message="hi", run=run, silent=True)
    assert result.stop_reason == "timeout"
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-1]) == ("chat.started", "chat.finished")
    assert events[-1].data["stop_reason"] == "timeout"


@requirement("run:sinks")
@pytest.mark.parametrize("type_", ["chat.started", "message.sent", "chat.finished", None])
def test_a_sink_that_fails_takes_the_chat_along(face: Face, type_: str | None) -> None:
    def fails(event: Event) -> None:
        if type_ in (None, event.type):
            raise OSError("disk full")

    a, b = plain("a"), plain("b")
    with pytest.raises(OSError, match="disk full") as caught:
        face.initiate_chat(
            a, b, message="hi", max_turns=1, run=RunOptions(sinks=[fails]), silent=True
        )
    kept = caught.value.chat_result  # type: ignore[attr-defined]
    assert kept.chat_history == a.chat_messages[b]
    assert face.initiate_chat(a, b, message="x", max_turns=1, silent=True).chat_history


@requirement("chat:error")
def test_a_sink_that_fails_does_not_hide_the_first_error(face: Face) -> None:
    def fails(event: Event) -> None:
        if event.type in ("error", "chat.finished"):
            raise OSError("disk full")

    with pytest.raises(KeyError, match="first") as caught:
        face.initiate_chat(
            plain("a"),
            speaker("b", [KeyError("first")]),
            message="hi",
            run=RunOptions(sinks=[fails]),
            silent=True,
        )
    assert caught.value.chat_result.stop_reason == "error"  # type: ignore[attr-defined]
    assert "disk full" in caught.value.__notes__[0]


@requirement("run:timeout")
def test_what_ends_a_leaf_without_knowing_why_is_told_by_the_run(face: Face) -> None:
    token = CancelToken()

    def stopped(*_: Any, **__: Any) -> Any:
        # As an executor does whose code was killed because the run was told to stop.
        token.cancel("timeout")
        raise RunCancelled()

    b = plain("b")
    b.register_reply(ConversableAgent, stopped)
    result = face.initiate_chat(
        plain("a"), b, message="hi", run=RunOptions(cancel=token), silent=True
    )
    assert result.stop_reason == "timeout"
