"""A model that takes a schema is held to naming one candidate; others are asked in words alone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import AssistantAgent, GroupChat, GroupChatManager
from autogen.config.entry import parse_entries
from autogen.testing import LoopbackLLM
from autogen.testing.face import FACES, Face


@requirement("group:auto:schema")
@pytest.mark.parametrize("face", FACES, ids=str)
def test_the_candidates_are_an_enum_where_the_server_takes_a_schema(face: Face) -> None:
    with LoopbackLLM(['{"choice": "cook"}', "Soup.\n\nTERMINATE"]) as server:
        config = server.config()
        config["config_list"][0]["takes_schema"] = True
        group, manager, members = _group(config)
        face.initiate_chat(members[0], manager, message="hungry", silent=True)
        selecting, replying = server.requests
    assert [m["name"] for m in group.messages] == ["guest", "cook"]
    form = selecting.json["response_format"]
    enum = form["json_schema"]["schema"]["properties"]["choice"]["enum"]
    assert (form["type"], enum) == ("json_schema", ["guest", "cook", "waiter"])
    assert "response_format" not in replying.json
    assert "takes_schema" not in replying.json


def test_a_server_nobody_knows_is_asked_in_words_alone() -> None:
    with LoopbackLLM(["cook", "Soup.\n\nTERMINATE"]) as server:
        group, manager, members = _group(server.config())
        members[0].initiate_chat(manager, message="hungry", silent=True)
        assert "response_format" not in server.requests[0].json
    assert [m["name"] for m in group.messages] == ["guest", "cook"]


@requirement("group:auto:schema")
@pytest.mark.parametrize(
    "entry, takes",
    [
        ({"model": "gpt-4o-mini"}, True),
        ({"model": "gpt-5"}, True),
        ({"model": "gpt-4"}, False),
        ({"model": "gpt-3.5-turbo"}, False),
        ({"model": "gpt-4o", "base_url": "http://localhost:1/v1"}, False),
        ({"model": "gpt-4o", "base_url": "http://localhost:1/v1", "takes_schema": True}, True),
        ({"model": "gpt-4o", "takes_schema": False}, False),
        ({"model": "gpt-4o", "api_type": "azure", "azure_endpoint": "https://x.test"}, True),
        ({"model": "gpt-4o", "model_client_cls": "Mine"}, False),
    ],
    ids=str,
)
def test_which_entries_take_a_schema(entry: dict[str, Any], takes: bool) -> None:
    (parsed,) = parse_entries([entry], {})
    assert parsed.takes_schema(entry["model"]) is takes


def _group(config: dict[str, Any]) -> tuple[GroupChat, GroupChatManager, list[AssistantAgent]]:
    members = [AssistantAgent(name, llm_config=config) for name in ("guest", "cook", "waiter")]
    group = GroupChat(agents=members, messages=[], max_round=5)
    return group, GroupChatManager(groupchat=group, llm_config=config), members
