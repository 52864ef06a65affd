"""Transforms, seen from what a model is asked in a chat, on all faces."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.agentchat.contrib.capabilities.transform_messages import TransformMessages
from autogen.agentchat.contrib.capabilities.transforms import (
    MessageHistoryLimiter,
    MessageTokenLimiter,
    TextMessageCompressor,
    TextMessageContentName,
)
from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent
from autogen.testing import ScriptedModel
from autogen.testing.face import Face

LONG = "one two three four five six"


def seen(face: Face, transforms: list[Any], said: list[Any], *, verbose: bool = False) -> list[Any]:
    """What the model is asked after all of `said`, the system message included."""
    model = ScriptedModel(["fine"])
    agent = ConversableAgent(
        "agent", system_message=LONG, llm_config=model.config(), human_input_mode="NEVER"
    )
    TransformMessages(transforms=transforms, verbose=verbose).add_to_agent(agent)
    user = ConversableAgent("user", human_input_mode="NEVER", default_auto_reply=None)
    for content in said[:-1]:
        face.send(user, {"content": content}, agent, request_reply=False, silent=True)
    result = face.initiate_chat(
        user,
        agent,
        message={"content": said[-1]},
        clear_history=False,
        max_turns=1,
        silent=True,
    )
    # Whatever the model was shown, the history stays as it was said.
    assert [m["content"] for m in result.chat_history] == [*said, "fine"]
    return [m["content"] for m in model.requests[0]["messages"]]


class Shouting:
    """Changes what it is given, which must be a copy."""

    def apply_transform(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for message in messages:
            message["content"] = message["content"].upper()
        return messages

    def get_logs(self, before: Any, after: Any) -> tuple[str, bool]:
        return f"made {len(after)} loud", before != after


class Halving:
    def compress_text(self, text: str, **_: Any) -> dict[str, Any]:
        half = text[: len(text) // 2]
        return {"compressed_prompt": half, "origin_tokens": 2, "compressed_tokens": 1}


PARTS = [
    {"type": "text", "text": LONG},
    {"type": "image_url", "image_url": {"url": "http://picture.test/a.png"}},
]


@requirement("transform:system", "transform:history")
@pytest.mark.parametrize(
    "keep_first, expected", [(False, ["two", "three"]), (True, ["one", "three"])]
)
def test_a_history_limiter_shows_the_newest(
    face: Face, keep_first: bool, expected: list[str]
) -> None:
    limiter = MessageHistoryLimiter(max_messages=2, keep_first_message=keep_first)
    assert seen(face, [limiter], ["one", "two", "three"]) == [LONG, *expected]


@requirement("transform:copy", "transform:verbose")
@pytest.mark.parametrize("verbose", [True, False])
def test_a_transform_works_on_a_copy_and_tells_what_it_did(
    face: Face, verbose: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seen(face, [Shouting()], ["a", "b"], verbose=verbose) == [LONG, "A", "B"]
    assert ("made 2 loud" in capsys.readouterr().out) is verbose


@requirement("transform:tokens", "transform:tokens:parts")
def test_a_token_limiter_cuts_the_texts_of_each_message(face: Face) -> None:
    limiter = MessageTokenLimiter(max_tokens_per_message=3)
    system, text, parts = seen(face, [limiter], [LONG, PARTS])
    assert system == LONG
    assert LONG.startswith(text) and len(text) < len(LONG)
    assert parts == [{"type": "text", "text": text}, PARTS[1]]


@requirement("transform:tokens:min")
def test_below_its_minimum_a_token_limiter_cuts_nothing(face: Face) -> None:
    limiter = MessageTokenLimiter(max_tokens_per_message=1, max_tokens=1000, min_tokens=900)
    assert seen(face, [limiter], [LONG, "b"]) == [LONG, LONG, "b"]


@requirement("transform:tokens:filter", "transform:tokens:protected")
def test_messages_that_a_filter_protects_stay_whole(face: Face) -> None:
    limiter = MessageTokenLimiter(
        max_tokens_per_message=2, max_tokens=4, filter_dict={"name": ["user"]}
    )
    assert seen(face, [limiter], [LONG, LONG]) == [LONG, LONG, LONG]


@requirement("transform:compress")
def test_a_compressor_of_ones_own_shortens_texts(face: Face) -> None:
    compressor = TextMessageCompressor(text_compressor=Halving())
    assert seen(face, [compressor], ["abcdef", "gh"]) == [LONG, "abc", "g"]


@requirement("transform:name")
@pytest.mark.parametrize(
    "position, format_string, expected",
    [("start", "{name}: ", "user: hi"), ("end", " ({name})", "hi (user)")],
)
def test_names_stand_in_the_content(
    face: Face, position: str, format_string: str, expected: str
) -> None:
    namer = TextMessageContentName(position=position, format_string=format_string)
    # Twice is once.
    assert seen(face, [namer, namer], ["hi"]) == [LONG, expected]


@requirement("pictures:missing", "pictures:url")
def test_a_tag_without_a_picture_stays_text_and_a_url_is_never_fetched(face: Face) -> None:
    model = ScriptedModel(["I see"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config(), human_input_mode="NEVER")
    user = ConversableAgent("user", human_input_mode="NEVER", default_auto_reply=None)
    text = "see <img /nowhere/at-all.png> and <img http://picture.test/a.png>"
    face.initiate_chat(user, agent, message=text, max_turns=1, silent=True)
    parts = model.requests[0]["messages"][-1]["content"]
    texts = "".join(part["text"] for part in parts if part["type"] == "text")
    assert "<img /nowhere/at-all.png>" in texts
    pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert pictures == ["http://picture.test/a.png"]
