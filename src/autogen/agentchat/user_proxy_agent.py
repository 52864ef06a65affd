"""`UserProxyAgent`: the side that acts, and speaks for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from .._chat.termination import SUFFIX, DefaultTermination
from .conversable_agent import ConversableAgent

__all__ = ["UserProxyAgent"]


class UserProxyAgent(ConversableAgent):
    """An agent that stands in for a person: it asks them, runs code, and calls functions.

    By default it asks the person at every message, runs the code blocks it is sent where they
    answer nothing, in a sandbox, and uses no model. A message that ends with the word TERMINATE
    ends the chat. The arguments are those of `ConversableAgent`.
    """

    DEFAULT_USER_PROXY_AGENT_DESCRIPTIONS: ClassVar[dict[str, str]] = {
        "ALWAYS": "A person who takes part in the conversation and can be asked anything.",
        "TERMINATE": (
            "A person who steps in when a task seems to be done or needs a decision; until then it "
            "runs the Python and shell code blocks it is sent and reports what they printed."
        ),
        "NEVER": (
            "A computer terminal: it runs Python and shell code blocks, reports what they printed, "
            "and does nothing else."
        ),
    }

    _default_termination: ClassVar[DefaultTermination] = SUFFIX

    def __init__(
        self,
        name: str,
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: Literal["ALWAYS", "TERMINATE", "NEVER"] = "ALWAYS",
        function_map: dict[str, Callable[..., Any]] | None = None,
        code_execution_config: dict[str, Any] | Literal[False] | None = {},  # noqa: B006
        default_auto_reply: str | dict[str, Any] | None = "",
        llm_config: dict[str, Any] | Literal[False] | None = False,
        system_message: str | list[Any] | None = "",
        description: str | None = None,
        **kwargs: Any,
    ):
        if description is None:
            description = self.DEFAULT_USER_PROXY_AGENT_DESCRIPTIONS.get(human_input_mode)
        super().__init__(
            name=name,
            system_message=system_message,
            is_termination_msg=is_termination_msg,
            max_consecutive_auto_reply=max_consecutive_auto_reply,
            human_input_mode=human_input_mode,
            function_map=function_map,
            code_execution_config=code_execution_config,
            llm_config=llm_config,
            default_auto_reply=default_auto_reply,
            description=description,
            **kwargs,
        )
