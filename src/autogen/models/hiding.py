"""When a model is no longer shown its tools: the option `hide_tools` of a config entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageTypeError

__all__ = ["should_hide_tools"]


def should_hide_tools(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None,
    hide_tools_param: str,
) -> bool:
    """Whether the conversation is past the need for tools.

    Args:
        messages: As they go to the model; a message with `tool_call_id` is the answer of a tool.
        tools: OpenAI schemas.
        hide_tools_param: "never"; "if_any_run" (one tool answered) or "if_all_run" (each did).

    Raises:
        TypeError: Another `hide_tools_param`.
    """
    if hide_tools_param not in ("never", "if_any_run", "if_all_run"):
        raise UsageTypeError(
            f"hide_tools is {hide_tools_param!r}; use 'never', 'if_any_run' or 'if_all_run'."
        )
    if hide_tools_param == "never" or not tools:
        return False
    answered = {m["tool_call_id"] for m in messages if m.get("tool_call_id")}
    if hide_tools_param == "if_any_run":
        return bool(answered)
    ran = {
        call["function"]["name"]
        for m in messages
        for call in m.get("tool_calls") or ()
        if call.get("id") in answered
    }
    return all(tool["function"]["name"] in ran for tool in tools)
