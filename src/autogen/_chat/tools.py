"""The built-ins that carry out calls of functions. A call that fails is an answer, no error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._kernel.faces import point
from .._kernel.ops import Call, Core, Gather, Place
from .._kernel.record import step
from ..errors import LimitError
from ..limits.base import Amounts
from ..limits.spending import Fixed, book_again, budgets_here, check_fits, spend, used
from ..tools.arguments import BadArguments, WrongArguments, parsed_arguments
from ..tools.schema import is_async
from ..usage import Usage
from .state import current_chat
from .steps import TOOL, ToolAnswer
from .wiring import event, is_watched

__all__ = ["execute_function", "generate_function_call_reply", "generate_tool_calls_reply"]


async def generate_function_call_reply(
    agent: Any, messages: list[dict[str, Any]] | None, sender: Any, config: Any
) -> tuple[bool, Any]:
    """Carry out the function call of the last message, the older form of tool calls."""
    messages = agent.chat_messages[sender] if messages is None else messages
    call = messages[-1].get("function_call") if messages else None
    if not call:
        return False, None
    _, answer = await point(agent, "execute_function")(call)
    return True, answer


async def generate_tool_calls_reply(
    agent: Any, messages: list[dict[str, Any]] | None, sender: Any, config: Any
) -> tuple[bool, Any]:
    """Carry out the tool calls of the last message.

    On the sync face plain functions run one after the other in the caller's thread, while coroutine
    functions, and functions registered with `parallel=True`, run beside them. On the async face all
    run at once. The results come in the order of the calls.
    """
    messages = agent.chat_messages[sender] if messages is None else messages
    calls = messages[-1].get("tool_calls") if messages else None
    if not calls:
        return False, None
    await check_fits(budgets_here(agent), _steps(len(calls)))
    cores = [_responded(agent, call) for call in calls]
    responses = [await cores[0]] if len(cores) == 1 else await Gather(cores)
    content = "\n\n".join(str(r["content"]) for r in responses)
    return True, {"role": "tool", "tool_responses": responses, "content": content}


async def _responded(agent: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    function_call = call.get("function") or {}
    if call.get("id"):
        function_call = {**function_call, "id": call["id"]}
    _, answer = await point(agent, "execute_function")(function_call)
    response = {"role": "tool", "content": answer.get("content", "")}
    if call.get("id") is not None:
        response = {"tool_call_id": call["id"], **response}
    return response


async def execute_function(
    agent: Any, call: Mapping[str, Any], verbose: bool = False
) -> tuple[bool, dict[str, Any]]:
    """Call the function that `call` names; (whether it worked, the message with its result)."""
    name = call.get("name", "")
    function = agent._function_map.get(name) if isinstance(name, str) else None
    watched = is_watched()
    if function is None:
        is_ok, content = False, f"Error: Function {name} not found."
    else:
        answer = await step(
            "tool",
            lambda: _tapped(_called(agent, name, function, call, watched=watched)),
            codec=TOOL,
            request=lambda: [name, call.get("arguments")],
        )
        is_ok, content = answer.is_ok, answer.content
        chat = current_chat()
        if chat is not None and answer.is_replayed:
            for usage in answer.usages:
                chat.account(usage)
        if answer.is_replayed:
            book_again(budgets_here(agent), used(answer.usages, steps=1))
    if watched:
        data = {"name": name, "id": call.get("id"), "content": content, "is_ok": is_ok}
        await event("tool.answered", data, agent=agent.name)
    return is_ok, {"name": name, "role": "function", "content": content}


async def _tapped(called: Core[tuple[bool, str]]) -> ToolAnswer:
    """The answer, and what models used inside the call: a replay leaves the inside out."""
    chat, usages = current_chat(), list[Usage]()
    if chat is None:
        return ToolAnswer(*await called)
    chat.taps.append(usages)
    try:
        return ToolAnswer(*await called, usages)
    finally:
        # By identity: two empty lists are equal.
        chat.taps[:] = [tap for tap in chat.taps if tap is not usages]


async def _called(
    agent: Any, name: str, function: Callable[..., Any], call: Mapping[str, Any], *, watched: bool
) -> tuple[bool, str]:
    try:
        arguments = parsed_arguments(call.get("arguments", "{}"), function)
    except WrongArguments as error:
        return False, f"Error: {error}"
    except BadArguments as error:
        return False, f"Error: {error}\n The argument must be in JSON format."
    if watched:
        data = {"name": name, "id": call.get("id"), "arguments": arguments}
        await event("tool.called", data, agent=agent.name)
    await spend(budgets_here(agent), _steps(1))
    return await _outcome(function, arguments)


def _steps(n: int) -> Fixed:
    return Fixed(Amounts(steps=n), "a tool call" if n == 1 else f"{n} tool calls")


async def _outcome(function: Callable[..., Any], arguments: dict[str, Any]) -> tuple[bool, str]:
    try:
        if is_async(function):
            content = await Call(None, function, (), arguments)
        else:
            place: Place = "thread" if getattr(function, "_parallel", False) else "caller"
            content = await Call(function, None, (), arguments, place)
    except LimitError:
        raise
    except Exception as error:  # noqa: BLE001 the model is told, whatever it was
        return False, f"Error: {_text_of(error)}"
    return True, content if isinstance(content, str) else str(content)


def _text_of(error: Exception) -> str:
    """What `error` says; its name where it says nothing, or fails to."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 an error of somebody else's making
        return type(error).__name__
