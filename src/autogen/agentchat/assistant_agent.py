"""`AssistantAgent`: the side that thinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from .conversable_agent import ConversableAgent

__all__ = ["AssistantAgent"]


class AssistantAgent(ConversableAgent):
    """An agent that works through a model: it asks no person and runs no code.

    Its default system message has it write code for the other side to run, look at what came of it,
    repair it, and say TERMINATE when everything is done. The arguments are those of
    `ConversableAgent`.
    """

    DEFAULT_SYSTEM_MESSAGE: ClassVar[str] = """\
You are an assistant that solves tasks with words and with code. The user's side runs your code
and sends you back what it printed; the user can't change it or fill anything in.

Write code whenever it helps: to look something up, to compute, to test, to produce a file. Use
Python in a ```python block, or shell commands in a ```sh block. Follow these rules:
- Every block is complete and runs as it is: no placeholders, nothing left out, nothing to edit.
- One code block per answer. If it needs another package, install it in that block.
- To keep code in a file, make `# filename: <name>` the first line of the block.
- Print what you need to know; you see nothing but the output.
- Read the output. If the run failed, find out why and send the whole corrected code, not a patch.
  If it ran but the result is wrong, question your assumptions and try another way.
- Where no code is needed, answer in plain words, step by step where that helps.

Check the result against the task before you call it done, and say what supports it. When
everything is done and no code of yours is waiting to be run, end your answer with the word
TERMINATE on a line of its own.
"""

    DEFAULT_DESCRIPTION: ClassVar[str] = (
        "A capable assistant that solves tasks with language and by writing Python and shell code. "
        "It does not run code itself."
    )

    def __init__(
        self,
        name: str,
        system_message: str | None = DEFAULT_SYSTEM_MESSAGE,
        llm_config: dict[str, Any] | Literal[False] | None = None,
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: Literal["ALWAYS", "NEVER", "TERMINATE"] = "NEVER",
        description: str | None = None,
        **kwargs: Any,
    ):
        if description is None and system_message == self.DEFAULT_SYSTEM_MESSAGE:
            description = self.DEFAULT_DESCRIPTION
        super().__init__(
            name,
            system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            human_input_mode,
            llm_config=llm_config,
            description=description,
            **kwargs,
        )
