"""What an agent is to others: anything with these members may take part in a chat."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

__all__ = ["Agent", "LLMAgent"]


@runtime_checkable
class Agent(Protocol):
    """Something that sends, receives and replies."""

    @property
    def name(self) -> str:
        """Its name in chats."""
        ...

    @property
    def description(self) -> str:
        """What others read to decide whether to turn to it."""
        ...

    def send(
        self,
        message: dict[str, Any] | str,
        recipient: Agent,
        request_reply: bool | None = None,
    ) -> None:
        """Say something to another agent."""
        ...

    async def a_send(
        self,
        message: dict[str, Any] | str,
        recipient: Agent,
        request_reply: bool | None = None,
    ) -> None:
        """`send`, async."""
        ...

    def receive(
        self,
        message: dict[str, Any] | str,
        sender: Agent,
        request_reply: bool | None = None,
    ) -> None:
        """Hear something from another agent."""
        ...

    async def a_receive(
        self,
        message: dict[str, Any] | str,
        sender: Agent,
        request_reply: bool | None = None,
    ) -> None:
        """`receive`, async."""
        ...

    def generate_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        **kwargs: Any,
    ) -> str | dict[str, Any] | None:
        """What it answers; None to stay silent."""
        ...

    async def a_generate_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        **kwargs: Any,
    ) -> str | dict[str, Any] | None:
        """`generate_reply`, async."""
        ...


@runtime_checkable
class LLMAgent(Agent, Protocol):
    """An agent with a system message."""

    @property
    def system_message(self) -> str:
        """What its model is told first."""
        ...

    def update_system_message(self, system_message: str) -> None:
        """Tell the model something else first."""
        ...
