"""`RetrieveAssistantAgent`: deprecated in AutoGen 0.2 already; use `AssistantAgent`."""

from __future__ import annotations

import warnings
from typing import Any

from ...messages import content_str
from ..agent import Agent
from ..assistant_agent import AssistantAgent
from ..conversable_agent import ConversableAgent

__all__ = ["RetrieveAssistantAgent"]


class RetrieveAssistantAgent(AssistantAgent):
    """An assistant that ends the chat where its code ran, and hands UPDATE CONTEXT back unread.

    Deprecated: `AssistantAgent` does all that `RetrieveUserProxyAgent` needs. The arguments are
    those of `AssistantAgent`.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        warnings.warn(
            "RetrieveAssistantAgent is deprecated; use AssistantAgent.",
            DeprecationWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)
        self.register_reply(Agent, RetrieveAssistantAgent._generate_retrieve_assistant_reply)

    def _generate_retrieve_assistant_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: ConversableAgent | None = None,
        config: Any = None,
    ) -> tuple[bool, str | None]:
        if messages is None:
            assert sender is not None, "give messages or sender"
            messages = self.chat_messages[sender]
        text = content_str(messages[-1].get("content") or "")
        if "exitcode: 0 (execution succeeded)" in text:
            return True, "TERMINATE"
        if "UPDATE CONTEXT" in f"{text[:20]}\n{text[-20:]}".upper():
            return True, "UPDATE CONTEXT"
        return False, None
