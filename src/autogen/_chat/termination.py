"""When a message ends the chat: the default rules, and how a rule of the user is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from .._kernel.ops import Call
from ..messages import content_str
from .state import current_chat

__all__ = ["DefaultTermination", "is_termination", "is_work"]

_WORD = "TERMINATE"
#: What models put around the word: Markdown emphasis, code marks, quotes, full stops.
_DRESSING = " \t\r\n*_`'\"#>.!,:;()[]{}-~"
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


class DefaultTermination:
    """The rule of an agent that was given none: the message ends with the word TERMINATE.

    `last_line` wants the word alone on the last line that is not empty; `suffix` takes it at the
    end of any line. Markdown marks and punctuation around it do not count.
    """

    __slots__ = ("where",)

    def __init__(self, where: Literal["last_line", "suffix"]):
        self.where = where

    def __call__(self, message: Mapping[str, Any]) -> bool:
        """Whether `message` says that the task is done."""
        content = message.get("content")
        if not content or callable(content):
            return False
        text = content_str(content).rstrip(_DRESSING)
        if not text.endswith(_WORD):
            return False
        if self.where == "suffix":
            return True
        return text.rpartition("\n")[2].strip(_DRESSING) == _WORD


LAST_LINE = DefaultTermination("last_line")
SUFFIX = DefaultTermination("suffix")


async def is_termination(agent: Any, message: Mapping[str, Any]) -> bool:
    """Whether `message` ends the chat for `agent`.

    A rule of the user's is obeyed as it is; it sees a copy whose None content is "". The default
    rule never takes the opening message for an end, nor a message with code or calls that this
    agent would execute: models often send the code and the word together, and the result is still
    due.
    """
    rule: Callable[[dict[str, Any]], bool] = agent._is_termination_msg
    if type(rule) is not DefaultTermination:
        copy = dict(message)
        if copy.get("content") is None:
            copy["content"] = ""
        return bool(await Call(rule, None, (copy,), place="inline"))
    if not rule(message):
        return False
    chat = current_chat()
    if chat is not None and chat.n_messages <= 1:
        return False
    return not is_work(agent, message)


def is_work(agent: Any, message: Mapping[str, Any]) -> bool:
    """Whether `message` holds code or calls that `agent` would execute."""
    content = message.get("content")
    runs_code = agent._code_execution_config is not False
    if runs_code and isinstance(content, str) and len(_FENCE.findall(content)) >= 2:
        return True
    calls = [call.get("function", {}) for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    return any(call.get("name") in agent._function_map for call in calls)
