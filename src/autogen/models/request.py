"""What a call asks for becomes what goes out: templates filled in, options sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from .base import ModelRequest
from .hiding import should_hide_tools

__all__ = ["fill_in", "instantiate", "one_of", "request_of"]


def instantiate(
    template: Any, context: Mapping[str, Any] | None, allow_format_str_template: bool = False
) -> Any:
    """A template filled in.

    A function is called with `context`, a format string formatted if that is allowed. Anything
    else, and everything where there is no context, is given back as it is.
    """
    if not context or template is None:
        return template
    if isinstance(template, str):
        return _formatted(template, context) if allow_format_str_template else template
    return template(context) if callable(template) else template


def _formatted(template: str, context: Mapping[str, Any]) -> str:
    try:
        return template.format(**context)
    except (KeyError, IndexError, ValueError) as error:
        error.add_note(
            f"The template {template[:200]!r} could not be filled in; the context has "
            f"{sorted(context)}, and braces that stand for themselves are doubled."
        )
        raise


def fill_in(params: dict[str, Any], context: Mapping[str, Any], allow: bool) -> None:
    """Fill in the templates of the prompt or the messages; format strings only if `allow`."""
    if params.get("prompt") is not None:
        params["prompt"] = instantiate(params["prompt"], context, allow)
        return
    filled = []
    for message in params["messages"]:
        content = message.get("content")
        text = instantiate(content, context, allow) if content else content
        # A message that is as it was keeps the encoding it may carry.
        filled.append(message if text is content else {**message, "content": text})
    params["messages"] = filled


def request_of(params: dict[str, Any]) -> ModelRequest:
    """The request of an endpoint. `params` is used up."""
    messages, prompt = params.pop("messages", None), params.pop("prompt", None)
    if messages is None:
        if not isinstance(prompt, str):
            raise UsageError(
                f"prompt is a {type(prompt).__name__}; a chat model takes one text, "
                "or use 'messages'."
            )
        messages = [{"role": "user", "content": prompt}]
    stream = bool(params.pop("stream", False))
    hide_tools = params.pop("hide_tools", None)
    if hide_tools is not None and should_hide_tools(messages, params.get("tools"), hide_tools):
        del params["tools"]
    # None means "not set", and a service refuses an empty list of tools.
    options = {
        k: v for k, v in params.items() if v is not None and (v or k not in ("tools", "functions"))
    }
    return ModelRequest(messages=messages, options=options, stream=stream)


def one_of(choices: Sequence[str]) -> dict[str, Any]:
    """The `response_format` of an answer that names one of `choices`."""
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(choices)}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "choice", "schema": schema, "strict": True},
    }
