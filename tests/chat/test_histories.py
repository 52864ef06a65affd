"""Histories are lists of dicts: whatever a program does to them, the model is sent the result."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from tests.chat.cast import plain, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.messages import encoded
from autogen.testing import ScriptedModel
from autogen.testing.face import Face

TOOL: dict[str, Any] = {
    "role": "tool",
    "content": "joint",
    "tool_responses": [{"role": "tool", "tool_call_id": "1", "content": "single"}],
}


def history(*contents: str) -> tuple[ConversableAgent, ConversableAgent, list[dict[str, Any]]]:
    """An agent, who it hears, and what it heard."""
    agent, other = plain("agent"), plain("other")
    for content in contents:
        other.send(content, agent, request_reply=False, silent=True)
    return agent, other, agent.chat_messages[other]


def asked(face: Face, agent: ConversableAgent, other: ConversableAgent) -> list[Any]:
    """What its model is sent, without the system message."""
    with ScriptedModel(["ok"]) as model:
        agent.llm_config = model.config()
        agent.client = ConversableAgent("x", llm_config=model.config()).client  # type: ignore[assignment]
        face.generate_oai_reply(agent, sender=other)
    return texts(model.requests[0]["messages"][1:])


def _plus(messages: list[Any]) -> None:
    messages += [{"role": "user", "content": "c"}]


EDITS: list[tuple[Callable[[list[Any]], Any], list[Any]]] = [
    (lambda h: h.append({"role": "user", "content": "c"}), ["a", "b", "c"]),
    (lambda h: h.extend([{"role": "user", "content": "c"}]), ["a", "b", "c"]),
    (lambda h: h.insert(0, {"role": "user", "content": "c"}), ["c", "a", "b"]),
    (_plus, ["a", "b", "c"]),
    (lambda h: h.__setitem__(0, {"role": "user", "content": "c"}), ["c", "b"]),
    (lambda h: h.__delitem__(0), ["b"]),
    (lambda h: h.pop(), ["a"]),
    (lambda h: h.remove(h[0]), ["b"]),
    (lambda h: h.clear(), []),
    (lambda h: h[0].__setitem__("content", "c"), ["c", "b"]),
    (lambda h: h[0].update(content="c"), ["c", "b"]),
    (lambda h: h[1].setdefault("tool_responses", TOOL["tool_responses"]), ["a", "single", "b"]),
    (lambda h: h.append(TOOL), ["a", "b", "single"]),
    (lambda h: h.__setitem__(1, TOOL), ["a", "single"]),
]


@requirement("message:history:edited")
@pytest.mark.parametrize("edit,expected", EDITS)
def test_the_model_is_sent_the_edited_history(
    face: Face, edit: Callable[[list[Any]], Any], expected: list[Any]
) -> None:
    agent, other, messages = history("a", "b")
    assert asked(face, agent, other) == ["a", "b"]
    edit(messages)
    assert asked(face, agent, other) == expected


@requirement("message:history:edited")
def test_results_are_sent_as_they_are_now() -> None:
    face = Face("sync")
    agent, other, messages = history("a")
    messages.append(copy.deepcopy(TOOL))
    assert asked(face, agent, other) == ["a", "single"]
    messages[1]["tool_responses"][0]["content"] = "changed"
    assert asked(face, agent, other) == ["a", "changed"]
    del messages[1]["tool_responses"]
    assert asked(face, agent, other) == ["a", "joint"]


@requirement("message:history:edited")
@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.__setitem__("content", "b"),
        lambda m: m.update(content="b"),
        lambda m: m.pop("name"),
        lambda m: m.popitem(),
        lambda m: m.__delitem__("name"),
        lambda m: m.setdefault("extra", 1),
        lambda m: m.clear(),
    ],
)
def test_a_message_is_encoded_once_and_anew_after_a_change(edit: Callable[[Any], Any]) -> None:
    _, _, messages = history("a")
    calls: list[dict[str, Any]] = []

    def encode(message: Any) -> bytes:
        calls.append(dict(message))
        return repr(sorted(message.items())).encode()

    def wire() -> bytes:
        return encoded(messages[0], dialect="d", encode=encode)

    first = wire()
    assert (wire(), len(calls)) == (first, 1)
    assert encoded(copy.copy(messages[0]), dialect="d", encode=encode) == first
    assert len(calls) == 1
    edit(messages[0])
    assert wire() != first
    assert len(calls) == 2
    assert calls[1] == messages[0]


@requirement("message:history:edited")
def test_what_is_inside_a_message_may_change_too() -> None:
    agent, other = plain("agent"), plain("other")
    parts = [{"type": "text", "text": "a"}]
    other.send({"content": parts}, agent, request_reply=False, silent=True)
    message = agent.chat_messages[other][0]
    encode = lambda m: repr(m["content"]).encode()  # noqa: E731
    first = encoded(message, dialect="d", encode=encode)
    message["content"][0]["text"] = "b"
    assert encoded(message, dialect="d", encode=encode) != first


@requirement("message:history:edited")
def test_copies_are_plain() -> None:
    _, _, messages = history("a")
    for made in (copy.deepcopy(messages), pickle.loads(pickle.dumps(messages))):
        assert type(made) is list
        assert made == messages
    assert type(pickle.loads(pickle.dumps(messages[0]))) is dict
    deep = copy.deepcopy(messages[0])
    deep["content"] = "b"
    assert messages[0]["content"] == "a"


@requirement("message:history:yaml")
def test_histories_are_plain_to_yaml_and_json() -> None:
    yaml = pytest.importorskip("yaml")
    a, b = plain("a"), plain("b")
    a.send("hi", b, request_reply=False, silent=True)
    a.send({"content": None, "tool_calls": [{"id": "1"}]}, b, request_reply=False, silent=True)
    kept = b.chat_messages[a]
    for dump in (yaml.safe_dump, yaml.dump):
        assert yaml.safe_load(dump(kept)) == kept
        assert yaml.safe_load(dump(kept[0])) == kept[0]
    assert json.loads(json.dumps(kept)) == kept
