"""Programs of a user's own with a durable chat, that are killed after a while and run again."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.crash.audit import mark
from tests.crash.teams import chats

from autogen import RunOptions
from autogen.errors import AutogenError
from autogen.human.stream import IOStream

__all__ = ["main"]


class Answering(IOStream):
    """A terminal at which somebody says the same each time."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Nobody looks."""

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        return "I say so"


def main(order: dict[str, Any]) -> None:
    """Run the chat that `order` describes."""
    IOStream.set_global_default(Answering())
    chat = chats.founding() if order["form"] == "founding" else chats.crash(use_async=False)
    if order["form"] == "async":
        chat = chats.crash()
    sender = chat.pop("sender")
    options = RunOptions(durable=True, id=order["id"], database=order["url"])
    asked = {**chat, "message": order["message"], "silent": True, "run": options}
    try:
        if order["form"] == "async":
            result = asyncio.run(sender.a_initiate_chat(**asked))
        else:
            result = sender.initiate_chat(**asked)
    except AutogenError as error:
        mark("error", kind=type(error).__name__, text=str(error), case=order["id"])
        raise
    mark("result", case=order["id"], history=result.chat_history, summary=result.summary)
