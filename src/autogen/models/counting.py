"""What a fresh answer used, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..config.entry import Entry
from ..usage import Usage
from .base import CompletionUsage
from .prices import cost_usd, warn_unpriced

__all__ = ["used"]

_NO_TOKENS = CompletionUsage()


def used(
    entry: Entry, params: Mapping[str, Any], response: Any
) -> tuple[Usage | None, float | None]:
    """What a fresh response used, and its cost in US dollars (None: not known).

    Where a service did not say how many tokens, they are counted here, and `response` tells them.
    """
    client = entry.client
    if client is not None and client.counts:
        return _used_by_client(entry, response)
    model = response.model or entry.model
    counted = getattr(response, "usage", None)
    if counted is None and client is None:
        counted = response.usage = _counted_here(model, params, response)
    cost = None
    if counted is None:
        counted = _NO_TOKENS
    else:
        cost = cost_usd(
            model,
            prompt_tokens=counted.prompt_tokens,
            completion_tokens=counted.completion_tokens,
            cached_prompt_tokens=getattr(counted, "cached_prompt_tokens", 0),
            price=entry.price,
            base_url=entry.client_options.get("base_url") or "",
        )
    if cost is None:
        warn_unpriced(model)
    usage = Usage(
        model=model,
        prompt_tokens=counted.prompt_tokens,
        completion_tokens=counted.completion_tokens,
        cost_usd=cost,
    )
    return usage, cost


def _used_by_client(entry: Entry, response: Any) -> tuple[Usage | None, float | None]:
    """The client's own words, except where the entry has a `price`."""
    client, price = entry.client, entry.price
    cost: float | None = client.cost(response) if price is None else None
    # `get_usage` of most clients reads it from there.
    response.cost = cost or 0.0
    said = client.usage(response)
    if said is None:
        return None, cost
    prompt, completion = said["prompt_tokens"] or 0, said["completion_tokens"] or 0
    if price is not None:
        cost = (prompt * price[0] + completion * price[1]) / 1000
    usage = Usage(
        model=said["model"],
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_usd=said["cost"] if price is None else cost,
    )
    return usage, cost


def _counted_here(model: str, params: Mapping[str, Any], response: Any) -> CompletionUsage:
    # Slow to import, and needed for few services.
    from .tokens import count_token, num_tokens_from_functions

    messages = params.get("messages")
    prompt = count_token(params["prompt"] if messages is None else list(messages), model)
    for key in ("tools", "functions"):
        prompt += num_tokens_from_functions(params.get(key) or [], model)
    completion = sum(count_token(_said(choice.message), model) for choice in response.choices)
    return CompletionUsage(prompt, completion, prompt + completion)


def _said(message: Any) -> str:
    """All that a model wrote, its calls as they go over the wire."""
    calls = [message.function_call] if message.function_call else []
    calls += [call.function for call in message.tool_calls or ()]
    texts = [message.reasoning_content, message.content, message.refusal]
    texts += [json.dumps({"name": call.name, "arguments": call.arguments}) for call in calls]
    return "\n".join(text for text in texts if text)
