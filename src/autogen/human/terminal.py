"""How events look in a terminal: the sink that prints to the current `IOStream`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..events import Event
from ..messages import content_str
from .stream import IOStream

__all__ = ["colored", "is_terminal", "show"]

_RULE = "-" * 80
_COLORS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}


def colored(text: str, color: str | None = None, *, bold: bool = False) -> str:
    """`text` in a colour where the output is a terminal that wants colours, else as it is.

    Source: https://no-color.org for NO_COLOR.
    """
    if os.environ.get("NO_COLOR") or not is_terminal(sys.stdout):
        return text
    codes = [str(_COLORS[color])] if color in _COLORS else []
    if bold:
        codes.append("1")
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def is_terminal(stream: Any) -> bool:
    """Whether it is one. A service has None for a stdout, others an object that only writes."""
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())


def show(event: Event) -> None:
    """Print what a person at a terminal wants to see of `event`."""
    printer = _PRINTERS.get(event.type)
    if printer is not None:
        printer(event.data, _say)


_Say = Callable[..., None]


def _say(*objects: Any, **options: Any) -> None:
    IOStream.get_default().print(*objects, flush=True, **options)


def _message_sent(data: Mapping[str, Any], say: _Say) -> None:
    if data.get("is_printed"):
        return
    say(f"{colored(data['sender'], 'yellow')} (to {data['recipient']}):\n")
    show_message(data["message"], data["sender"], say)
    say("\n" + _RULE)


def show_message(message: Mapping[str, Any], sender: str, say: _Say = _say) -> None:
    """Print the body of a message: its text, the calls it asks for, the results it brings."""
    responses = message.get("tool_responses")
    if responses:
        is_all = message.get("role") == "tool"
        for number, response in enumerate(responses, 1):
            show_message(response, sender, say)
            # Whoever prints the whole message closes it.
            if not is_all or number < len(responses):
                say("\n" + _RULE)
        if is_all:
            return
    if message.get("role") in ("function", "tool"):
        what = "function" if message["role"] == "function" else "tool"
        which = message.get("name") or message.get("tool_call_id") or "no id"
        _framed(say, f"Response from calling {what} ({which})", message.get("content"))
        return
    content = message.get("content")
    if content is not None and not callable(content):
        say(content_str(content))
    call = message.get("function_call")
    if call:
        _framed(say, f"Suggested function call: {call.get('name', '(no name)')}", _arguments(call))
    for tool_call in message.get("tool_calls") or ():
        function = tool_call.get("function", {})
        name, which = function.get("name", "(no name)"), tool_call.get("id", "no id")
        title = f"Suggested tool call ({which}): {name}"
        _framed(say, title, _arguments(function))


def _arguments(call: Mapping[str, Any]) -> str:
    return f"Arguments: \n{call.get('arguments', '(none)')}"


def _framed(say: _Say, title: str, body: Any) -> None:
    line = f"***** {title} *****"
    say(colored(line, "green"))
    say(body if body is not None else "")
    say(colored("*" * len(line), "green"))


def _tool_called(data: Mapping[str, Any], say: _Say) -> None:
    which = f" (call {data['id']})" if data.get("id") else ""
    say(colored(f"\n>>>>>>>> Calling {data['name']}{which} ...", "magenta"))


def _code_started(data: Mapping[str, Any], say: _Say) -> None:
    languages = ", ".join(data["languages"]) or "unknown"
    n_blocks = data["n_blocks"]
    blocks = "1 code block" if n_blocks == 1 else f"{n_blocks} code blocks"
    say(colored(f"\n>>>>>>>> Running {blocks} ({languages}) ...", "red"))


def _token(data: Mapping[str, Any], say: _Say) -> None:
    text = data.get("text")
    if text:
        say(colored(text, "green"), end="")
    if data.get("is_last"):
        say("\n")


def _progress(data: Mapping[str, Any], say: _Say) -> None:
    say(colored(data["text"], "cyan"))


def _question_answered(data: Mapping[str, Any], say: _Say) -> None:
    if not data["answer"]:
        then = "the chat ends" if data.get("is_end") else "the agent replies by itself"
        say(colored(f"\n>>>>>>>> No human input was given; {then}.", "red"))


def _notice(data: Mapping[str, Any], say: _Say) -> None:
    say(colored(f"\n>>>>>>>> {data['text']}", "red"))


_PRINTERS: dict[str, Callable[[Mapping[str, Any], _Say], None]] = {
    "budget.spent": _notice,
    "guard.tripped": _notice,
    "message.sent": _message_sent,
    "tool.called": _tool_called,
    "code.started": _code_started,
    "model.token": _token,
    "progress": _progress,
    "question.answered": _question_answered,
    "speaker.selected": lambda data, say: say(
        colored(f"\nNext speaker: {data['name']}\n", "green")
    ),
}
