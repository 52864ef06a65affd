"""What is no agent, or no group, is refused where it is given."""

from __future__ import annotations

from typing import Any

import pytest

from autogen import AssistantAgent, GroupChat, GroupChatManager
from autogen.errors import UsageTypeError


@pytest.mark.parametrize(
    "agents", [["x"], [None], "ab", None, iter(())], ids=["text", "none", "str", "nothing", "iter"]
)
def test_a_group_of_something_else_than_agents_is_refused(agents: Any) -> None:
    with pytest.raises(UsageTypeError, match="agent"):
        GroupChat(agents=agents)


@pytest.mark.parametrize("group", [None, [], AssistantAgent("a")], ids=["none", "list", "agent"])
def test_a_manager_without_a_group_is_refused(group: Any) -> None:
    with pytest.raises(UsageTypeError, match="GroupChat"):
        GroupChatManager(groupchat=group)
