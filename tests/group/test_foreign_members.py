"""Members of a group that are no agents of ours: whatever has the methods of the protocol."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, plain

from autogen import Agent
from autogen.testing.face import Face


class Duck:
    """An agent that somebody wrote from the protocol alone."""

    def __init__(self, name: str):
        self._name = name
        self.heard: list[Any] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def description(self) -> str:
        return "quacks"

    def send(
        self, message: Any, recipient: Any, request_reply: bool | None = None, silent: bool = False
    ) -> None:
        recipient.receive(message, self, request_reply, silent)

    async def a_send(
        self, message: Any, recipient: Any, request_reply: bool | None = None, silent: bool = False
    ) -> None:
        await recipient.a_receive(message, self, request_reply, silent)

    def receive(
        self, message: Any, sender: Any, request_reply: bool | None = None, silent: bool = False
    ) -> None:
        self.heard.append(message)

    async def a_receive(
        self, message: Any, sender: Any, request_reply: bool | None = None, silent: bool = False
    ) -> None:
        self.heard.append(message)

    def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
        return f"{self.name} heard {len(self.heard)}"

    async def a_generate_reply(
        self, messages: Any = None, sender: Any = None, **kwargs: Any
    ) -> Any:
        return f"{self.name} heard {len(self.heard)}"


@requirement("agent:protocol:group")
@pytest.mark.parametrize("method", ["round_robin", "random"])
def test_whatever_has_the_methods_takes_part(face: Face, method: str) -> None:
    duck = Duck("duck")
    assert isinstance(duck, Agent)
    user = plain("user", default_auto_reply="go on")
    group, manager = group_of(
        user, duck, max_round=4, speaker_selection_method=method, allow_repeat_speaker=False
    )
    result = face.initiate_chat(user, manager, message="hi", silent=True)
    said = [("user", "hi"), ("duck", "duck heard 1"), ("user", "go on"), ("duck", "duck heard 2")]
    assert [(m["name"], m["content"]) for m in group.messages] == said
    assert [(m["name"], m["content"]) for m in result.chat_history] == said
    assert [m["content"] for m in duck.heard] == ["hi", "go on"]
    assert result.stop_reason == "max_round"
