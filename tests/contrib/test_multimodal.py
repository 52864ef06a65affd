"""Agents that see pictures, and agents that are told what pictures show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.contrib.pictures import PNG, URI, locations

from autogen import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from autogen.agentchat.contrib.capabilities.vision_capability import VisionCapability
from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent
from autogen.errors import UsageError
from autogen.testing import ScriptedModel

REMOTE = "https://pictures.invalid/cat.png"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "dot.png"
    path.write_bytes(PNG)
    return str(path)


def user(**options: Any) -> UserProxyAgent:
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, **options)


@requirement("pictures:seen")
def test_the_model_sees_pictures_of_files_and_urls(face, picture):
    model = ScriptedModel(["two pictures"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config())
    text = f"Compare <img {picture}> and <img {REMOTE}>."
    result = face.initiate_chat(user(), agent, message=text, max_turns=1, silent=True)
    seen = model.requests[0]["messages"][-1]["content"]
    assert locations(seen) == [URI, REMOTE]
    assert [p["text"] for p in seen if p["type"] == "text"] == ["Compare ", " and ", "."]
    assert [m["content"] for m in result.chat_history] == [text, "two pictures"]


def test_a_picture_is_read_when_its_message_arrives(face, picture):
    model = ScriptedModel(["one", "two"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config())

    def answer(message: dict[str, Any]) -> bool:
        Path(picture).unlink(missing_ok=True)
        return False

    partner = user(default_auto_reply="go on", is_termination_msg=answer)
    face.initiate_chat(partner, agent, message=f"<img {picture}>", max_turns=2, silent=True)
    assert locations(model.requests[1]["messages"][1]["content"]) == [URI]


def test_messages_given_directly_are_shown_too(face, picture):
    model = ScriptedModel(["a dot"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config())
    messages = [{"role": "user", "content": f"<img {picture}>"}]
    assert face.generate_reply(agent, messages) == "a dot"
    assert locations(model.requests[0]["messages"][-1]["content"]) == [URI]
    assert messages == [{"role": "user", "content": f"<img {picture}>"}]


def test_pillow_images_in_content_are_shown(face):
    pillow = pytest.importorskip("PIL.Image")
    model = ScriptedModel(["red"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config())
    part = {"type": "image_url", "image_url": {"url": pillow.new("RGB", (1, 1), "red")}}
    message = {"content": [{"type": "text", "text": "which colour?"}, part]}
    face.initiate_chat(user(), agent, message=message, max_turns=1, silent=True)
    seen = locations(model.requests[0]["messages"][-1]["content"])
    assert seen[0].startswith("data:image/png;base64,")


def test_what_the_agent_itself_says_stays_text(face, picture):
    model = ScriptedModel([f"look at <img {picture}>", "done"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config())
    face.initiate_chat(
        user(default_auto_reply="and <img missing.png>"),
        agent,
        message="hi",
        max_turns=2,
        silent=True,
    )
    contents = [m["content"] for m in model.requests[1]["messages"][1:]]
    assert contents == ["hi", f"look at <img {picture}>", "and <img missing.png>"]


def test_a_member_of_a_group_sees_what_others_only_read(face, picture):
    seeing, reading = ScriptedModel(["a dot"]), ScriptedModel(["I see text"])
    members = [
        AssistantAgent("reader", llm_config=reading.config()),
        MultimodalConversableAgent("seer", llm_config=seeing.config()),
    ]
    group = GroupChat(members, max_round=3, speaker_selection_method="round_robin")
    manager = GroupChatManager(group)
    face.initiate_chat(user(), manager, message=f"see <img {picture}>", silent=True)
    assert locations(seeing.requests[0]["messages"][1]["content"]) == [URI]
    assert reading.requests[0]["messages"][1]["content"] == f"see <img {picture}>"


def test_a_picture_is_printed_as_such(capsys, picture):
    model = ScriptedModel(["a dot"])
    agent = MultimodalConversableAgent("agent", llm_config=model.config())
    user().initiate_chat(agent, message=f"see <img {picture}>", max_turns=1)
    printed = capsys.readouterr().out
    assert "see <image>" in printed
    assert "base64" not in printed


# -- VisionCapability ------------------------------------------------------------------------------


@requirement("vision:model", "vision:cost")
def test_a_model_describes_pictures_and_its_cost_counts(face, picture):
    seeing, model = ScriptedModel(["a red dot", "a cat"]), ScriptedModel(["thanks"])
    agent = AssistantAgent("agent", "Be brief.", llm_config=model.config())
    VisionCapability(seeing.config()).add_to_agent(agent)
    text = f"see <img {picture}> and <img {REMOTE}>"
    partner = user()
    result = face.initiate_chat(partner, agent, message=text, max_turns=1, silent=True)
    told = model.requests[0]["messages"][-1]["content"]
    assert "(what this picture shows: a red dot)" in told
    assert f"<img {REMOTE}> (what this picture shows: a cat)" in told
    assert [locations(r["messages"][0]["content"]) for r in seeing.requests] == [[URI], [REMOTE]]
    usage = result.cost["usage_including_cached_inference"]["scripted"]
    assert usage["completion_tokens"] == 6
    assert agent.chat_messages[partner][0]["content"] == text
    assert agent.system_message.startswith("Be brief.\n")


@requirement("vision:function")
def test_a_function_describes_pictures(face, picture):
    seen = []

    def caption(location: str, shown: Any, client: Any) -> str:
        seen.append((location, None if shown is None else shown.size, client))
        return "something"

    pytest.importorskip("PIL")
    model = ScriptedModel(["thanks"])
    agent = AssistantAgent("agent", llm_config=model.config())
    VisionCapability(None, custom_caption_func=caption).add_to_agent(agent)
    text = f"<img {picture}><img {REMOTE}>"
    face.initiate_chat(user(), agent, message=text, max_turns=1, silent=True)
    assert seen == [(picture, (1, 1), None), (REMOTE, None, None)]


def test_what_is_no_picture_stays_text(face):
    model = ScriptedModel(["fine", "fine"])
    agent = AssistantAgent("agent", llm_config=model.config())
    VisionCapability(ScriptedModel([]).config()).add_to_agent(agent)
    partner = user(default_auto_reply="plain words")
    face.initiate_chat(partner, agent, message="<img nowhere.png>", max_turns=2, silent=True)
    told = [r["messages"][-1]["content"] for r in model.requests]
    assert told == ["<img nowhere.png>", "plain words"]


def test_vision_needs_something_that_sees():
    with pytest.raises(UsageError, match="lmm_config"):
        VisionCapability({})
