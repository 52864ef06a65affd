"""`MultimodalConversableAgent`: an agent whose model sees the pictures that messages name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._kernel.faces import faces
from ..._kernel.ops import Call
from ...messages import Message, message_dict
from ..agent import Agent
from ..conversable_agent import ConversableAgent
from .img_utils import gpt4v_formatter, message_formatter_pil_to_b64

__all__ = ["DEFAULT_LMM_SYS_MSG", "MultimodalConversableAgent"]

DEFAULT_LMM_SYS_MSG = "You are a helpful assistant that can see pictures."


class MultimodalConversableAgent(ConversableAgent):
    """An agent for models that see: `<img ...>` in a message it hears becomes a picture.

    The tag names a file, `<img chart.png>`, whose picture is read when the message arrives, or a
    URL or data URI, which goes to the model as it is. A tag whose file can't be read as a picture
    stays text.

    Whoever writes the messages chooses the files: let only partners you trust talk to an agent that
    can read pictures of yours.

    Args:
        name: Identity in chats.
        system_message: What its model is told first.
        is_termination_msg: As for every agent.
        *args: The other arguments of `ConversableAgent`, in order.
        **kwargs: The same, by name.
    """

    def __init__(
        self,
        name: str,
        system_message: str | list[Any] | None = DEFAULT_LMM_SYS_MSG,
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        *args: Any,
        **kwargs: Any,
    ):
        super().__init__(name, system_message, is_termination_msg, *args, **kwargs)

    def _append_oai_message(
        self, message: Any, role: str, conversation_id: Any, is_sending: bool
    ) -> bool:
        if not is_sending:
            message = _seen(message_dict(message))
        return super()._append_oai_message(message, role, conversation_id, is_sending)

    async def _generate_oai_reply(
        self,
        messages: list[dict[str, Any]] | None = None,
        sender: Agent | None = None,
        config: Any = None,
    ) -> tuple[bool, Any]:
        """Ask the model, if there is one, and show it the pictures."""
        if messages is None:
            messages = self._oai_messages[sender]
        shown = await Call(_all_seen, None, (messages,))
        return await ConversableAgent._generate_oai_reply(self, shown, sender, config)

    _generate_oai_reply, generate_oai_reply, a_generate_oai_reply = faces(_generate_oai_reply)


def _all_seen(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [_seen(message) for message in messages]
    is_same = all(a is b for a, b in zip(made, messages, strict=True))
    return messages if is_same else made


def _seen(message: dict[str, Any]) -> dict[str, Any]:
    """`message` with pictures in place of tags; itself where there are none.

    What the agent said and what tools gave stays text: models take pictures from users only.
    """
    content = message.get("content")
    if message.get("role") in ("assistant", "tool", "function", "system"):
        return message
    if isinstance(content, str) and "<img" in content.lower():
        parts = gpt4v_formatter(content)
        if any(part["type"] == "image_url" for part in parts):
            return Message({**message, "content": parts})
    elif isinstance(content, list):
        parts = message_formatter_pil_to_b64([message])[0]["content"]
        if any(a is not b for a, b in zip(parts, content, strict=True)):
            return Message({**message, "content": parts})
    return message
