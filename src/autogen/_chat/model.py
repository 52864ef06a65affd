"""The last built-in of the chain: ask the model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from .._kernel.faces import is_face, point
from .._kernel.ops import Call
from .._kernel.record import recorded, step
from ..errors import UsageTypeError
from ..limits.spending import book_again, budgets_here, used
from ..messages import expand_tool_responses
from ..usage import Usage
from .state import current_chat
from .steps import ANSWER, Answer, request_parts
from .wiring import acting, event, is_watched

__all__ = ["completed_text", "generate_oai_reply", "normal_name", "said_by"]

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MAX_NAME = 64


async def generate_oai_reply(
    agent: Any, messages: Sequence[dict[str, Any]] | None, sender: Any, config: Any
) -> tuple[bool, Any]:
    """What the agent's model says to the conversation so far."""
    client = agent.client if config is None else config
    if not client:
        return False, None
    if messages is None:
        messages = agent.chat_messages[sender]
    first = agent._oai_system_message
    cache = agent.client_cache
    reply = await said_by(client, messages, first=first, agent=agent, cache=cache, asker=agent)
    if reply is None:
        warnings.warn(f"the model of {agent.name!r} gave an empty answer.", stacklevel=2)
        return False, None
    return True, reply


async def said_by(
    client: Any,
    messages: Sequence[dict[str, Any]],
    *,
    first: Sequence[dict[str, Any]] = (),
    last: Sequence[dict[str, Any]] = (),
    agent: Any,
    cache: Any,
    asker: Any,
) -> str | dict[str, Any] | None:
    """What a client says to messages, asked in the way of `asker` if it has one of its own.

    Args:
        client: An `OpenAIWrapper`.
        messages: A history, with joint tool replies. One of ours says itself that it has none,
            which makes a long chat cheap; that is why the others are apart from it.
        first: Before them, the system message.
        last: After them.
        agent: Who is answered for.
        cache: As `create` takes it.
        asker: Whose method counts.
    """
    own = getattr(asker, "_generate_oai_reply_from_client", None)
    if own is None or getattr(own, "__plain__", False):
        newest = (last or messages)[-1:]
        return await completed_text(
            client,
            messages=[*first, *expand_tool_responses(messages), *last],
            context=newest[0].get("context") if newest else None,
            cache=cache,
            agent=agent,
        )
    # Such methods take out the context of the last message, which must stay in the history.
    given = (client, [dict(message) for message in (*first, *messages, *last)], cache)
    return await recorded("reply", lambda: Call(own, None, given))


async def completed_text(
    client: Any,
    *,
    messages: list[Any],
    agent: Any,
    cache: Any = None,
    context: Any = None,
    choices: Sequence[str] | None = None,
) -> str | dict[str, Any] | None:
    """One answer of a model, accounted: text, a message dict with calls, or None if it is empty.

    With `choices`, a model that is known to take a schema is held to naming one of them.
    """
    chat = current_chat()
    if chat is not None:
        for brakes in chat.brakes.counting:
            brakes.count_call()
    request = {"messages": messages, "context": context, "cache": cache, "agent": agent}
    # A client of somebody's own making, put in place of ours, need not know our keywords.
    is_ours = is_face(client.create)
    if choices is not None and is_ours:
        request["choices"] = choices
    answer = await step(
        "model",
        lambda: _answered(client, request, is_ours),
        codec=ANSWER,
        request=lambda: request_parts(messages, choices),
    )
    if chat is not None:
        for usage in answer.usages:
            chat.account(usage)
    if answer.is_replayed:
        book_again(budgets_here(agent), used(answer.usages, steps=int(not answer.usages)))
    if is_watched():
        await event("model.answered", _facts(answer), agent=agent.name)
    return answer.reply


async def _answered(client: Any, request: dict[str, Any], is_ours: bool) -> Answer:
    """The first answer of the response, and what each call on the way to it used."""
    usages: list[Usage] = []
    if is_ours:
        request["on_usage"] = usages.append
    with acting(request["agent"]):
        response = await point(client, "create")(**request)
    answers = client.extract_text_or_completion_object(response)
    first = answers[0] if answers else None
    reply = first if first is None or isinstance(first, str) else _message_of(first)
    return Answer(reply, usages, getattr(response, "model", None))


def _facts(answer: Answer) -> dict[str, Any]:
    usages = answer.usages
    costs = [usage.cost_usd for usage in usages]
    return {
        "model": answer.model,
        "prompt_tokens": sum(usage.prompt_tokens for usage in usages),
        "completion_tokens": sum(usage.completion_tokens for usage in usages),
        "cost_usd": None if None in costs else sum(cost or 0.0 for cost in costs),
        "is_cached": bool(usages) and usages[-1].is_cached,
    }


def _message_of(answer: Any) -> dict[str, Any]:
    """A message object of a client as a dict that can be stored and sent."""
    if isinstance(answer, dict):
        message = dict(answer)
    elif hasattr(answer, "model_dump"):
        message = answer.model_dump()
    elif isinstance(answer, list):
        message = {"content": answer}
    elif hasattr(answer, "__dict__"):
        message = {k: v for k, v in vars(answer).items() if not k.startswith("_")}
    else:
        raise UsageTypeError(
            f"the model client gave {answer!r} as an answer; its message_retrieval must give texts "
            "or messages."
        )
    call = message.get("function_call")
    if call:
        message["function_call"] = {**call, "name": normal_name(call["name"])}
    if message.get("tool_calls"):
        message["tool_calls"] = [_tool_call(c) for c in message["tool_calls"]]
    return message


def _tool_call(call: Any) -> dict[str, Any]:
    call = dict(call) if isinstance(call, dict) else call.model_dump()
    made = {k: v for k, v in call.items() if v is not None or k not in ("id", "type")}
    made["function"] = {**call["function"], "name": normal_name(call["function"]["name"])}
    return made


def normal_name(name: Any) -> str:
    """A function name as models take it."""
    # A model that names nothing is told by the tool step that there is no such function.
    return _NOT_IN_NAME.sub("_", str(name or ""))[:_MAX_NAME]
