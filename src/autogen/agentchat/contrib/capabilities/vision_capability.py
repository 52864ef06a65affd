"""`VisionCapability`: pictures in words, for agents whose model does not see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ...._chat.model import completed_text
from ...._kernel.faces import faces
from ...._kernel.ops import Call
from ....errors import UsageError
from ....messages import content_str
from ....oai.client import OpenAIWrapper
from ..img_utils import (
    get_pil_image,
    gpt4v_formatter,
    picture_uri,
    pil_to_data_uri,
)
from .agent_capability import AgentCapability

__all__ = ["DEFAULT_DESCRIPTION_PROMPT", "VisionCapability"]

DEFAULT_DESCRIPTION_PROMPT = (
    "Describe this picture for somebody who can't see it: what it shows, texts and numbers in it "
    "word for word, and anything else that may matter to a question about it."
)
_TOLD = "\nPictures in the messages you get come with a description in words."

logger = logging.getLogger("autogen")


class UnreadablePicture(UsageError):
    """A tag names something that is no picture, or can't be read."""


class VisionCapability(AgentCapability):
    """Have an agent told in words what the pictures in its newest message show.

    A picture with a URL is not fetched: the describing model gets the URL.

    Args:
        lmm_config: The `llm_config` of a model that sees. Its calls count in the chat.
        description_prompt: What it is asked.
        custom_caption_func: Describes instead of the model: a function of (location, picture,
            client). The picture is a Pillow image, or None for a URL; the client is that of
            `lmm_config`, or None.

    Raises:
        UsageError: Neither a model nor a function was given.
    """

    def __init__(
        self,
        lmm_config: dict[str, Any] | None,
        description_prompt: str | None = DEFAULT_DESCRIPTION_PROMPT,
        custom_caption_func: Callable[[str, Any, Any], str] | None = None,
    ):
        if not lmm_config and custom_caption_func is None:
            raise UsageError(
                "VisionCapability needs a model that sees (lmm_config) or a custom_caption_func."
            )
        self._lmm_config = lmm_config
        self._description_prompt = description_prompt or DEFAULT_DESCRIPTION_PROMPT
        self._custom_caption_func = custom_caption_func
        self._lmm_client = OpenAIWrapper(**lmm_config) if lmm_config else None
        self._parent_agent: Any = None

    def add_to_agent(self, agent: Any) -> None:
        """Describe pictures to `agent`, from its next reply on."""
        self._parent_agent = agent
        if isinstance(agent.system_message, str):
            agent.update_system_message(agent.system_message + _TOLD)
        agent.register_hook(
            hookable_method="process_last_received_message",
            hook=self.process_last_received_message,
        )

    async def _process_last_received_message(
        self, content: str | list[dict[str, Any]]
    ) -> str | list[dict[str, Any]]:
        """`content` as text, a description after each picture; as it is where it has none."""
        parts = gpt4v_formatter(content, "url") if isinstance(content, str) else content
        if not any(part.get("type") == "image_url" for part in parts):
            return content
        text = ""
        for part in parts:
            if part.get("type") != "image_url":
                text += content_str([part])
                continue
            location = part["image_url"]["url"]
            named = location if isinstance(location, str) and len(location) < 500 else "picture"
            try:
                caption = await self._caption(location)
            except UnreadablePicture as error:
                logger.warning("A picture in a message stays text: %s", error)
                text += f"<img {named}>"
            else:
                text += f"<img {named}> (what this picture shows: {caption})\n"
        return text

    _process_last_received_message, process_last_received_message, _ = faces(
        _process_last_received_message
    )

    async def _caption(self, location: Any) -> str:
        if self._custom_caption_func is not None:
            is_url = isinstance(location, str) and location.lower().startswith(("http:", "https:"))
            picture = None if is_url else await _read(get_pil_image, location)
            said: str = await Call(
                self._custom_caption_func, None, (location, picture, self._lmm_client)
            )
            return said
        uri = await _read(picture_uri if isinstance(location, str) else pil_to_data_uri, location)
        content = [
            {"type": "text", "text": self._description_prompt},
            {"type": "image_url", "image_url": {"url": uri}},
        ]
        answer = await completed_text(
            self._lmm_client,
            messages=[{"role": "user", "content": content}],
            agent=self._parent_agent,
        )
        return answer if isinstance(answer, str) else content_str((answer or {}).get("content"))


async def _read(function: Callable[[Any], Any], location: Any) -> Any:
    try:
        return await Call(function, None, (location,))
    except UsageError as error:
        raise UnreadablePicture(str(error)) from error
